package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/configs"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/poller"
	"github.com/pullrun/pullrun/server/store"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitRefused     = 4
	exitNotFound    = 5
	exitCancelled   = 6
	exitLost        = 7
	exitIdle        = 8
	exitDrained     = 9
	exitUnwell      = 10
	exitOther       = 70
	exitWaited      = 124
	exitInterrupted = 130
)

var exitCodes = []struct {
	code    int
	meaning string
}{
	{exitDone, "done: the run succeeded, the worker has drained or has done all of its max_runs, the files are valid"},
	{exitFailed, "the run, or a test, failed"},
	{exitUsage, "the command line, the settings or the pipelines are wrong, or name a file or a database that is not there, is none, or is not for this user"},
	{exitUnreachable, "the server cannot be reached or its certificate is not trusted, by a worker for longer than contact_timeout, or has no room for now: a full queue, too many calls, a full disk"},
	{exitRefused, "the server refuses: a wrong token or scope, a cookie or concurrency key that is taken, a run that cannot be requeued, what its database cannot do, a newer worker of the same name"},
	{exitNotFound, "no such run, worker, pipeline or chip"},
	{exitCancelled, "the run was cancelled"},
	{exitLost, "the run ran out of time, or its workers were lost too often"},
	{exitIdle, "the worker had nothing to do for idle_timeout"},
	{exitDrained, "the worker was told to end before it had done all of its max_runs"},
	{exitUnwell, "the doctor has found something wrong"},
	{exitOther, "anything else, such as an address that is in use, a damaged database or a disk that fails"},
	{exitWaited, "the run had not ended, or the worker had not left, when --timeout was over; it goes on"},
	{exitInterrupted, "interrupted by Ctrl-C, a worker by its third, a server or worker by any signal to end while its start hangs; a run that was waited for goes on"},
}

func newExitCodes() *cobra.Command {
	text := "pullrun ends with one of these codes, which scripts may rely on:\n\n" + exitCodesOf()
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: text}
}

// exitCodesOf lists these exit codes, or all of them.
func exitCodesOf(some ...int) string {
	var lines []string
	for _, c := range exitCodes {
		if len(some) == 0 || slices.Contains(some, c.code) {
			lines = append(lines, fmt.Sprintf("  %3d  %s", c.code, c.meaning))
		}
	}
	return strings.Join(lines, "\n")
}

// codedError is an error that ends the program with a certain code.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

func withCode(code int, err error) error { return &codedError{code, err} }

// errSaid ends the program without another word: what went wrong has been
// shown in a better form.
var errSaid = errors.New("said already")

// exitCode is the one place that turns errors into exit codes.
func exitCode(err error) int {
	var coded *codedError
	var problems configs.Problems
	var load *engine.LoadError
	var file *fs.PathError
	var op *net.OpError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &problems), errors.As(err, &load), errors.Is(err, store.ErrAddress):
		return exitUsage
	case errors.Is(err, poller.ErrSuperseded):
		return exitRefused
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &file) && misnamed(file): // somebody has named it
		return exitUsage
	case errors.As(err, &op) && op.Op == "listen" && !errors.Is(op, syscall.EADDRINUSE): // likewise the address
		return exitUsage
	case errors.As(err, &file):
		return exitOther
	}
	switch api.CodeOf(err) {
	case api.CodeUnauthorized, api.CodeForbidden, api.CodeCookieCollision, api.CodeConcurrencyLimit, api.CodeNotRequeueable, api.CodeSessionSuperseded, api.CodeNotSupported:
		return exitRefused
	case api.CodeCookieNotFound, api.CodeWorkerNotFound, api.CodeNotFound:
		return exitNotFound
	case api.CodeInvalidRequest, api.CodeBodyTooLarge:
		return exitUsage
	case api.CodeUnavailable, api.CodeTooManyRequests, api.CodeQueueFull, api.CodeTooManyCombos, api.CodeStoreFull:
		return exitUnreachable
	}
	if unreached(err) {
		return exitUnreachable
	}
	return exitOther
}

// misnamed reports whether a file is not there, not what it has to be, or not for
// this user.
func misnamed(file *fs.PathError) bool {
	return errors.Is(file, fs.ErrNotExist) || errors.Is(file, fs.ErrPermission) || errors.Is(file, syscall.EISDIR) || errors.Is(file, syscall.ENOTDIR)
}

// unreached reports whether err is of a connection that could not be made or has
// broken, or of an answer that did not come in time, or from something else than a
// server, or from one whose certificate is not trusted. Not everything with the methods of a net.Error is: the errors of files
// and of SQLite have them too.
func unreached(err error) bool {
	var unanswered *client.NoAnswer
	var op *net.OpError
	var lookup *net.DNSError
	var timeout net.Error
	return errors.As(err, &unanswered) || errors.As(err, &lookup) || errors.As(err, &op) && op.Op != "listen" || errors.As(err, &timeout) && timeout.Timeout()
}

// runCode is the exit code for a run that has ended.
func runCode(s api.State) int {
	switch s {
	case api.StateSucceeded:
		return exitDone
	case api.StateCancelled:
		return exitCancelled
	case api.StateTimedOut, api.StateDead:
		return exitLost
	}
	return exitFailed
}

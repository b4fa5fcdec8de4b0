package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/configs"
)

// server checks what the server says to the worker's token.
func (d *doctor) server(cfg configs.Worker, name string, reached *route) {
	if reached.err != nil {
		for _, check := range []string{"token", "version", "store"} {
			d.report(check, skip("needs an answer of the server"))
		}
		return
	}
	got, err := d.ping(cfg, name, 0)
	d.report("token", tokenCheck(cfg, name, got, err))
	if err != nil {
		for _, check := range []string{"version", "store"} {
			d.report(check, skip("needs an answer of the server"))
		}
		return
	}
	d.report("version", versionCheck(version(), got.Version))
	d.report("store", storeCheck(got.Full))
}

// ping calls as the worker would.
func (d *doctor) ping(cfg configs.Worker, name string, wait time.Duration) (api.Ping, error) {
	id, err := openIdentity(cfg, name, func(string) func(string) { return func(string) {} }, slog.New(slog.DiscardHandler))
	if err != nil {
		return api.Ping{}, err
	}
	c, err := id.client(id.show, nil)
	if err != nil {
		return api.Ping{}, err
	}
	defer c.Close()
	if id.show() == "" && !cfg.EnrolToken.IsZero() {
		return api.Ping{}, errNotEnrolled
	}
	return c.Ping(d.ctx, wait)
}

var errNotEnrolled = errors.New("the worker has not been enrolled yet")

func tokenCheck(cfg configs.Worker, name string, got api.Ping, err error) finding {
	source := "the token in server.token"
	switch {
	case cfg.Server.TokenFile != "":
		source = "the token in " + cfg.Server.TokenFile
	case cfg.Server.Token.IsZero():
		source = "the worker's credential"
	}
	switch code := api.CodeOf(err); {
	case errors.Is(err, errNotEnrolled):
		return ok("%v: its first start does, with enrol_token", err)
	case code == api.CodeUnauthorized:
		return fail("show one that the server knows: server.token_file, or enrol the worker with \"pullrun tokens create --enrol\"", "the server does not take %s: %v", source, err)
	case code == api.CodeNotFound:
		return fail("update the server", "the server is too old to say")
	case err != nil:
		return fail("try again, and see the server's log", "%v", err)
	case !got.Allows(api.ScopeWork):
		return fail("give the worker a token with the scope work", "%q has the scopes %s", got.Token, scopes(got.Scopes))
	case got.Worker != "" && got.Worker != name:
		return fail("set name to "+got.Worker+", or enrol this worker", "%q is good for the worker %q alone, and this is %q", got.Token, got.Worker, name)
	}
	return ok("%q, with the scopes %s", got.Token, scopes(got.Scopes))
}

func scopes(all []api.Scope) string {
	var names []string
	for _, s := range all {
		names = append(names, string(s))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

var release = regexp.MustCompile(`^v(\d+)\.(\d+)\.`)

// versionCheck compares versions: a server works with workers of the release
// before it and after it.
func versionCheck(ours, server string) finding {
	seen := fmt.Sprintf("worker %s, server %s", ours, server)
	a, b := release.FindStringSubmatch(ours), release.FindStringSubmatch(server)
	if ours == server || a == nil || b == nil {
		return ok("%s", seen)
	}
	mine, errMine := strconv.Atoi(a[2])
	its, errIts := strconv.Atoi(b[2])
	if a[1] != b[1] || errMine != nil || errIts != nil || max(mine-its, its-mine) > 1 {
		return warn("update the older of the two: a server works with workers of the release before it and after it", "%s", seen)
	}
	return ok("%s", seen)
}

// storeCheck tells whether the server refuses new runs for want of room.
func storeCheck(full bool) finding {
	if full {
		return warn("make room there: it looks every ten seconds, and then goes on by itself", "the disk of the server's database is full: results are taken, new runs and what runs log are refused")
	}
	return ok("the server tells of no full disk")
}

// idleCutCheck holds a call that says nothing, as a poll is held, and finds out
// whether something cuts it.
func (d *doctor) idleCutCheck(cfg configs.Worker, name string) finding {
	switch {
	case d.idleCut <= 0:
		return skip("--idle-cut is 0")
	case d.idleCut > api.MaxPingSeconds*time.Second:
		return fail("choose at most 5m", "--idle-cut is %s", d.idleCut)
	case d.count(checkFail) > 0 && d.broken():
		return skip("needs an answer of the server")
	}
	wait := max(d.idleCut.Truncate(time.Second), time.Second)
	began := time.Now()
	done := d.watch(wait)
	_, err := d.ping(cfg, name, wait)
	done()
	held := time.Since(began)
	switch {
	case err == nil:
		return ok("a silent call was left alone for %s", took(wait))
	case errors.Is(err, context.Canceled):
		return skip("interrupted")
	case errors.Is(err, errNotEnrolled):
		return skip("needs a token")
	case held > wait:
		return fail("something on the path swallows what is silent for that long, and tells nobody: have it wait for 60s, or have it cut", "a silent call was never answered: %v", err)
	case !client.Retryable(err), held < time.Second:
		return fail("try again, and see the server's log", "a silent call was refused: %v", err)
	}
	return cutFinding(held, err)
}

// shortHold is what polls are held for where the path does not allow more.
const shortHold = 5 * time.Second

// serverHold is for how long a server holds polls if its settings do not say.
const serverHold = 25 * time.Second

func cutFinding(held time.Duration, err error) finding {
	seen := fmt.Sprintf("a silent call is cut after %s: %v", took(held), err)
	advice := "polls adapt to it by themselves, but come more often: have whatever cuts it wait for 60s (nginx: proxy_read_timeout), or set the server's hold below it"
	switch {
	case held < shortHold:
		return fail("that is less than a worker can adapt to: have whatever cuts it wait for 60s (nginx: proxy_read_timeout)", "%s", seen)
	case held > serverHold+shortHold:
		return ok("%s; polls are held for %s", seen, took(serverHold))
	}
	return warn(advice, "%s", seen)
}

// broken reports whether the way to the server, or its answer, has failed.
func (d *doctor) broken() bool {
	return slices.ContainsFunc(d.findings, func(f finding) bool {
		return f.Status == checkFail && slices.Contains([]string{"dns", "proxy", "connect", "tls", "http", "token"}, f.Check)
	})
}

// watch shows how long the call has been held, while somebody looks, until it
// is told to stop.
func (d *doctor) watch(wait time.Duration) (stop func()) {
	if !d.t.interactive() {
		return func() {}
	}
	began := time.Now()
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			fmt.Fprintf(d.t.err, "\r\x1b[K      idle cut   holding a silent call: %s of %s", took(time.Since(began).Truncate(time.Second)), took(wait))
			select {
			case <-ended:
				fmt.Fprint(d.t.err, "\r\x1b[K")
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(ended)
		<-gone
	}
}

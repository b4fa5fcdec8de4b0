package chips

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/expr"
)

// ProcessOptions set up the chip that runs programs.
type ProcessOptions struct {
	// Allow are the absolute paths of the programs that may be run, or
	// patterns of them, with * and ? as in file names. Empty allows none.
	Allow []string

	// Grace is how long a program that was told to end may take before it is
	// killed. Zero kills it at once.
	Grace time.Duration

	// Trace gives the variables that tell a program which span it belongs to.
	// It may be nil.
	Trace func(context.Context) []string
}

// RunProgram is the name of the chip that runs programs.
const RunProgram = "process.run"

// maxProgramOutput is the most of a stream, in bytes, that a task can ask for.
const maxProgramOutput = 16 << 20

func processChips(opts ProcessOptions) []engine.Chip {
	r := programs{opts}
	return []engine.Chip{
		engine.NewChip(RunProgram, "Runs a program that the worker's setting process.allow names, without a shell, and waits for it. "+
			"A program that fails also fails the task, unless check is false.", r.run),
	}
}

type (
	processRequest struct {
		Command   []string          `doc:"The program and its arguments. A name is looked for in the worker's PATH; a path must be absolute." required:"true"`
		Stdin     *[]byte           `doc:"What the program reads from its standard input, as bytes or text."`
		Env       map[string]string `doc:"Variables for the program. Of the worker's own it gets HOME, LANG, LANGUAGE, LC_*, LOGNAME, PATH, TMPDIR, TZ and USER alone, and TRACEPARENT and TRACESTATE of the call."`
		Dir       string            `doc:"The directory that it starts in. Empty is the worker's own."`
		Timeout   *float64          `doc:"How many seconds it may take before it is stopped. Null is as long as the task and the run may."`
		MaxOutput int               `doc:"How many bytes are kept of what it writes to each stream, at most 16777216. The rest is dropped." default:"1048576"`
		Check     bool              `doc:"Whether the task fails with ProgramFailed when the program ends with another exit code than 0 or by a signal, and with ProgramTimeout when it takes too long. If not, the status tells." default:"true"`
		Log       bool              `doc:"Whether the lines that it writes also go to the log of the run, as they come."`
	}

	processResponse struct {
		Status          string  `doc:"OK if the program ended with the exit code 0." enum:"OK,FAILED,TIMEOUT"`
		ExitCode        *int    `doc:"The exit code; null if a signal ended the program."`
		Signal          *string `doc:"The signal that ended the program, such as SIGKILL."`
		Stdout          string  `doc:"What it wrote to its standard output."`
		Stderr          string  `doc:"What it wrote to its standard error."`
		JSON            any     `doc:"The standard output as a value, if all of it is JSON."`
		StdoutTruncated bool    `doc:"Whether there was more standard output."`
		StderrTruncated bool    `doc:"Whether there was more standard error."`
		ElapsedMs       float64 `doc:"How long it took, in milliseconds."`
		ErrorMessage    *string `doc:"What went wrong."`
	}
)

// An ended is how a program did.
type ended struct {
	exit   int    // its code, or -1 when there is a signal
	signal string // its name
	killed bool   // it, or what it had started, when it did not end as it was told to
}

// programs runs the programs of all process chips.
type programs struct {
	opts ProcessOptions
}

// run runs a program to its end. Whatever ends the call, nothing of the
// program's process group is left when it returns.
func (p programs) run(ctx context.Context, r processRequest) (processResponse, error) {
	if r.MaxOutput < 0 || r.MaxOutput > maxProgramOutput {
		return processResponse{}, fmt.Errorf("max_output wants 0 to %d bytes, not %d", maxProgramOutput, r.MaxOutput)
	}
	path, err := p.find(r.Command)
	if err != nil {
		return processResponse{}, err
	}
	if r.Dir != "" {
		if _, err := os.Stat(r.Dir); err != nil { // what starts the program would say it of the program
			return processResponse{}, err
		}
	}
	limited := ctx
	if r.Timeout != nil {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, time.Duration(*r.Timeout*float64(time.Second)))
		defer cancel()
	}
	stdout, stderr := newProgramOutput(ctx, r, engine.Stdout), newProgramOutput(ctx, r, engine.Stderr)
	cmd := &exec.Cmd{Path: path, Args: r.Command, Env: p.environment(ctx, r.Env), Dir: r.Dir, Stdout: stdout, Stderr: stderr}
	if r.Stdin != nil {
		cmd.Stdin = bytes.NewReader(*r.Stdin)
	}
	began := time.Now()
	end, err := runGroup(limited, cmd, p.opts.Grace)
	took := time.Since(began)
	if end.killed {
		engine.Killed(ctx)
	}
	if err == nil {
		engine.RanProgram(ctx, engine.ProgramRun{Name: filepath.Base(path), ExitCode: end.exit})
	}
	switch {
	case ctx.Err() != nil:
		return processResponse{}, context.Cause(ctx)
	case err != nil:
		return processResponse{}, fmt.Errorf("run %s: %w", path, err)
	}
	if err := errors.Join(stdout.close(), stderr.close()); err != nil {
		return processResponse{}, err
	}
	resp := written(stdout, stderr)
	resp.ElapsedMs = float64(took.Microseconds()) / 1000
	return resp, resp.judge(path, end, limited.Err() != nil, r)
}

// written is the response of a program that has written this.
func written(stdout, stderr *programOutput) processResponse {
	resp := processResponse{
		Status: "OK", Stdout: stdout.text(), Stderr: stderr.text(),
		StdoutTruncated: stdout.truncated, StderrTruncated: stderr.truncated,
	}
	if stdout.truncated {
		return resp
	}
	if v, err := expr.FromJSON(stdout.kept); err == nil {
		resp.JSON = v
	}
	return resp
}

// judge says how the program did. Its error is for a task that checks.
func (resp *processResponse) judge(path string, end ended, late bool, r processRequest) error {
	class, what := "ProgramFailed", ""
	if end.signal != "" {
		resp.Signal = &end.signal
		what = "was ended by " + end.signal
	} else {
		resp.ExitCode = &end.exit
		what = fmt.Sprintf("ended with exit code %d", end.exit)
	}
	switch {
	case late:
		resp.Status, class = "TIMEOUT", "ProgramTimeout"
		what = fmt.Sprintf("took longer than %g s", *r.Timeout)
	case end.signal == "" && end.exit == 0:
		return nil
	default:
		resp.Status = "FAILED"
	}
	text := path + " " + what
	if line := lastLine(resp.Stderr); line != "" {
		text += ": " + line
	}
	resp.ErrorMessage = &text
	if !r.Check {
		return nil
	}
	return &engine.Raised{Class: class, Message: text}
}

// maxSaid bounds what an error quotes of a program, in bytes.
const maxSaid = 300

// lastLine is the last line of a text that is not blank.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	text = strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "..."
	}
	return text
}

// inherited are the worker's variables that programs get. All others may hold
// what is nobody's business, such as the worker's token.
var inherited = []string{"HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"}

// environment is that of a program. Of two values of a name the last counts.
func (p programs) environment(ctx context.Context, own map[string]string) []string {
	env := []string{} // nil would be all of the worker's
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "LC_") {
			env = append(env, kv)
		}
	}
	if p.opts.Trace != nil {
		env = append(env, p.opts.Trace(ctx)...)
	}
	for name, value := range own {
		env = append(env, name+"="+value)
	}
	return env
}

package testcase

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/pullrun/pullrun/engine"
)

// Timeout is how long a case may take.
const Timeout = 10 * time.Second

// Options say how cases run.
type Options struct {
	// Chips are what pipelines can call.
	Chips *engine.Chips

	// Real reports whether a chip that a case has no answer for may be
	// called as it is. Nil means [Harmless].
	Real func(chip string) bool

	// Streams are what every run reads and writes.
	Streams engine.Streams

	// Limits bound the files and each run.
	Limits engine.Limits
}

// A Runner reads and runs cases. It may be used by any number of goroutines.
type Runner struct {
	opts  Options
	chips *engine.Chips // with the stage in their place
}

// NewRunner makes a runner.
func NewRunner(opts Options) *Runner {
	if opts.Real == nil {
		opts.Real = Harmless
	}
	return &Runner{opts: opts, chips: staged(opts.Chips, opts.Real)}
}

// A Failure is how a case differs from what it expects.
type Failure struct {
	File    string
	Line    int // of the expectation
	Message string
	Detail  string // lines that show more; may be empty
}

// Error gives the place and the message, and the detail in lines of its own.
func (f *Failure) Error() string {
	s := fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message)
	if f.Detail != "" {
		s += "\n" + f.Detail
	}
	return s
}

// Run runs a case. It returns nil if it comes to what it should, else a
// *[Failure], or the cause of ctx's end.
func (r *Runner) Run(ctx context.Context, c *Case) error {
	if c.shared != nil {
		return r.run(ctx, c, c.shared.pipelines)
	}
	if c.files == nil {
		return c.fails("", "the case has no pipelines")
	}
	pipelines, err := engine.Load(engine.LoadOptions{FS: c.files, Chips: r.chips, Limits: r.opts.Limits})
	if err != nil {
		return c.checkLoad(err)
	}
	return r.run(ctx, c, pipelines)
}

func (r *Runner) run(ctx context.Context, c *Case, pipelines *engine.Collection) error {
	s := &stage{scripts: c.chips, calls: map[string]int{}}
	limited, cancel := context.WithTimeout(context.WithValue(ctx, stageKey{}, s), Timeout)
	defer cancel()
	out, err := pipelines.Run(limited, engine.Input{Pipeline: c.entry, Variables: c.variables, Trusted: true, Secrets: c.secret, Streams: r.opts.Streams, Observer: s})
	switch missed := s.missing(); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case missed != "":
		return c.fails("", "%s", missed)
	}
	return c.checkRun(out, err)
}

func (c *Case) fails(detail, format string, args ...any) error {
	return &Failure{File: c.File, Line: max(c.want.line, c.Line), Message: fmt.Sprintf(format, args...), Detail: detail}
}

// checkLoad compares the first thing that is wrong with the case's own
// pipelines with what is expected.
func (c *Case) checkLoad(err error) error {
	var wrong *engine.LoadError
	if !errors.As(err, &wrong) {
		return err
	}
	p, want := wrong.Problems[0], c.want
	detail := err.Error()
	switch {
	case want.class == "":
		return c.fails(detail, "the pipelines cannot be loaded, where a result is expected")
	case want.class != "any" && want.class != p.Class:
		return c.fails(detail, "the pipelines cannot be loaded: %s, where %s is expected", p.Class, want.class)
	case want.phase != p.Phase:
		return c.fails(detail, "the pipelines cannot be loaded in phase %q, where %q is expected", p.Phase, want.phase)
	case want.at != "" && want.at != p.At:
		return c.fails(detail, "the pipelines are wrong at %q, where %q is expected", p.At, want.at)
	}
	return nil
}

// checkRun compares the end of a run with what is expected.
func (c *Case) checkRun(out engine.Output, err error) error {
	want := c.want
	var failed *engine.Error
	switch {
	case err == nil && want.class == "":
		return c.checkResult(out.Result)
	case err == nil:
		return c.fails("", "the run gives %s, where %s is expected", shorten(string(out.Result)), want.class)
	case !errors.As(err, &failed):
		return err
	case want.class == "":
		return c.fails(c.stack(failed), "%v", err)
	case want.phase != "":
		return c.fails(c.stack(failed), "%v; a failure in phase %q is expected", err, want.phase)
	case want.class != "any" && want.class != failed.Class:
		return c.fails(c.stack(failed), "%v; %s is expected", err, want.class)
	case want.at != "" && want.at != failed.At:
		return c.fails(c.stack(failed), "%v; it is expected at %s", err, want.at)
	case want.cause != "" && want.class != "any" && want.cause != failed.CauseClass():
		return c.fails(c.stack(failed), "%v; the cause is %q, where %q is expected", err, failed.CauseClass(), want.cause)
	}
	return nil
}

// stack gives the frames of an error, their files as the author knows them.
func (c *Case) stack(e *engine.Error) string {
	lines := make([]string, len(e.Frames))
	for i, f := range e.Frames {
		if c.shared != nil {
			f.File = filepath.Join(c.shared.path, f.File)
		}
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// shorten cuts a result down to what fits in a message.
func shorten(s string) string {
	const most = 200
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return s
}

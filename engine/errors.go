package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// The classes of [Error].
const (
	ParsingException                 = "ParsingException"
	ValidationException              = "ValidationException"
	NoSuchPipelineException          = "NoSuchPipelineException"
	NoSuchChipException              = "NoSuchChipException"
	InvalidChipParametersException   = "InvalidChipParametersException"
	ChipException                    = "ChipException"
	VariableNotFoundException        = "VariableNotFoundException"
	VariablePathException            = "VariablePathException"
	CodeExecutionException           = "CodeExecutionException"
	EvaluationException              = "EvaluationException"
	LoopVariableNotIterableException = "LoopVariableNotIterableException"
	AssertException                  = "AssertException"
	LimitException                   = "LimitException"
	CancelledException               = "CancelledException"
	TimeoutException                 = "TimeoutException"
	InternalException                = "InternalException"
)

// taskSet stands for a task set where a pipeline has its name.
const taskSet = "<taskset>"

// A Frame is one level of a run: a pipeline or a task set, and the task in
// it that was running.
type Frame struct {
	Pipeline string // "<taskset>" for a task set
	Number   int    // of the task, from 1
	Name     string // of the task, "" if it has none
	File     string
	Line     int
}

// String gives the frame as `pipeline/number name (file:line)`.
func (f Frame) String() string {
	name := ""
	if f.Name != "" {
		name = " " + f.Name
	}
	return fmt.Sprintf("%s/%d%s (%s:%d)", f.Pipeline, f.Number, name, f.File, f.Line)
}

// An Error is how a run fails, whatever the reason.
type Error struct {
	Class   string // one of the constants above
	Message string
	At      string  // where, outermost first, such as "main/3 > sub/1"
	Frames  []Frame // the same with names, files and lines
	Cause   error   // what the chip, the expression or the context said; may be nil

	tasks []*task // of the frames
}

// locate says where the error happened.
func (e *Error) locate(levels []level) {
	e.Frames = make([]Frame, len(levels))
	e.tasks = make([]*task, len(levels))
	for i, l := range levels {
		e.Frames[i] = Frame{Pipeline: l.list, Number: l.task.number, Name: l.task.name, File: l.task.file, Line: l.task.line}
		e.tasks[i] = l.task
	}
	e.At = position(levels)
}

// Error gives the class, the place and the message in one line.
func (e *Error) Error() string {
	if e.At == "" {
		return e.Class + ": " + e.Message
	}
	return fmt.Sprintf("%s at %s: %s", e.Class, e.place(), e.Message)
}

// place is At, without the middle of a deep recursion.
func (e *Error) place() string {
	const ends = 5
	if len(e.Frames) <= 2*ends {
		return e.At
	}
	levels := strings.Split(e.At, levelSep)
	inner := levels[len(levels)-ends:]
	skipped := fmt.Sprintf("... %d levels ...", len(levels)-2*ends)
	return strings.Join(append(append(levels[:ends:ends], skipped), inner...), levelSep)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Stack gives the frames as text, one a line, outermost first.
func (e *Error) Stack() string {
	lines := make([]string, len(e.Frames))
	for i, f := range e.Frames {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// CauseClass names the class of the innermost cause as Python would, such as
// "NameError", or "" when no cause has one.
func (e *Error) CauseClass() string {
	class := ""
	for err := e.Cause; err != nil; err = errors.Unwrap(err) {
		if _, ours := err.(*Error); ours {
			continue
		}
		if c := classOf(err); c != "" {
			class = c
		}
	}
	return class
}

// classOf names the class of an error, or gives "".
func classOf(err error) string {
	switch err := err.(type) {
	case *Error:
		return err.Class
	case *Raised:
		return err.Class
	case *expr.Exc:
		return err.Class()
	case *expr.SyntaxError:
		return "SyntaxError"
	}
	return ""
}

// Raised is an error with a class name of its own, for chips whose failures
// pipelines tell apart: `retry: {on: [RateLimited]}`.
type Raised struct {
	Class   string
	Message string
	Err     error // may be nil
}

// Error gives the class and the message.
func (e *Raised) Error() string { return e.Class + ": " + e.Message }

// Unwrap returns the error behind it.
func (e *Raised) Unwrap() error { return e.Err }

// levelSep stands between levels.
const levelSep = " > "

// position gives levels in the form of [Error.At].
func position(levels []level) string {
	var b strings.Builder
	for i, l := range levels {
		if i > 0 {
			b.WriteString(levelSep)
		}
		fmt.Fprintf(&b, "%s/%d", l.list, l.task.number)
	}
	return b.String()
}

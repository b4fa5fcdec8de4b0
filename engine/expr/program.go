package expr

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// A Scope is where the names of an evaluation live. An evaluation uses it
// from one goroutine.
type Scope interface {
	Get(name string) (Value, bool)
	Set(name string, v Value) // `:=`, and assignments in code
	Delete(name string)
}

// Vars is a plain scope.
type Vars map[string]Value

// Get gives the value of a name.
func (s Vars) Get(name string) (Value, bool) { v, ok := s[name]; return v, ok }

// Set gives a name a value.
func (s Vars) Set(name string, v Value) { s[name] = v }

// Delete removes a name.
func (s Vars) Delete(name string) { delete(s, name) }

// Options say how a program is evaluated.
type Options struct {
	Limits Limits
	// Budget counts the steps together with those of other evaluations; nil
	// bounds them by Limits alone.
	Budget *Budget
	// Print receives each line that print() writes in code; nil drops them.
	Print func(line string)
	// Now is the only clock of scripts. Defaults to time.Now.
	Now func() time.Time
	// NoBuiltins hides the builtin functions, types and exceptions, so that
	// only the scope's names are there.
	NoBuiltins bool
}

// A SyntaxError says where source cannot be compiled. Unsupported is set if
// it is valid Python that is left out here; Hint then names what to write
// instead.
type SyntaxError struct {
	Line, Col   int // from 1; columns count characters
	Msg         string
	Hint        string
	Unsupported bool
}

func (e *SyntaxError) Error() string {
	s := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Col, e.Msg)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// A Warning is something about a program that will fail when it is reached.
type Warning struct {
	Line int
	Msg  string
}

// A Program is compiled source. It never changes and may be evaluated by
// any number of goroutines at once.
type Program struct {
	run      code
	slots    int
	names    []string
	mentions map[string]bool
	mutates  bool
	warnings []Warning
}

// Names gives the names that the program takes from its scope or from the
// builtins, sorted.
func (p *Program) Names() []string { return p.names }

// Mentions reports whether the program uses a name in any way.
func (p *Program) Mentions(name string) bool { return p.mentions[name] }

// Mutates reports whether the program may change a value it was given, or
// its scope: by a method such as append, an assignment, `:=` or del, or by
// calling a function that is not known.
func (p *Program) Mutates() bool { return p.mutates }

// Warnings gives what is certain to fail if it is reached, such as the
// import of a module that does not exist.
func (p *Program) Warnings() []Warning { return p.warnings }

// Compile compiles one expression. Its error is a *[SyntaxError].
func Compile(src string) (p *Program, err error) {
	defer catchFault(&err)
	x := parseExpression(src)
	c := newCompiler(src, false)
	return c.program(c.expr(x)), nil
}

// CompileBlock compiles the code of a task: statements, or one expression.
// Its value is that of a last expression or last assignment to one name,
// else None. Its error is a *[SyntaxError].
func CompileBlock(src string) (p *Program, err error) {
	defer catchFault(&err)
	body := parseBlock(src)
	c := newCompiler(src, true)
	run := c.blockValue(body)
	return c.program(run), nil
}

// catchFault turns a fault in the source into the error of its entry point.
func catchFault(err *error) {
	switch r := recover().(type) {
	case nil:
	case syntaxFault:
		*err = r.err
	default:
		panic(r)
	}
}

// Eval evaluates the program. Its error is an *[Exc], a *[LimitError], the
// cause of ctx's end, or what a host function returned.
func (p *Program) Eval(ctx context.Context, s Scope, o Options) (v Value, err error) {
	ev := newEval(ctx, s, o)
	ev.mutating = p.mutates
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, internalError(r)
		}
		if err = ev.finish(err); err != nil {
			v, err = nil, atLine(err, 1)
		}
	}()
	return p.run(&frame{ev: ev, slots: newSlots(p.slots)})
}

// internalError reports a bug of ours, which fails the evaluation only.
func internalError(r any) error {
	return fmt.Errorf("evaluate expression: internal error: %v\n%s", r, debug.Stack())
}

// Collect gives the items of any iterable value in a new slice, under the
// limits of o. Its error is a TypeError for a value that is not iterable, or
// as that of [Program.Eval].
func Collect(ctx context.Context, v Value, o Options) (items []Value, err error) {
	ev := newEval(ctx, Vars{}, o)
	defer func() {
		if r := recover(); r != nil {
			items, err = nil, internalError(r)
		}
		if err = ev.finish(err); err != nil {
			items = nil
		}
	}()
	return ev.collect(v)
}

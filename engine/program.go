package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// A program is a piece of source text that was compiled when the collection
// was loaded. One that does not compile keeps its error until it is run: it
// may stand in a task that never is.
type program struct {
	src     string
	code    *expr.Program
	err     *expr.SyntaxError
	names   []string // its free names
	mutates bool     // it may change values in place
	block   bool     // it is the code of a task, which may assign
}

// newProgram compiles an expression or, with block, the text of a code task.
func newProgram(src string, block bool) *program {
	p := &program{src: src, block: block}
	compile := expr.Compile
	if block {
		compile = expr.CompileBlock
	}
	code, err := compile(src)
	if err != nil {
		if !errors.As(err, &p.err) {
			p.err = &expr.SyntaxError{Msg: err.Error()}
		}
		return p
	}
	p.code, p.names, p.mutates = code, code.Names(), code.Mutates()
	return p
}

// expression compiles an expression, or finds it compiled.
func (l *loader) expression(src string) *program {
	src = strings.TrimSpace(src)
	if p := l.programs[src]; p != nil {
		return p
	}
	p := newProgram(src, false)
	l.programs[src] = p
	return p
}

// mentions reports whether the program uses one of the names.
func (p *program) mentions(names ...string) bool {
	if p.code == nil {
		return false
	}
	for _, name := range names {
		if p.code.Mentions(name) {
			return true
		}
	}
	return false
}

// quoted is the program as errors show it. Of several lines it is the one that
// failed, with its number; 0 is none.
func (p *program) quoted(line int) string {
	lines := strings.Split(strings.TrimRight(p.src, " \n"), "\n")
	if line < 1 || line > len(lines) || len(lines) == 1 {
		return fmt.Sprintf("%q", shorten(p.src))
	}
	return fmt.Sprintf("line %d, %q", line, shorten(strings.TrimSpace(lines[line-1])))
}

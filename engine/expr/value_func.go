package expr

import (
	"context"
	"strings"
)

// A Builtin is a function or method written in Go. Its parameters are
// declared in a line of text, see [newBuiltin].
type Builtin struct {
	name     string
	params   []string // names, in the order in which fn gets them
	required int      // bit set: parameter i must be given
	byPos    int      // so many can be given by position
	byName   int      // from here on they can be given by name
	rest     bool     // surplus positions go to one Tuple after params
	named    bool     // surplus names go to one *Dict after that
	mutates  bool     // changes its first argument
	fn       func(ev *eval, a []Value) (Value, error)
}

// absent stands for an optional argument that was not given.
var absent Value = absentArg{}

type absentArg struct{}

func given(v Value) bool { return v != absent }

// newBuiltin makes a function. The signature lists its parameters as
// Python's documentation does: `x` must be given, `x?` need not, those
// before `/` cannot be named, those after `*` must be, `*x` and `**x` take
// the rest. fn gets one value for each, absent where none was given.
func newBuiltin(name, signature string, fn func(ev *eval, a []Value) (Value, error)) *Builtin {
	b := &Builtin{name: name, byPos: -1, fn: fn}
	for _, p := range strings.Fields(signature) {
		switch {
		case p == "/":
			b.byName = len(b.params)
		case p == "*":
			b.byPos = len(b.params)
		case strings.HasPrefix(p, "**"):
			b.named = true
		case strings.HasPrefix(p, "*"):
			b.rest = true
			b.byPos = len(b.params)
		default:
			bare, optional := strings.CutSuffix(p, "?")
			if !optional {
				b.required |= 1 << len(b.params)
			}
			b.params = append(b.params, bare)
		}
	}
	if b.byPos < 0 {
		b.byPos = len(b.params)
	}
	return b
}

func (b *Builtin) class() *Type          { return typeBuiltin }
func (b *Builtin) hashKey() (any, error) { return b, nil }

func (b *Builtin) repr(p *printer) error {
	return p.text("<built-in function " + b.name + ">")
}

// NewFunc makes a function of the embedding program callable from scripts.
// kwargs is nil when no argument was named. An error that f returns ends
// the evaluation as it is, unless it is an *[Exc], which a script can catch.
func NewFunc(name string, f func(ctx context.Context, args []Value, kwargs *Dict) (Value, error)) Value {
	return newBuiltin(name, "*args **kwargs", func(ev *eval, a []Value) (Value, error) {
		var kwargs *Dict
		if d := a[1].(*Dict); d.Len() > 0 {
			kwargs = d
		}
		return f(ev.ctx, a[0].(Tuple), kwargs)
	})
}

// A Module is what an import gives: names with values.
type Module struct {
	name  string
	names map[string]Value
}

func (m *Module) class() *Type                   { return typeModule }
func (m *Module) hashKey() (any, error)          { return m, nil }
func (m *Module) attr(name string) (Value, bool) { v, ok := m.names[name]; return v, ok }

func (m *Module) repr(p *printer) error {
	return p.text("<module '" + m.name + "'>")
}

package expr

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// A world holds everything that scripts can reach: the builtin names, the
// modules, and, through the types, all methods. It is built once, on first
// use, since the functions in it refer to the world themselves, which Go
// does not let variables do.
type world struct {
	builtins map[string]Value // of expressions and code
	inCode   map[string]Value // of code only
	modules  map[string]*Module
	mutators map[string]bool // methods that change their value
	known    map[string]bool // all methods and functions of modules
}

var worldOnce struct {
	sync.Once
	w *world
}

func theWorld() *world {
	worldOnce.Do(func() { worldOnce.w = buildWorld() })
	return worldOnce.w
}

func buildWorld() *world {
	w := &world{
		inCode:   map[string]Value{"print": newBuiltin("print", "*args * sep? end? file? flush?", printLine)},
		mutators: map[string]bool{}, known: map[string]bool{},
	}
	linkTypes()
	w.builtins = builtinNames()
	w.modules = allModules()
	for _, t := range allTypes() {
		for name, m := range t.methods {
			w.known[name] = true
			if m.mutates {
				w.mutators[name] = true
			}
		}
		for name := range t.statics {
			w.known[name] = true
		}
	}
	for _, m := range w.modules {
		for name, v := range m.names {
			w.known[name] = true
			if b, ok := v.(*Builtin); ok && b.mutates {
				w.mutators[name] = true
			}
		}
	}
	return w
}

// builtin gives the builtin of a name.
func (w *world) builtin(name string, inCode bool) (Value, bool) {
	if v, ok := w.builtins[name]; ok {
		return v, true
	}
	if inCode {
		v, ok := w.inCode[name]
		return v, ok
	}
	return nil, false
}

func (w *world) moduleHint() string {
	return "there are " + strings.Join(slices.Sorted(maps.Keys(w.modules)), ", ")
}

// table makes a table of methods or functions by name.
func table(list ...*Builtin) map[string]*Builtin {
	t := make(map[string]*Builtin, len(list))
	for _, b := range list {
		t[b.name] = b
	}
	return t
}

// def declares a method. Its value is its first argument.
func def(name, signature string, fn func(ev *eval, a []Value) (Value, error)) *Builtin {
	b := newBuiltin(name, "self "+signature, fn)
	b.byName = max(b.byName, 1)
	return b
}

// mut declares a method that changes its value.
func mut(name, signature string, fn func(ev *eval, a []Value) (Value, error)) *Builtin {
	b := def(name, signature, fn)
	b.mutates = true
	return b
}

// values makes the names of a module out of functions.
func values(list ...*Builtin) map[string]Value {
	t := make(map[string]Value, len(list))
	for _, b := range list {
		t[b.name] = b
	}
	return t
}

package engine

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// A varPath says where a value goes: `a`, `a.b`, `a[0].b`, `a["x-y"]`. The
// first step is the name of a variable. A text that is no path names a
// variable as it stands.
type varPath struct {
	text  string
	root  string
	steps []step // after the root
}

// A step is a key of a map or an index of a list.
type step struct {
	key   string
	index int
	list  bool
}

// parsePath reads the name of a variable or a path to a part of one.
func parsePath(text string) varPath {
	name, rest := identifier(text)
	if name == "" {
		return varPath{text: text, root: text}
	}
	p := varPath{text: text, root: name}
	for rest != "" {
		var s step
		var ok bool
		if s, rest, ok = parseStep(rest); !ok {
			return varPath{text: text, root: text}
		}
		p.steps = append(p.steps, s)
	}
	return p
}

func parseStep(text string) (s step, rest string, ok bool) {
	if after, ok := strings.CutPrefix(text, "."); ok {
		name, rest := identifier(after)
		return step{key: name}, rest, name != ""
	}
	inner, ok := strings.CutPrefix(text, "[")
	if !ok {
		return s, text, false
	}
	for _, quote := range []string{`"`, `'`} {
		if quoted, ok := strings.CutPrefix(inner, quote); ok {
			key, rest, ok := strings.Cut(quoted, quote+"]")
			return step{key: key}, rest, ok
		}
	}
	digits, rest, ok := strings.Cut(inner, "]")
	if !ok {
		return s, text, false
	}
	index, err := strconv.ParseUint(digits, 10, 31)
	return step{index: int(index), list: true}, rest, err == nil
}

// identifier cuts a name off the front of a text.
func identifier(text string) (name, rest string) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '_', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case '0' <= c && c <= '9' && i > 0:
		default:
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// A pathError says that a value cannot be put where a path leads.
type pathError struct {
	path varPath
	msg  string
}

func (e *pathError) Error() string { return fmt.Sprintf("set %q: %s", e.path.text, e.msg) }

// assign gives what the variable holds once the part at steps is made v.
// The containers on the way are copied, everything else is shared, so that
// nobody who holds the old value sees a change. With merge, maps are merged
// into maps; without, v replaces what was there.
func (p varPath) assign(old expr.Value, steps []step, v expr.Value, merge bool) (expr.Value, error) {
	if len(steps) == 0 {
		if merge {
			return merged(old, v), nil
		}
		return v, nil
	}
	s := steps[0]
	if s.list {
		return p.assignIndex(old, s.index, steps, v, merge)
	}
	d := expr.NewDict() // which replaces a scalar in the way
	switch old := old.(type) {
	case *expr.Dict:
		d = cloneDict(old)
	case *expr.Object:
		for _, f := range old.Fields() {
			d.SetString(f.Name, f.Value)
		}
	}
	was, _ := d.GetString(s.key)
	now, err := p.assign(was, steps[1:], v, merge)
	if err != nil {
		return nil, err
	}
	d.SetString(s.key, now)
	return d, nil
}

// longer gives by how many items assign makes a list longer.
func (p varPath) longer(v expr.Value) int {
	for _, s := range p.steps {
		switch c := v.(type) {
		case *expr.List:
			if !s.list || s.index < c.Len() {
				v = nil
				if s.list {
					v = c.At(s.index)
				}
				continue
			}
			return s.index + 1 - c.Len()
		case *expr.Dict:
			v, _ = c.GetString(s.key)
		default:
			return 0
		}
	}
	return 0
}

// assignIndex is assign for a list. The last index of a path must exist;
// one on the way makes the list longer.
func (p varPath) assignIndex(old expr.Value, i int, steps []step, v expr.Value, merge bool) (expr.Value, error) {
	l, ok := old.(*expr.List)
	switch {
	case !ok && old == nil:
		return nil, &pathError{p, fmt.Sprintf("there is no list for the index [%d]", i)}
	case !ok:
		return nil, &pathError{p, fmt.Sprintf("the index [%d] wants a list, not %s", i, expr.TypeName(old))}
	case i >= l.Len() && len(steps) == 1:
		return nil, &pathError{p, fmt.Sprintf("the index [%d] is beyond the %d items of the list", i, l.Len())}
	case i > l.Len()+maxExtension:
		return nil, &pathError{p, fmt.Sprintf("the index [%d] would add more than %d items", i, maxExtension)}
	}
	l = cloneList(l)
	for l.Len() <= i {
		l.Append(expr.NewDict())
	}
	now, err := p.assign(l.At(i), steps[1:], v, merge)
	if err != nil {
		return nil, err
	}
	l.Set(i, now)
	return l, nil
}

// maxExtension bounds by how many items one path may make a list longer.
const maxExtension = 100_000

// merged gives v merged into old: maps key by key, in depth; anything else
// replaces.
func merged(old, v expr.Value) expr.Value {
	a, ok := old.(*expr.Dict)
	if !ok {
		return v
	}
	b, ok := v.(*expr.Dict)
	if !ok || a == b {
		return v
	}
	d := cloneDict(a)
	for key, value := range b.All() {
		if was, ok := d.Get(key); ok {
			value = merged(was, value)
		}
		_ = d.Set(key, value) // it is a key already
	}
	return d
}

func cloneDict(d *expr.Dict) *expr.Dict {
	c := expr.NewDict()
	for key, value := range d.All() {
		_ = c.Set(key, value) // it is a key already
	}
	return c
}

func cloneList(l *expr.List) *expr.List {
	items := make([]expr.Value, l.Len(), l.Len()+1)
	copy(items, l.Items())
	return expr.NewList(items...)
}

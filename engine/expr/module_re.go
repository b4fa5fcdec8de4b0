package expr

import (
	"strings"
)

var (
	typePattern = &Type{name: "Pattern"}
	typeMatch   = &Type{name: "Match"}
)

// reModule is Python's re. Its functions are the methods of a pattern, with
// the pattern as text first.
func reModule() *Module {
	names := values(
		newBuiltin("compile", "pattern flags?", func(ev *eval, a []Value) (Value, error) { return ev.pattern(a[0], a[1]) }),
		newBuiltin("escape", "pattern", reEscape),
		newBuiltin("search", "pattern string flags?", onPattern(patternSearch)),
		newBuiltin("match", "pattern string flags?", onPattern(patternMatch)),
		newBuiltin("fullmatch", "pattern string flags?", onPattern(patternFullMatch)),
		newBuiltin("findall", "pattern string flags?", onPattern(patternFindAll)),
		newBuiltin("finditer", "pattern string flags?", onPattern(patternFindIter)),
		newBuiltin("split", "pattern string maxsplit? flags?", onPattern(patternSplit)),
		newBuiltin("sub", "pattern repl string count? flags?", onPattern(patternSub)),
		newBuiltin("subn", "pattern repl string count? flags?", onPattern(patternSubn)),
	)
	for name, flag := range map[string]int{
		"IGNORECASE": flagIgnoreCase, "MULTILINE": flagMultiline, "DOTALL": flagDotAll,
		"UNICODE": flagUnicode, "VERBOSE": flagVerbose, "ASCII": flagASCII,
	} {
		names[name] = int64(flag)
		names[name[:1]] = int64(flag)
	}
	names["X"], names["S"] = int64(flagVerbose), int64(flagDotAll)
	delete(names, "V")
	delete(names, "D")
	names["error"], names["PatternError"] = excRegexError, excRegexError
	names["Pattern"], names["Match"] = typePattern, typeMatch
	return &Module{name: "re", names: names}
}

func linkRe() {
	typePattern.methods = table(
		def("search", "string pos? endpos?", patternSearch),
		def("match", "string pos? endpos?", patternMatch),
		def("fullmatch", "string pos? endpos?", patternFullMatch),
		def("findall", "string pos? endpos?", patternFindAll),
		def("finditer", "string pos? endpos?", patternFindIter),
		def("split", "string maxsplit?", patternSplit),
		def("sub", "repl string count?", patternSub),
		def("subn", "repl string count?", patternSubn),
	)
	typePattern.getters = map[string]func(Value) Value{
		"pattern":    func(v Value) Value { return v.(*regex).pattern },
		"flags":      func(v Value) Value { return int64(v.(*regex).flags) },
		"groups":     func(v Value) Value { return int64(v.(*regex).groups) },
		"groupindex": func(v Value) Value { return v.(*regex).groupIndex() },
	}
	linkMatch()
}

func (re *regex) class() *Type          { return typePattern }
func (re *regex) hashKey() (any, error) { return re, nil }

func (re *regex) repr(p *printer) error {
	if err := p.text("re.compile("); err != nil {
		return err
	}
	if err := p.quote(re.pattern); err != nil {
		return err
	}
	return p.text(")")
}

func (re *regex) groupIndex() Value {
	d := NewDict()
	for _, name := range re.order {
		d.SetString(name, int64(re.names[name]))
	}
	return d
}

// pattern compiles a pattern, once for each evaluation.
func (ev *eval) pattern(v, flags Value) (*regex, error) {
	if re, ok := v.(*regex); ok {
		return re, nil
	}
	s, ok := v.(string)
	if !ok {
		return nil, raise(excTypeError, "first argument must be string or compiled pattern")
	}
	bits, err := argInt(flags, 0)
	if err != nil {
		return nil, err
	}
	key := regexKey{s, bits}
	if re := ev.regexes[key]; re != nil {
		return re, nil
	}
	if err := ev.growTimes(int64(len(s)), 64); err != nil {
		return nil, err
	}
	if err := ev.spend(len(s)); err != nil {
		return nil, err
	}
	re, err := compileRegex(s, int(bits))
	if err != nil {
		return nil, err
	}
	if ev.regexes == nil {
		ev.regexes = make(map[regexKey]*regex)
	}
	ev.regexes[key] = re
	return re, nil
}

type regexKey struct {
	pattern string
	flags   int64
}

// onPattern makes a function of the module out of a method: the flags, which
// come last, go to the pattern.
func onPattern(method func(*eval, []Value) (Value, error)) func(*eval, []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		last := len(a) - 1
		re, err := ev.pattern(a[0], a[last])
		if err != nil {
			return nil, err
		}
		args := []Value{re}
		args = append(args, a[1:last]...)
		return method(ev, append(args, absent, absent))
	}
}

func reEscape(ev *eval, a []Value) (Value, error) {
	s, err := argStr(a[0], "")
	if err != nil {
		return nil, err
	}
	if err := ev.grow(2 * len(s)); err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String(), nil
}

// A scan goes through the matches of a pattern in a text.
type scan struct {
	m    *machine
	text string
	pos  int
	done bool
}

func (ev *eval) scan(re *regex, text, pos, endpos Value) (*scan, error) {
	s, ok := text.(string)
	if !ok {
		return nil, raise(excTypeError, "expected string or bytes-like object, got '%s'", TypeName(text))
	}
	from := 0
	if given(pos) || given(endpos) {
		x, err := ev.indexed(s)
		if err != nil {
			return nil, err
		}
		low, high, err := argSpan(pos, endpos, x.n)
		if err != nil {
			return nil, err
		}
		from = x.offset(min(low, high))
		s = s[:x.offset(high)]
	}
	return &scan{m: re.machine(ev, s), text: s, pos: from}, nil
}

// next finds the next match, which begins where the last one ended; it may
// be empty only if the last was not.
func (s *scan) next() (*match, error) {
	if s.done {
		return nil, nil
	}
	ok, err := s.m.search(s.pos)
	if err != nil || !ok {
		s.done = true
		return nil, err
	}
	found, err := newMatch(s.m)
	if err != nil {
		return nil, err
	}
	start, end := found.spans[0], found.spans[1]
	s.pos, s.m.advance = end, -1
	if start == end {
		s.m.advance = end
	}
	return found, nil
}

func patternSearch(ev *eval, a []Value) (Value, error) {
	s, err := ev.scan(a[0].(*regex), a[1], a[2], a[3])
	if err != nil {
		return nil, err
	}
	return orNoMatch(s.next())
}

func orNoMatch(m *match, err error) (Value, error) {
	if err != nil || m == nil {
		return nil, err
	}
	return m, nil
}

func patternMatch(ev *eval, a []Value) (Value, error) { return anchored(ev, a, false) }

func patternFullMatch(ev *eval, a []Value) (Value, error) { return anchored(ev, a, true) }

func anchored(ev *eval, a []Value, full bool) (Value, error) {
	s, err := ev.scan(a[0].(*regex), a[1], a[2], a[3])
	if err != nil {
		return nil, err
	}
	s.m.full = full
	ok, err := s.m.match(s.pos)
	if err != nil || !ok {
		return nil, err
	}
	return orNoMatch(newMatch(s.m))
}

func patternFindAll(ev *eval, a []Value) (Value, error) {
	s, err := ev.scan(a[0].(*regex), a[1], a[2], a[3])
	if err != nil {
		return nil, err
	}
	list := NewList()
	for {
		m, err := s.next()
		if err != nil {
			return nil, err
		}
		if m == nil {
			return list, nil
		}
		var item Value
		switch m.re.groups {
		case 0, 1:
			item, _ = m.group(m.re.groups, "").(string)
		default:
			all := make(Tuple, m.re.groups)
			for i := range all {
				all[i] = m.group(i+1, "")
			}
			item = all
		}
		if err := ev.grow((1 + m.re.groups) * 2 * itemCost); err != nil {
			return nil, err
		}
		list.Append(item)
	}
}

func patternFindIter(ev *eval, a []Value) (Value, error) {
	s, err := ev.scan(a[0].(*regex), a[1], a[2], a[3])
	if err != nil {
		return nil, err
	}
	return newIter(typeIterator, nextFunc(func(ev *eval) (Value, bool, error) {
		s.m.ev = ev
		m, err := s.next()
		return m, m != nil, err
	})), nil
}

func patternSplit(ev *eval, a []Value) (Value, error) {
	limit, err := argInt(a[2], 0)
	if err != nil {
		return nil, err
	}
	s, err := ev.scan(a[0].(*regex), a[1], absent, absent)
	if err != nil {
		return nil, err
	}
	list := NewList()
	last := 0
	for n := int64(0); limit <= 0 || n < limit; n++ {
		m, err := s.next()
		if err != nil {
			return nil, err
		}
		if m == nil {
			break
		}
		if err := ev.grow((1 + m.re.groups) * 2 * itemCost); err != nil {
			return nil, err
		}
		list.Append(s.text[last:m.spans[0]])
		for i := range m.re.groups {
			list.Append(m.group(i+1, nil))
		}
		last = m.spans[1]
	}
	list.Append(s.text[last:])
	return list, nil
}

package expr

import (
	"slices"
	"strconv"
	"strings"
)

// A match is what a pattern found: positions of the whole and the groups in
// octets, -1 for groups that have not matched.
type match struct {
	re    *regex
	text  string
	spans []int
}

func newMatch(m *machine) (*match, error) {
	if err := m.ev.grow(8*len(m.saves) + 64); err != nil {
		return nil, err
	}
	return &match{re: m.re, text: m.text, spans: slices.Clone(m.saves)}, nil
}

func linkMatch() {
	typeMatch.methods = table(
		def("group", "*groups", matchGroup),
		def("groups", "default?", func(_ *eval, a []Value) (Value, error) {
			m := a[0].(*match)
			all := make(Tuple, m.re.groups)
			for i := range all {
				all[i] = m.group(i+1, orNone(a[1]))
			}
			return all, nil
		}),
		def("groupdict", "default?", func(_ *eval, a []Value) (Value, error) {
			m := a[0].(*match)
			d := NewDict()
			for _, name := range m.re.order {
				d.SetString(name, m.group(m.re.names[name], orNone(a[1])))
			}
			return d, nil
		}),
		def("start", "group? /", matchSpan(func(from, _ int) Value { return int64(from) })),
		def("end", "group? /", matchSpan(func(_, to int) Value { return int64(to) })),
		def("span", "group? /", matchSpan(func(from, to int) Value { return Tuple{int64(from), int64(to)} })),
		def("expand", "template", func(ev *eval, a []Value) (Value, error) {
			m := a[0].(*match)
			t, err := ev.template(m.re, a[1])
			if err != nil {
				return nil, err
			}
			return t(ev, m)
		}),
	)
	typeMatch.getters = map[string]func(Value) Value{
		"string": func(v Value) Value { return v.(*match).text },
		"re":     func(v Value) Value { return v.(*match).re },
		"pos":    func(Value) Value { return int64(0) },
		"endpos": func(v Value) Value { return int64(textLen(v.(*match).text)) },
		"lastindex": func(v Value) Value {
			if i := v.(*match).last(); i > 0 {
				return int64(i)
			}
			return nil
		},
		"lastgroup": func(v Value) Value {
			m := v.(*match)
			last := m.last()
			for name, i := range m.re.names {
				if i == last {
					return name
				}
			}
			return nil
		},
	}
}

func (m *match) class() *Type          { return typeMatch }
func (m *match) truth() bool           { return true }
func (m *match) hashKey() (any, error) { return m, nil }

func (m *match) repr(p *printer) error {
	from, to := m.span(0)
	if err := p.text("<re.Match object; span=(" + strconv.Itoa(from) + ", " + strconv.Itoa(to) + "), match="); err != nil {
		return err
	}
	if err := p.repr(m.group(0, nil)); err != nil {
		return err
	}
	return p.text(">")
}

func (m *match) item(_ *eval, key Value) (Value, error) {
	i, err := m.index(key)
	return m.group(i, nil), err
}

// last gives the group that was closed last, or -1.
func (m *match) last() int { return m.spans[len(m.spans)-1] }

// group gives the text of a group, def if it has not matched.
func (m *match) group(i int, def Value) Value {
	if m.spans[2*i] < 0 || m.spans[2*i+1] < 0 {
		return def
	}
	return m.text[m.spans[2*i]:m.spans[2*i+1]]
}

// span gives the positions of a group in characters.
func (m *match) span(i int) (from, to int) {
	if m.spans[2*i] < 0 || m.spans[2*i+1] < 0 {
		return -1, -1
	}
	from = textLen(m.text[:m.spans[2*i]])
	return from, from + textLen(m.text[m.spans[2*i]:m.spans[2*i+1]])
}

// index resolves a group by number or name.
func (m *match) index(v Value) (int, error) {
	if name, ok := v.(string); ok {
		if i, ok := m.re.names[name]; ok {
			return i, nil
		}
	}
	if i, ok := integer(v); ok && i >= 0 && i <= int64(m.re.groups) {
		return int(i), nil
	}
	return 0, raise(excIndexError, "no such group")
}

func matchGroup(_ *eval, a []Value) (Value, error) {
	m, groups := a[0].(*match), a[1].(Tuple)
	if len(groups) == 0 {
		return m.group(0, nil), nil
	}
	all := make(Tuple, len(groups))
	for i, g := range groups {
		n, err := m.index(g)
		if err != nil {
			return nil, err
		}
		all[i] = m.group(n, nil)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func matchSpan(of func(from, to int) Value) func(*eval, []Value) (Value, error) {
	return func(_ *eval, a []Value) (Value, error) {
		m, i := a[0].(*match), 0
		if given(a[1]) {
			var err error
			if i, err = m.index(a[1]); err != nil {
				return nil, err
			}
		}
		return of(m.span(i)), nil
	}
}

// A template gives the replacement for a match.
type template func(ev *eval, m *match) (Value, error)

// template compiles what sub puts in the place of a match: a function, or
// text with \1, \g<name> and escapes.
func (ev *eval) template(re *regex, repl Value) (template, error) {
	text, ok := repl.(string)
	if !ok {
		return func(ev *eval, m *match) (Value, error) { return ev.call(repl, m) }, nil
	}
	parts, err := parseTemplate(re, text)
	if err != nil {
		return nil, err
	}
	return func(ev *eval, m *match) (Value, error) {
		var b strings.Builder
		for _, p := range parts {
			s := p.text
			if p.group >= 0 {
				s, _ = m.group(p.group, "").(string)
			}
			if err := ev.grow(len(s)); err != nil {
				return nil, err
			}
			b.WriteString(s)
		}
		return b.String(), nil
	}, nil
}

type templatePart struct {
	text  string
	group int // -1 for text
}

func parseTemplate(re *regex, text string) (parts []templatePart, err error) {
	p := &regexParser{src: text}
	defer func() {
		if fault, ok := recover().(regexFault); ok {
			err = raise(excRegexError, "%s", string(fault))
		}
	}()
	for p.at < len(text) {
		if !p.accept(`\`) {
			end := strings.IndexByte(text[p.at:], '\\')
			if end < 0 {
				end = len(text) - p.at
			}
			parts = append(parts, templatePart{text[p.at : p.at+end], -1})
			p.at += end
			continue
		}
		parts = append(parts, p.templateEscape(re))
	}
	return parts, nil
}

func (p *regexParser) templateEscape(re *regex) templatePart {
	if p.at == len(p.src) {
		p.fail("bad escape (end of pattern)")
	}
	group := func(n int) templatePart {
		if n > re.groups {
			p.fail("invalid group reference " + strconv.Itoa(n))
		}
		return templatePart{group: n}
	}
	c := p.next()
	switch {
	case c == 'g':
		if !p.accept("<") {
			p.fail("missing <")
		}
		name := p.until(">")
		if i, ok := re.names[name]; ok {
			return group(i)
		}
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 {
			panic(regexFault("unknown group name '" + name + "'"))
		}
		return group(n)
	case '1' <= c && c <= '9':
		digits := string(c)
		if d := p.peek(); '0' <= d && d <= '9' {
			digits += string(p.next())
		}
		n, _ := strconv.Atoi(digits)
		return group(n)
	case c == 'x' || c == 'u' || c == 'U' || c == 'A' || c == 'Z':
		p.fail(`bad escape \` + string(c))
	}
	if strings.ContainsRune(`abfnrtv\0`, c) {
		if c == 'b' {
			return templatePart{"\b", -1}
		}
		return templatePart{string(p.escaped(c)), -1}
	}
	if c < 0x80 && digitValue(byte(c)) < 99 {
		p.fail(`bad escape \` + string(c))
	}
	return templatePart{`\` + string(c), -1}
}

func patternSub(ev *eval, a []Value) (Value, error) {
	s, _, err := ev.substitute(a)
	return s, err
}

func patternSubn(ev *eval, a []Value) (Value, error) {
	s, n, err := ev.substitute(a)
	return Tuple{s, n}, err
}

// substitute replaces the matches of a[0] in a[2] by a[1], at most a[3].
func (ev *eval) substitute(a []Value) (string, int64, error) {
	re := a[0].(*regex)
	limit, err := argInt(a[3], 0)
	if err != nil {
		return "", 0, err
	}
	repl, err := ev.template(re, a[1])
	if err != nil {
		return "", 0, err
	}
	s, err := ev.scan(re, a[2], absent, absent)
	if err != nil {
		return "", 0, err
	}
	var b strings.Builder
	n, last := int64(0), 0
	for limit <= 0 || n < limit {
		m, err := s.next()
		if err != nil {
			return "", 0, err
		}
		if m == nil {
			break
		}
		v, err := repl(ev, m)
		if err != nil {
			return "", 0, err
		}
		put, ok := v.(string)
		if !ok && v != nil {
			return "", 0, raise(excTypeError, "expected str instance, %s found", TypeName(v))
		}
		before := s.text[last:m.spans[0]]
		if err := ev.grow(len(before) + len(put)); err != nil {
			return "", 0, err
		}
		b.WriteString(before)
		b.WriteString(put)
		last = m.spans[1]
		n++
	}
	if err := ev.grow(len(s.text) - last); err != nil {
		return "", 0, err
	}
	b.WriteString(s.text[last:])
	return b.String(), n, nil
}

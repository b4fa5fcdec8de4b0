package expr

import (
	"html"
	"strings"
	"unicode"
)

func stringModule() *Module {
	const (
		lowercase   = "abcdefghijklmnopqrstuvwxyz"
		uppercase   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		digits      = "0123456789"
		punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
		whitespace  = " \t\n\r\v\f"
	)
	names := map[string]Value{
		"ascii_lowercase": lowercase, "ascii_uppercase": uppercase, "ascii_letters": lowercase + uppercase,
		"digits": digits, "hexdigits": digits + "abcdefABCDEF", "octdigits": "01234567",
		"punctuation": punctuation, "whitespace": whitespace,
		"printable": digits + lowercase + uppercase + punctuation + whitespace,
		"capwords":  newBuiltin("capwords", "s sep?", stringCapwords),
	}
	return &Module{name: "string", names: names}
}

func stringCapwords(ev *eval, a []Value) (Value, error) {
	words, err := strSplit(ev, []Value{a[0], a[1], absent})
	if err != nil {
		return nil, err
	}
	list := words.(*List)
	for i, w := range list.items {
		list.items[i] = capitalize(w.(string))
	}
	sep := a[1]
	if isNone(sep) {
		sep = " "
	}
	return strJoin(ev, []Value{sep, list})
}

func htmlModule() *Module {
	return &Module{name: "html", names: values(
		newBuiltin("escape", "s quote?", func(ev *eval, a []Value) (Value, error) {
			s, err := argStr(a[0], "")
			if err != nil {
				return nil, err
			}
			if err := ev.growTimes(int64(len(s)), 6); err != nil {
				return nil, err
			}
			s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
			if !given(a[1]) || Truth(a[1]) {
				s = strings.NewReplacer(`"`, "&quot;", "'", "&#x27;").Replace(s)
			}
			return s, nil
		}),
		text1("unescape", html.UnescapeString),
	)}
}

func textwrapModule() *Module {
	return &Module{name: "textwrap", names: values(
		text1("dedent", dedent),
		newBuiltin("indent", "text prefix predicate?", textIndent),
		newBuiltin("wrap", "text width? * initial_indent? subsequent_indent? break_long_words? max_lines? placeholder?", func(ev *eval, a []Value) (Value, error) {
			lines, err := ev.wrap(a)
			if err != nil {
				return nil, err
			}
			return ev.parts(lines)
		}),
		newBuiltin("fill", "text width? * initial_indent? subsequent_indent? break_long_words? max_lines? placeholder?", func(ev *eval, a []Value) (Value, error) {
			lines, err := ev.wrap(a)
			return strings.Join(lines, "\n"), err
		}),
		newBuiltin("shorten", "text width * placeholder?", textShorten),
	)}
}

// dedent removes the white space that all lines begin with.
func dedent(s string) string {
	lines := strings.Split(s, "\n")
	margin, first := "", true
	for i, line := range lines {
		text := strings.TrimLeft(line, " \t")
		if text == "" {
			lines[i] = ""
			continue
		}
		lead := line[:len(line)-len(text)]
		if first {
			margin, first = lead, false
			continue
		}
		n := 0
		for n < len(margin) && n < len(lead) && margin[n] == lead[n] {
			n++
		}
		margin = margin[:n]
	}
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, margin)
	}
	return strings.Join(lines, "\n")
}

func textIndent(ev *eval, a []Value) (Value, error) {
	s, err := argStr(a[0], "")
	if err != nil {
		return nil, err
	}
	prefix, err := argStr(a[1], "")
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for line := range strings.SplitAfterSeq(s, "\n") {
		wanted := strings.TrimSpace(line) != ""
		if !isNone(a[2]) {
			v, err := ev.call(a[2], line)
			if err != nil {
				return nil, err
			}
			wanted = Truth(v) && line != ""
		}
		if err := ev.grow(len(prefix) + len(line)); err != nil {
			return nil, err
		}
		if wanted {
			b.WriteString(prefix)
		}
		b.WriteString(line)
	}
	return b.String(), nil
}

func textShorten(ev *eval, a []Value) (Value, error) {
	words, err := strSplit(ev, []Value{a[0], absent, absent})
	if err != nil {
		return nil, err
	}
	text, err := strJoin(ev, []Value{" ", words})
	if err != nil {
		return nil, err
	}
	lines, err := ev.wrap([]Value{text, a[1], absent, absent, absent, int64(1), a[2]})
	return strings.Join(lines, "\n"), err
}

// chunks cuts text where a line may end: at white space and after hyphens
// within words.
func chunks(s string) []string {
	var out []string
	start := 0
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case i == 0:
		case isSpace(r) != isSpace(runes[i-1]),
			runes[i-1] == '-' && i >= 2 && unicode.IsLetter(runes[i-2]) && unicode.IsLetter(r):
			out = append(out, string(runes[start:i]))
			start = i
		}
	}
	if start < len(runes) {
		out = append(out, string(runes[start:]))
	}
	return out
}

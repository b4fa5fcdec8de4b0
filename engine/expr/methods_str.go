package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

func strMethods() map[string]*Builtin {
	return table(
		def("upper", "/", textFunc(upper)),
		def("lower", "/", textFunc(lower)),
		def("title", "/", textFunc(title)),
		def("capitalize", "/", textFunc(capitalize)),
		def("swapcase", "/", textFunc(swapcase)),
		def("casefold", "/", textFunc(casefold)),

		def("isalpha", "/", allRunes(unicode.IsLetter)),
		def("isdigit", "/", allRunes(isDigitRune)),
		def("isdecimal", "/", allRunes(isDecimalRune)),
		def("isnumeric", "/", allRunes(isNumericRune)),
		def("isalnum", "/", allRunes(isAlnumRune)),
		def("isspace", "/", allRunes(isSpace)),
		def("isprintable", "/", strIsPrintable),
		def("isascii", "/", textTest(isASCII)),
		def("isidentifier", "/", textTest(isIdentifier)),
		def("isupper", "/", textTest(isUpperText)),
		def("islower", "/", textTest(isLowerText)),
		def("istitle", "/", textTest(isTitleText)),

		def("strip", "chars? /", strStrip(true, true)),
		def("lstrip", "chars? /", strStrip(true, false)),
		def("rstrip", "chars? /", strStrip(false, true)),
		def("removeprefix", "prefix /", strRemovePrefix),
		def("removesuffix", "suffix /", strRemoveSuffix),

		def("center", "width fill? /", strPad('^')),
		def("ljust", "width fill? /", strPad('<')),
		def("rjust", "width fill? /", strPad('>')),
		def("zfill", "width /", strZfill),
		def("expandtabs", "tabsize?", strExpandTabs),

		def("split", "sep? maxsplit?", strSplit),
		def("rsplit", "sep? maxsplit?", strRsplit),
		def("splitlines", "keepends?", strSplitLines),
		def("partition", "sep /", strPartition),
		def("rpartition", "sep /", strRpartition),
		def("join", "iterable /", strJoin),

		def("find", "sub start? end? /", strFind(strings.Index, false)),
		def("rfind", "sub start? end? /", strFind(strings.LastIndex, false)),
		def("index", "sub start? end? /", strFind(strings.Index, true)),
		def("rindex", "sub start? end? /", strFind(strings.LastIndex, true)),
		def("count", "sub start? end? /", strCount),
		def("startswith", "prefix start? end? /", strAffix(strings.HasPrefix, "startswith")),
		def("endswith", "suffix start? end? /", strAffix(strings.HasSuffix, "endswith")),
		def("replace", "old new / count?", strReplace),
		def("translate", "table /", strTranslate),

		def("format", "*args **kwargs", strFormat),
		def("format_map", "mapping /", strFormatMap),
		def("encode", "encoding? errors?", strEncode),
	)
}

// textFunc makes a method of a function on text, which may give up to three
// times as much.
func textFunc(f func(string) string) func(*eval, []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		s := a[0].(string)
		if err := ev.grow(len(s)); err != nil {
			return nil, err
		}
		if err := ev.spend(len(s) / 64); err != nil {
			return nil, err
		}
		return f(s), nil
	}
}

func textTest(f func(string) bool) func(*eval, []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		s := a[0].(string)
		return f(s), ev.spend(len(s) / 64)
	}
}

// allRunes makes a test that text is not empty and all its characters pass.
func allRunes(f func(rune) bool) func(*eval, []Value) (Value, error) {
	return textTest(func(s string) bool {
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !f(r) }) < 0
	})
}

func strIsPrintable(ev *eval, a []Value) (Value, error) {
	s := a[0].(string)
	ok := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	return ok, ev.spend(len(s) / 64)
}

func isIdentifier(s string) bool {
	return s != "" && isNameStart(s) && strings.IndexFunc(s, func(r rune) bool { return !isNameRune(r) }) < 0
}

func isUpperText(s string) bool {
	cased := false
	for _, r := range s {
		if isLowerRune(r) || unicode.IsTitle(r) {
			return false
		}
		cased = cased || isUpperRune(r)
	}
	return cased
}

func isLowerText(s string) bool {
	cased := false
	for _, r := range s {
		if isUpperRune(r) || unicode.IsTitle(r) {
			return false
		}
		cased = cased || isLowerRune(r)
	}
	return cased
}

func isTitleText(s string) bool {
	cased, inWord := false, false
	for _, r := range s {
		switch {
		case isUpperRune(r) || unicode.IsTitle(r):
			if inWord {
				return false
			}
			inWord, cased = true, true
		case isLowerRune(r):
			if !inWord {
				return false
			}
			cased = true
		default:
			inWord = false
		}
	}
	return cased
}

func strStrip(left, right bool) func(*eval, []Value) (Value, error) {
	return func(_ *eval, a []Value) (Value, error) {
		s := a[0].(string)
		cut := isSpace
		if !isNone(a[1]) {
			chars, ok := a[1].(string)
			if !ok {
				return nil, raise(excTypeError, "strip arg must be None or str")
			}
			cut = func(r rune) bool { return strings.ContainsRune(chars, r) }
		}
		if left {
			s = strings.TrimLeftFunc(s, cut)
		}
		if right {
			s = strings.TrimRightFunc(s, cut)
		}
		return s, nil
	}
}

func strRemovePrefix(_ *eval, a []Value) (Value, error) {
	p, err := argStr(a[1], "")
	return strings.TrimPrefix(a[0].(string), p), err
}

func strRemoveSuffix(_ *eval, a []Value) (Value, error) {
	p, err := argStr(a[1], "")
	return strings.TrimSuffix(a[0].(string), p), err
}

func strPad(align byte) func(*eval, []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		s := a[0].(string)
		width, err := argInt(a[1], 0)
		if err != nil {
			return nil, err
		}
		fill, err := argStr(a[2], " ")
		if err != nil {
			return nil, err
		}
		if textLen(fill) != 1 {
			return nil, raise(excTypeError, "The fill character must be exactly one character long")
		}
		missing := width - int64(textLen(s))
		if missing <= 0 {
			return s, nil
		}
		if err := ev.growTimes(missing+int64(len(s)), len(fill)); err != nil {
			return nil, err
		}
		left := int64(0)
		switch align {
		case '>':
			left = missing
		case '^':
			left = missing/2 + missing&width&1 // as CPython rounds
		}
		return strings.Repeat(fill, int(left)) + s + strings.Repeat(fill, int(missing-left)), nil
	}
}

func strZfill(ev *eval, a []Value) (Value, error) {
	s := a[0].(string)
	width, err := argInt(a[1], 0)
	if err != nil {
		return nil, err
	}
	missing := width - int64(textLen(s))
	if missing <= 0 {
		return s, nil
	}
	if err := ev.growTimes(missing+int64(len(s)), 1); err != nil {
		return nil, err
	}
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = s[:1], s[1:]
	}
	return sign + strings.Repeat("0", int(missing)) + s, nil
}

func strExpandTabs(ev *eval, a []Value) (Value, error) {
	size, err := argInt(a[1], 8)
	if err != nil {
		return nil, err
	}
	s := a[0].(string)
	size = max(size, 0)
	if err := ev.growTimes(size, strings.Count(s, "\t")); err != nil {
		return nil, err
	}
	var b strings.Builder
	col := int64(0)
	for _, r := range s {
		switch r {
		case '\t':
			if size > 0 {
				n := size - col%size
				b.WriteString(strings.Repeat(" ", int(n)))
				col += n
			}
		case '\n', '\r':
			b.WriteRune(r)
			col = 0
		default:
			b.WriteRune(r)
			col++
		}
	}
	return b.String(), ev.grow(len(s))
}

func strFormat(ev *eval, a []Value) (Value, error) {
	s, err := ev.formatMethod(a[0].(string), a[1].(Tuple), a[2].(*Dict))
	return s, err
}

func strFormatMap(ev *eval, a []Value) (Value, error) {
	d, ok := a[1].(*Dict)
	if !ok {
		return nil, raise(excTypeError, "format_map() argument must be a mapping, not %s", TypeName(a[1]))
	}
	s, err := ev.formatMethod(a[0].(string), nil, d)
	return s, err
}

func strEncode(ev *eval, a []Value) (Value, error) {
	s := a[0].(string)
	if err := ev.grow(len(s)); err != nil {
		return nil, err
	}
	encoding, err := argStr(a[1], "utf-8")
	if err != nil {
		return nil, err
	}
	errors, err := argStr(a[2], "strict")
	if err != nil {
		return nil, err
	}
	limit, err := codecLimit(encoding)
	if err != nil || limit == 0 {
		return Bytes(s), err
	}
	var b []byte
	for _, r := range s {
		switch {
		case r < limit:
			b = append(b, byte(r))
		case errors == "ignore":
		case errors == "replace":
			b = append(b, '?')
		default:
			return nil, raise(excUnicodeEncodeError, "'%s' codec can't encode character '\\u%04x'", encoding, r)
		}
	}
	return Bytes(b), nil
}

// codecLimit gives the number of characters an encoding can write; zero for
// UTF-8, which writes all.
func codecLimit(encoding string) (rune, error) {
	switch strings.ReplaceAll(strings.ToLower(encoding), "_", "-") {
	case "utf-8", "utf8":
		return 0, nil
	case "ascii", "us-ascii":
		return utf8.RuneSelf, nil
	case "latin-1", "latin1", "iso-8859-1", "iso8859-1":
		return 0x100, nil
	}
	return 0, raise(excLookupError, "unknown encoding: %s", encoding)
}

package expr

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

func bytesMethods() map[string]*Builtin {
	return table(
		def("decode", "encoding? errors?", bytesDecode),
		def("hex", "/", func(ev *eval, a []Value) (Value, error) {
			b := a[0].(Bytes)
			if err := ev.grow(2 * len(b)); err != nil {
				return nil, err
			}
			return hex.EncodeToString([]byte(b)), nil
		}),
		onText("upper", "/", strings.ToUpper),
		onText("lower", "/", strings.ToLower),
		asText("strip", "chars? /", strStrip(true, true)),
		asText("lstrip", "chars? /", strStrip(true, false)),
		asText("rstrip", "chars? /", strStrip(false, true)),
		asText("split", "sep? maxsplit?", strSplit),
		asText("splitlines", "keepends?", strSplitLines),
		asText("partition", "sep /", strPartition),
		asText("replace", "old new / count?", strReplace),
		asText("removeprefix", "prefix /", strRemovePrefix),
		asText("removesuffix", "suffix /", strRemoveSuffix),
		asText("startswith", "prefix start? end? /", strAffix(strings.HasPrefix, "startswith")),
		asText("endswith", "suffix start? end? /", strAffix(strings.HasSuffix, "endswith")),
		asText("find", "sub start? end? /", strFind(strings.Index, false)),
		asText("count", "sub start? end? /", strCount),
		def("join", "iterable /", bytesJoin),
	)
}

func onText(name, signature string, f func(string) string) *Builtin {
	return asText(name, signature, textFunc(f))
}

// asText makes a method of bytes out of one of text: each octet becomes the
// character of its number and back, so that positions are the same.
func asText(name, signature string, f func(*eval, []Value) (Value, error)) *Builtin {
	return def(name, signature, func(ev *eval, a []Value) (Value, error) {
		args := make([]Value, len(a))
		for i, v := range a {
			if err := ev.grow(2 * widthOf(v)); err != nil {
				return nil, err
			}
			if s, ok := v.(string); ok {
				return nil, raise(excTypeError, "a bytes-like object is required, not '%s'", TypeName(s))
			}
			args[i] = latin(v)
		}
		v, err := f(ev, args)
		if err != nil {
			return nil, err
		}
		return unlatin(v), nil
	})
}

func widthOf(v Value) int {
	b, _ := v.(Bytes)
	return len(b)
}

// latin gives bytes as text of Latin-1, also within a tuple.
func latin(v Value) Value {
	switch v := v.(type) {
	case Bytes:
		if isASCII(string(v)) {
			return string(v)
		}
		b := make([]byte, 0, 2*len(v))
		for i := range len(v) {
			b = utf8.AppendRune(b, rune(v[i]))
		}
		return string(b)
	case Tuple:
		t := make(Tuple, len(v))
		for i := range v {
			t[i] = latin(v[i])
		}
		return t
	}
	return v
}

// unlatin reverses latin, also within a tuple or list.
func unlatin(v Value) Value {
	switch v := v.(type) {
	case string:
		b := make([]byte, 0, len(v))
		for _, r := range v {
			b = append(b, byte(r))
		}
		return Bytes(b)
	case Tuple:
		for i := range v {
			v[i] = unlatin(v[i])
		}
	case *List:
		for i := range v.items {
			v.items[i] = unlatin(v.items[i])
		}
	}
	return v
}

func bytesDecode(ev *eval, a []Value) (Value, error) {
	b := a[0].(Bytes)
	encoding, err := argStr(a[1], "utf-8")
	if err != nil {
		return nil, err
	}
	errors, err := argStr(a[2], "strict")
	if err != nil {
		return nil, err
	}
	limit, err := codecLimit(encoding)
	if err != nil {
		return nil, err
	}
	if err := ev.grow(3 * len(b)); err != nil {
		return nil, err
	}
	switch limit {
	case 0x100:
		return latin(b), nil
	case 0:
		if utf8.ValidString(string(b)) {
			return string(b), nil
		}
	}
	var out strings.Builder
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRuneInString(string(b[i:]))
		if limit != 0 && r >= limit || r == utf8.RuneError && n == 1 {
			switch errors {
			case "ignore":
			case "replace":
				out.WriteRune(utf8.RuneError)
			default:
				return nil, raise(excUnicodeDecodeError, "'%s' codec can't decode byte 0x%02x in position %d", encoding, b[i], i)
			}
			i++
			continue
		}
		out.WriteString(string(b[i : i+n]))
		i += n
	}
	return out.String(), nil
}

func bytesJoin(ev *eval, a []Value) (Value, error) {
	var parts []string
	err := ev.each(a[1], func(item Value) error {
		b, ok := item.(Bytes)
		if !ok {
			return raise(excTypeError, "sequence item %d: expected a bytes-like object, %s found", len(parts), TypeName(item))
		}
		parts = append(parts, string(b))
		return ev.grow(len(b) + widthOf(a[0]) + itemCost)
	})
	if err != nil {
		return nil, err
	}
	return Bytes(strings.Join(parts, string(a[0].(Bytes)))), nil
}

func makeBytes(ev *eval, a []Value) (Value, error) {
	switch x := a[0].(type) {
	case absentArg:
		return Bytes(""), nil
	case Bytes:
		return x, nil
	case string:
		if !given(a[1]) {
			return nil, raise(excTypeError, "string argument without an encoding")
		}
		return strEncode(ev, []Value{x, a[1], a[2]})
	case int64:
		if x < 0 {
			return nil, raise(excValueError, "negative count")
		}
		if err := ev.growTimes(x, 1); err != nil {
			return nil, err
		}
		return Bytes(make([]byte, x)), nil
	}
	var b []byte
	err := ev.each(a[0], func(item Value) error {
		n, err := argInt(item, 0)
		if err != nil {
			return err
		}
		if n < 0 || n > 255 {
			return raise(excValueError, "bytes must be in range(0, 256)")
		}
		b = append(b, byte(n))
		return ev.grow(1)
	})
	return Bytes(b), err
}

func bytesFromHex(ev *eval, a []Value) (Value, error) {
	s, err := argStr(a[0], "")
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		return nil, raise(excValueError, "non-hexadecimal number found in fromhex() arg")
	}
	return Bytes(b), ev.grow(len(b))
}

// bytesContain is `item in b`: an octet or a part.
func bytesContain(b Bytes, item Value) (bool, error) {
	if part, ok := item.(Bytes); ok {
		return strings.Contains(string(b), string(part)), nil
	}
	n, err := argInt(item, 0)
	if err != nil {
		return false, raise(excTypeError, "a bytes-like object is required, not '%s'", TypeName(item))
	}
	if n < 0 || n > 255 {
		return false, raise(excValueError, "byte must be in range(0, 256)")
	}
	return strings.IndexByte(string(b), byte(n)) >= 0, nil
}

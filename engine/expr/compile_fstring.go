package expr

import "strconv"

// fstring compiles an f-string to code that appends its parts.
func (c *compiler) fstring(x *fstringExpr) code {
	parts := c.fstringParts(x.parts)
	return func(fr *frame) (Value, error) {
		s, err := parts(fr)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

func (c *compiler) fstringParts(parts []fstringPart) func(fr *frame) (string, error) {
	type part struct {
		text string
		x    code
		conv byte
		spec func(fr *frame) (string, error)
	}
	compiled := make([]part, len(parts))
	for i, p := range parts {
		compiled[i] = part{text: p.text, conv: p.conv}
		if p.x == nil {
			continue
		}
		compiled[i].x = c.expr(p.x)
		if len(p.spec) > 0 {
			compiled[i].spec = c.fstringParts(p.spec)
		}
	}
	return func(fr *frame) (string, error) {
		var room [64]byte
		buf := room[:0]
		for i := range compiled {
			p := &compiled[i]
			if p.x == nil {
				buf = append(buf, p.text...)
				continue
			}
			v, err := p.x(fr)
			if err != nil {
				return "", err
			}
			if p.conv == 0 && p.spec == nil {
				if n, ok := v.(int64); ok {
					buf = strconv.AppendInt(buf, n, 10)
					continue
				}
			}
			s, err := fr.ev.formatField(fr, v, p.conv, p.spec)
			if err != nil {
				return "", err
			}
			if err := fr.ev.grow(len(s)); err != nil {
				return "", err
			}
			buf = append(buf, s...)
		}
		return string(buf), nil
	}
}

// formatField gives the text of one replacement field.
func (ev *eval) formatField(fr *frame, v Value, conv byte, spec func(fr *frame) (string, error)) (string, error) {
	v, err := ev.convert(v, conv)
	if err != nil {
		return "", err
	}
	if spec == nil {
		return ev.format(v, "")
	}
	text, err := spec(fr)
	if err != nil {
		return "", err
	}
	return ev.format(v, text)
}

// convert applies the `!s`, `!r` or `!a` of a field.
func (ev *eval) convert(v Value, conv byte) (Value, error) {
	switch conv {
	case 's':
		return ev.str(v)
	case 'r':
		return ev.repr(v)
	case 'a':
		s, err := ev.repr(v)
		return asciiText(s), err
	}
	return v, nil
}

package expr

import (
	"strconv"
	"strings"
)

// formatMethod is text.format(...): replacement fields in braces,
//
//	'{' [name {'.' attribute | '[' key ']'}] ['!' conv] [':' spec] '}'
//
// A spec may hold fields itself, one level deep.
func (ev *eval) formatMethod(format string, args Tuple, named *Dict) (string, error) {
	f := fields{ev: ev, args: args, named: named}
	return f.expand(format, 2)
}

type fields struct {
	ev     *eval
	args   Tuple
	named  *Dict
	auto   int // the next position of `{}`
	manual bool
}

func (f *fields) expand(s string, depth int) (string, error) {
	if depth == 0 {
		return "", raise(excValueError, "Max string recursion exceeded")
	}
	var b strings.Builder
	for {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			b.WriteString(s)
			return b.String(), f.ev.grow(b.Len())
		}
		b.WriteString(s[:i])
		if i+1 < len(s) && s[i+1] == s[i] {
			b.WriteByte(s[i])
			s = s[i+2:]
			continue
		}
		if s[i] == '}' {
			return "", raise(excValueError, "Single '}' encountered in format string")
		}
		s = s[i+1:]
		end := fieldEnd(s)
		if end < 0 {
			if s == "" {
				return "", raise(excValueError, "Single '{' encountered in format string")
			}
			return "", raise(excValueError, "expected '}' before end of string")
		}
		text, err := f.field(s[:end], depth)
		if err != nil {
			return "", err
		}
		if err := f.ev.grow(len(text)); err != nil {
			return "", err
		}
		b.WriteString(text)
		s = s[end+1:]
	}
}

// fieldEnd gives the place of the brace that closes a field. Within brackets
// braces do not count.
func fieldEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[':
			if j := strings.IndexByte(s[i:], ']'); j >= 0 && depth == 0 {
				i += j
			}
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return -1
}

func (f *fields) field(s string, depth int) (string, error) {
	name, spec := s, ""
	var conv byte
	if i := indexOutside(s, ":!"); i >= 0 {
		name = s[:i]
		if rest := s[i+1:]; s[i] == ':' {
			spec = rest
		} else {
			if rest == "" || strings.IndexByte("sra", rest[0]) < 0 {
				return "", raise(excValueError, "Unknown conversion specifier in format string")
			}
			conv = rest[0]
			if len(rest) > 1 {
				if rest[1] != ':' {
					return "", raise(excValueError, "expected ':' after conversion specifier")
				}
				spec = rest[2:]
			}
		}
	}
	v, err := f.lookup(name)
	if err != nil {
		return "", err
	}
	if strings.IndexByte(spec, '{') >= 0 {
		if spec, err = f.expand(spec, depth-1); err != nil {
			return "", err
		}
	}
	if v, err = f.ev.convert(v, conv); err != nil {
		return "", err
	}
	return f.ev.format(v, spec)
}

// indexOutside finds one of the characters outside brackets.
func indexOutside(s, chars string) int {
	for i := 0; i < len(s); i++ {
		if s[i] == '[' {
			if j := strings.IndexByte(s[i:], ']'); j >= 0 {
				i += j
				continue
			}
		}
		if strings.IndexByte(chars, s[i]) >= 0 {
			return i
		}
	}
	return -1
}

// lookup resolves the name of a field with the attributes and keys after it.
func (f *fields) lookup(path string) (Value, error) {
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	v, err := f.argument(path[:end])
	if err != nil {
		return nil, err
	}
	for rest := path[end:]; rest != ""; {
		if err := f.ev.step(); err != nil {
			return nil, err
		}
		if rest[0] == '.' {
			rest = rest[1:]
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, raise(excValueError, "Empty attribute in format string")
			}
			v, err = getAttr(v, rest[:end])
			rest = rest[end:]
		} else {
			end := strings.IndexByte(rest, ']')
			if rest[0] != '[' || end < 2 {
				return nil, raise(excValueError, "Missing ']' in format string")
			}
			v, err = f.ev.item(v, fieldKey(rest[1:end]))
			rest = rest[end+1:]
			if rest != "" && rest[0] != '.' && rest[0] != '[' {
				return nil, raise(excValueError, "Only '.' or '[' may follow ']' in format field specifier")
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

// fieldKey gives a key as a number if it is all digits.
func fieldKey(s string) Value {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return s
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	return s
}

func (f *fields) argument(name string) (Value, error) {
	i := f.auto
	if name == "" {
		if f.manual {
			return nil, raise(excValueError, "cannot switch from manual field specification to automatic field numbering")
		}
		f.auto++
	} else {
		n, ok := fieldKey(name).(int64)
		if !ok {
			if f.named != nil {
				if v, ok := f.named.GetString(name); ok {
					return v, nil
				}
				if f.named.factory != nil {
					return f.ev.missingItem(f.named, name)
				}
			}
			return nil, raiseKeyError(name)
		}
		if f.auto > 0 {
			return nil, raise(excValueError, "cannot switch from automatic field numbering to manual field specification")
		}
		f.manual = true
		i = int(min(n, 1<<30))
	}
	if i >= len(f.args) {
		return nil, raise(excIndexError, "Replacement index %d out of range for positional args tuple", i)
	}
	return f.args[i], nil
}

package expr

import (
	"math"
	"strings"
	"unicode/utf8"
)

// separator takes the arguments of split: the separator, "" for white space,
// and how often to cut, -1 for no bound.
func separator(a []Value) (sep string, limit int, err error) {
	if !isNone(a[1]) {
		if sep, err = argStr(a[1], ""); err != nil {
			return "", 0, err
		}
		if sep == "" {
			return "", 0, raise(excValueError, "empty separator")
		}
	}
	n, err := argInt(a[2], -1)
	if n < 0 || n > math.MaxInt32 {
		n = -1
	}
	return sep, int(n), err
}

// parts makes a list of pieces of text.
func (ev *eval) parts(parts []string) (Value, error) {
	if err := ev.grow(len(parts) * 2 * itemCost); err != nil {
		return nil, err
	}
	if err := ev.spend(len(parts)); err != nil {
		return nil, err
	}
	items := make([]Value, len(parts))
	for i, p := range parts {
		items[i] = p
	}
	return NewList(items...), nil
}

func strSplit(ev *eval, a []Value) (Value, error) {
	s := a[0].(string)
	sep, limit, err := separator(a)
	if err != nil {
		return nil, err
	}
	if sep != "" {
		if err := ev.grow(strings.Count(s, sep) * itemCost); err != nil {
			return nil, err
		}
		if limit >= 0 {
			limit++
		}
		return ev.parts(strings.SplitN(s, sep, limit))
	}
	var parts []string
	s = strings.TrimLeftFunc(s, isSpace)
	for s != "" {
		end := strings.IndexFunc(s, isSpace)
		if end < 0 || limit == len(parts) {
			if limit != len(parts) {
				end = len(s)
			} else {
				end = len(strings.TrimRightFunc(s, isSpace))
			}
			parts = append(parts, s[:end])
			break
		}
		if err := ev.grow(itemCost); err != nil {
			return nil, err
		}
		parts = append(parts, s[:end])
		s = strings.TrimLeftFunc(s[end:], isSpace)
	}
	return ev.parts(parts)
}

func strRsplit(ev *eval, a []Value) (Value, error) {
	s := a[0].(string)
	sep, limit, err := separator(a)
	if err != nil {
		return nil, err
	}
	var parts []string
	if sep == "" {
		s = strings.TrimRightFunc(s, isSpace)
	}
	for limit != len(parts) {
		i, n := strings.LastIndex(s, sep), len(sep)
		if sep == "" {
			i = strings.LastIndexFunc(s, isSpace)
			_, n = utf8.DecodeRuneInString(s[max(i, 0):])
		}
		if i < 0 {
			break
		}
		if err := ev.grow(itemCost); err != nil {
			return nil, err
		}
		parts = append(parts, s[i+n:])
		s = s[:i]
		if sep == "" {
			s = strings.TrimRightFunc(s, isSpace)
		}
	}
	if sep == "" {
		s = strings.TrimLeftFunc(s, isSpace)
	}
	if sep != "" || s != "" {
		parts = append(parts, s)
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return ev.parts(parts)
}

func strSplitLines(ev *eval, a []Value) (Value, error) {
	s := a[0].(string)
	keep := given(a[1]) && Truth(a[1])
	var parts []string
	for s != "" {
		if err := ev.grow(itemCost); err != nil {
			return nil, err
		}
		i := strings.IndexFunc(s, isLineEnd)
		if i < 0 {
			parts = append(parts, s)
			break
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		if keep {
			parts = append(parts, s[:i+n])
		} else {
			parts = append(parts, s[:i])
		}
		s = s[i+n:]
	}
	return ev.parts(parts)
}

func strPartition(_ *eval, a []Value) (Value, error) {
	s := a[0].(string)
	sep, err := argStr(a[1], "")
	if err == nil && sep == "" {
		err = raise(excValueError, "empty separator")
	}
	if err != nil {
		return nil, err
	}
	before, after, found := strings.Cut(s, sep)
	if !found {
		sep = ""
	}
	return Tuple{before, sep, after}, nil
}

func strRpartition(_ *eval, a []Value) (Value, error) {
	s := a[0].(string)
	sep, err := argStr(a[1], "")
	if err == nil && sep == "" {
		err = raise(excValueError, "empty separator")
	}
	if err != nil {
		return nil, err
	}
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return Tuple{"", "", s}, nil
	}
	return Tuple{s[:i], sep, s[i+len(sep):]}, nil
}

func strJoin(ev *eval, a []Value) (Value, error) {
	sep := a[0].(string)
	var b strings.Builder
	i := 0
	err := ev.each(a[1], func(item Value) error {
		s, ok := item.(string)
		if !ok {
			return raise(excTypeError, "sequence item %d: expected str instance, %s found", i, TypeName(item))
		}
		if i > 0 {
			if err := ev.grow(len(sep)); err != nil {
				return err
			}
			b.WriteString(sep)
		}
		i++
		if err := ev.grow(len(s)); err != nil {
			return err
		}
		b.WriteString(s)
		return nil
	})
	return b.String(), err
}

// within gives the part of text between two optional positions, and the
// octet offset of its start; ok is false if the start is beyond the end.
func (ev *eval) within(s string, start, end Value) (part string, offset int, ok bool, err error) {
	if isNone(start) && isNone(end) {
		return s, 0, true, nil
	}
	x, err := ev.indexed(s)
	if err != nil {
		return "", 0, false, err
	}
	from, to, err := argSpan(start, end, x.n)
	if err != nil || from > to {
		return "", 0, false, err
	}
	low := x.offset(from)
	return s[low:x.offset(to)], low, true, nil
}

func strFind(find func(s, sub string) int, must bool) func(*eval, []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		s := a[0].(string)
		sub, err := argStr(a[1], "")
		if err != nil {
			return nil, err
		}
		if err := ev.spend(len(s) / 64); err != nil {
			return nil, err
		}
		part, offset, ok, err := ev.within(s, a[2], a[3])
		if err != nil {
			return nil, err
		}
		if ok {
			if i := find(part, sub); i >= 0 {
				return int64(textLen(s[:offset+i])), nil
			}
		}
		if must {
			return nil, raise(excValueError, "substring not found")
		}
		return int64(-1), nil
	}
}

func strCount(ev *eval, a []Value) (Value, error) {
	s := a[0].(string)
	sub, err := argStr(a[1], "")
	if err != nil {
		return nil, err
	}
	part, _, ok, err := ev.within(s, a[2], a[3])
	if err != nil || !ok {
		return int64(0), err
	}
	return int64(strings.Count(part, sub)), ev.spend(len(s) / 64)
}

func strAffix(has func(s, affix string) bool, name string) func(*eval, []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		part, _, ok, err := ev.within(a[0].(string), a[2], a[3])
		if err != nil {
			return nil, err
		}
		affixes, isTuple := a[1].(Tuple)
		if !isTuple {
			affixes = Tuple{a[1]}
		}
		for _, v := range affixes {
			affix, isText := v.(string)
			if !isText {
				return nil, raise(excTypeError, "%s first arg must be str or a tuple of str, not %s", name, TypeName(v))
			}
			if ok && has(part, affix) {
				return true, nil
			}
		}
		return false, nil
	}
}

func strReplace(ev *eval, a []Value) (Value, error) {
	s := a[0].(string)
	from, err := argStr(a[1], "")
	if err != nil {
		return nil, err
	}
	to, err := argStr(a[2], "")
	if err != nil {
		return nil, err
	}
	limit, err := argInt(a[3], -1)
	if err != nil {
		return nil, err
	}
	n := int64(strings.Count(s, from))
	if limit < 0 || limit > n {
		limit = n
	}
	if err := ev.spend(len(s) / 64); err != nil {
		return nil, err
	}
	if err := ev.growTimes(limit, max(len(to)-len(from), 0)); err != nil {
		return nil, err
	}
	if err := ev.grow(len(s)); err != nil {
		return nil, err
	}
	return strings.Replace(s, from, to, int(limit)), nil
}

// strTranslate maps characters by their number: to a number, to text, or to
// nothing.
func strTranslate(ev *eval, a []Value) (Value, error) {
	d, ok := a[1].(*Dict)
	if !ok {
		return nil, raise(excTypeError, "translate() wants a dictionary, not %s", TypeName(a[1]))
	}
	var b strings.Builder
	for _, r := range a[0].(string) {
		if err := ev.step(); err != nil {
			return nil, err
		}
		v, found := d.Get(int64(r))
		piece := string(r)
		if found {
			switch v := v.(type) {
			case nil:
				continue
			case string:
				piece = v
			case int64:
				piece = string(rune(v))
			default:
				return nil, raise(excTypeError, "character mapping must return integer, None or str")
			}
		}
		if err := ev.grow(len(piece)); err != nil {
			return nil, err
		}
		b.WriteString(piece)
	}
	return b.String(), nil
}

func strMaketrans(ev *eval, a []Value) (Value, error) {
	d := NewDict()
	if !given(a[1]) {
		from, ok := a[0].(*Dict)
		if !ok {
			return nil, raise(excTypeError, "if you give only one argument to maketrans it must be a dict")
		}
		for k, v := range from.All() {
			if s, ok := k.(string); ok {
				if textLen(s) != 1 {
					return nil, raise(excValueError, "string keys in translate table must be of length 1")
				}
				r, _ := utf8.DecodeRuneInString(s)
				k = int64(r)
			}
			if err := d.Set(k, v); err != nil {
				return nil, err
			}
		}
		return d, ev.grow(d.live * entryCost)
	}
	x, err := argStr(a[0], "")
	if err != nil {
		return nil, err
	}
	y, err := argStr(a[1], "")
	if err != nil {
		return nil, err
	}
	z, err := argStr(a[2], "")
	if err != nil {
		return nil, err
	}
	if err := ev.grow((len(x) + len(z)) * entryCost); err != nil {
		return nil, err
	}
	to := []rune(y)
	if len(to) != textLen(x) {
		return nil, raise(excValueError, "the first two maketrans arguments must have equal length")
	}
	i := 0
	for _, r := range x {
		_ = d.Set(int64(r), int64(to[i])) // integers can be hashed
		i++
	}
	for _, r := range z {
		_ = d.Set(int64(r), nil) // integers can be hashed
	}
	return d, nil
}

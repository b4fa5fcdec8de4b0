package expr

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

func urllibParseModule() *Module {
	return &Module{name: "urllib.parse", names: values(
		newBuiltin("quote", "string safe? encoding? errors?", func(ev *eval, a []Value) (Value, error) {
			return ev.quoteURL(a[0], a[1], "/", false)
		}),
		newBuiltin("quote_plus", "string safe? encoding? errors?", func(ev *eval, a []Value) (Value, error) {
			return ev.quoteURL(a[0], a[1], "", true)
		}),
		newBuiltin("unquote", "string encoding? errors?", func(_ *eval, a []Value) (Value, error) {
			s, err := argStr(a[0], "")
			return unquote(s), err
		}),
		newBuiltin("unquote_plus", "string encoding? errors?", func(_ *eval, a []Value) (Value, error) {
			s, err := argStr(a[0], "")
			return unquote(strings.ReplaceAll(s, "+", " ")), err
		}),
		newBuiltin("urlencode", "query doseq? safe? encoding? errors? quote_via?", urlEncode),
		newBuiltin("parse_qsl", "qs keep_blank_values?", parseQueryList),
		newBuiltin("parse_qs", "qs keep_blank_values?", parseQuery),
		newBuiltin("urlparse", "url scheme? allow_fragments?", func(_ *eval, a []Value) (Value, error) { return splitURL(a, true) }),
		newBuiltin("urlsplit", "url scheme? allow_fragments?", func(_ *eval, a []Value) (Value, error) { return splitURL(a, false) }),
		newBuiltin("urlunparse", "components", joinURL),
		newBuiltin("urlunsplit", "components", joinURL),
		newBuiltin("urljoin", "base url allow_fragments?", resolveURL),
	)}
}

// quoteURL replaces octets that are not letters, digits, `_.-~` or safe.
func (ev *eval) quoteURL(v, safe Value, def string, plus bool) (Value, error) {
	s, ok := v.(string)
	if b, isBytes := v.(Bytes); isBytes {
		s, ok = string(b), true
	}
	if !ok {
		return nil, raise(excTypeError, "quote_from_bytes() expected bytes")
	}
	keep, err := argStr(safe, def)
	if err != nil {
		return nil, err
	}
	if err := ev.grow(3 * len(s)); err != nil {
		return nil, err
	}
	return quoteText(s, keep, plus), nil
}

func quoteText(s, keep string, plus bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ' && plus:
			b.WriteByte('+')
		case c < utf8.RuneSelf && (digitValue(c) < 99 || strings.IndexByte("_.-~", c) >= 0 || strings.IndexByte(keep, c) >= 0):
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	return b.String()
}

// unquote leaves what is no escape; octets that are no text become U+FFFD.
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && digitValue(s[i+1]) < 16 && digitValue(s[i+2]) < 16 {
			b.WriteByte(byte(digitValue(s[i+1])<<4 | digitValue(s[i+2])))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return strings.ToValidUTF8(b.String(), "\ufffd")
}

func urlEncode(ev *eval, a []Value) (Value, error) {
	pairs := a[0]
	if d, ok := pairs.(*Dict); ok {
		pairs = &dictView{dict: d, kind: itemsOf}
	}
	doseq := given(a[1]) && Truth(a[1])
	safe, err := argStr(a[2], "")
	if err != nil {
		return nil, err
	}
	var parts []string
	add := func(key string, v Value) error {
		s, ok := v.(string)
		if b, isBytes := v.(Bytes); isBytes {
			s, ok = string(b), true
		}
		if !ok {
			if s, err = ev.str(v); err != nil {
				return err
			}
		}
		if err := ev.grow(3*(len(key)+len(s)) + itemCost); err != nil {
			return err
		}
		parts = append(parts, quoteText(key, safe, true)+"="+quoteText(s, safe, true))
		return nil
	}
	err = ev.each(pairs, func(item Value) error {
		pair, ok := sequence(item)
		if !ok || len(pair) != 2 {
			return raise(excTypeError, "not a valid non-string sequence or mapping object")
		}
		key, err := ev.str(pair[0])
		if err != nil {
			return err
		}
		if items, ok := sequence(pair[1]); ok && doseq {
			for _, v := range items {
				if err := add(key, v); err != nil {
					return err
				}
			}
			return nil
		}
		return add(key, pair[1])
	})
	return strings.Join(parts, "&"), err
}

func parseQueryList(ev *eval, a []Value) (Value, error) {
	s, err := argStr(a[0], "")
	if err != nil {
		return nil, err
	}
	list := NewList()
	for part := range strings.SplitSeq(s, "&") {
		if err := ev.grow(8 * itemCost); err != nil {
			return nil, err
		}
		key, val, _ := strings.Cut(part, "=")
		if val == "" && (part == "" || !given(a[1]) || !Truth(a[1])) {
			continue
		}
		space := strings.NewReplacer("+", " ")
		list.Append(Tuple{unquote(space.Replace(key)), unquote(space.Replace(val))})
	}
	return list, nil
}

func parseQuery(ev *eval, a []Value) (Value, error) {
	pairs, err := parseQueryList(ev, a)
	if err != nil {
		return nil, err
	}
	d := NewDict()
	for _, p := range pairs.(*List).items {
		key := p.(Tuple)[0].(string)
		have, ok := d.GetString(key)
		if !ok {
			have = NewList()
			d.SetString(key, have)
		}
		have.(*List).Append(p.(Tuple)[1])
	}
	return d, nil
}

var (
	typeParseResult = &Type{name: "ParseResult", base: typeNamed}
	typeSplitResult = &Type{name: "SplitResult", base: typeNamed}
)

// urlParts are the five parts of a URL; they are cut as Python does it,
// which accepts everything.
type urlParts struct {
	scheme, netloc, path, query, fragment string
}

func cutURL(s string) urlParts {
	var u urlParts
	s = strings.TrimSpace(s)
	if scheme, rest, ok := strings.Cut(s, ":"); ok && isScheme(scheme) {
		u.scheme, s = strings.ToLower(scheme), rest
	}
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		u.netloc, s = rest[:end], rest[end:]
	}
	s, u.fragment, _ = strings.Cut(s, "#")
	u.path, u.query, _ = strings.Cut(s, "?")
	return u
}

func isScheme(s string) bool {
	for i := range len(s) {
		if c := s[i]; digitValue(c) >= 99 && strings.IndexByte("+-.", c) < 0 {
			return false
		}
	}
	return s != "" && digitValue(s[0]) >= 10
}

func splitURL(a []Value, withParams bool) (Value, error) {
	s, err := argStr(a[0], "")
	if err != nil {
		return nil, err
	}
	u := cutURL(s)
	if u.scheme == "" {
		if u.scheme, err = argStr(a[1], ""); err != nil {
			return nil, err
		}
	}
	var params Value = ""
	if i := strings.IndexByte(u.path, ';'); withParams && i > strings.LastIndexByte(u.path, '/') {
		params, u.path = u.path[i+1:], u.path[:i]
	}
	n := &named{
		kind:  typeSplitResult,
		names: []string{"scheme", "netloc", "path", "query", "fragment"},
		items: Tuple{u.scheme, u.netloc, u.path, u.query, u.fragment},
	}
	if withParams {
		n = &named{
			kind:  typeParseResult,
			names: []string{"scheme", "netloc", "path", "params", "query", "fragment"},
			items: Tuple{u.scheme, u.netloc, u.path, params, u.query, u.fragment},
		}
	}
	return n, nil
}

// netlocGetter makes an attribute out of a part of the network location.
func netlocGetter(get func(user *url.Userinfo, host, port string) Value) func(Value) Value {
	return func(v Value) Value {
		netloc, _ := v.(*named).items[1].(string)
		var user *url.Userinfo
		if i := strings.LastIndexByte(netloc, '@'); i >= 0 {
			name, password, hasPassword := strings.Cut(netloc[:i], ":")
			user = url.User(name)
			if hasPassword {
				user = url.UserPassword(name, password)
			}
			netloc = netloc[i+1:]
		}
		host, port := netloc, ""
		if i := strings.LastIndexByte(netloc, ':'); i > strings.LastIndexByte(netloc, ']') {
			host, port = netloc[:i], netloc[i+1:]
		}
		return get(user, strings.ToLower(strings.Trim(host, "[]")), port)
	}
}

func linkURL() {
	getters := map[string]func(Value) Value{
		"hostname": netlocGetter(func(_ *url.Userinfo, host, _ string) Value { return textOrNone(host) }),
		"port": netlocGetter(func(_ *url.Userinfo, _, port string) Value {
			n, err := detached().parseInt(port, 10)
			if err != nil {
				return nil
			}
			return n
		}),
		"username": netlocGetter(func(user *url.Userinfo, _, _ string) Value {
			if user == nil {
				return nil
			}
			return user.Username()
		}),
		"password": netlocGetter(func(user *url.Userinfo, _, _ string) Value {
			if password, ok := user.Password(); ok {
				return password
			}
			return nil
		}),
	}
	geturl := table(def("geturl", "/", joinURL))
	for _, t := range []*Type{typeParseResult, typeSplitResult} {
		t.getters, t.methods = getters, geturl
	}
}

func textOrNone(s string) Value {
	if s == "" {
		return nil
	}
	return s
}

func joinURL(ev *eval, a []Value) (Value, error) {
	items, err := ev.collect(a[0])
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(items))
	for i, v := range items {
		if parts[i], err = argStr(v, ""); err != nil {
			return nil, err
		}
	}
	switch len(parts) {
	case 6:
		if parts[3] != "" {
			parts[2] += ";" + parts[3]
		}
		parts = append(parts[:3], parts[4:]...)
	case 5:
	default:
		return nil, raise(excValueError, "a URL has five or six parts")
	}
	u := urlParts{parts[0], parts[1], parts[2], parts[3], parts[4]}
	return u.String(), nil
}

func (u urlParts) String() string {
	var b strings.Builder
	if u.scheme != "" {
		b.WriteString(u.scheme + ":")
	}
	if u.netloc != "" {
		b.WriteString("//" + u.netloc)
		if u.path != "" && u.path[0] != '/' {
			b.WriteByte('/')
		}
	}
	b.WriteString(u.path)
	if u.query != "" {
		b.WriteString("?" + u.query)
	}
	if u.fragment != "" {
		b.WriteString("#" + u.fragment)
	}
	return b.String()
}

func resolveURL(_ *eval, a []Value) (Value, error) {
	base, err := argStr(a[0], "")
	if err != nil {
		return nil, err
	}
	ref, err := argStr(a[1], "")
	if err != nil {
		return nil, err
	}
	b, err1 := url.Parse(base)
	r, err2 := url.Parse(ref)
	if err1 != nil || err2 != nil {
		return nil, raise(excValueError, "urljoin: not a URL")
	}
	if base == "" || ref == "" {
		return base + ref, nil
	}
	return b.ResolveReference(r).String(), nil
}

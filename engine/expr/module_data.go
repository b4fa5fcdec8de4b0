package expr

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

func copyModule() *Module {
	names := values(
		newBuiltin("copy", "x", copyShallow),
		newBuiltin("deepcopy", "x memo?", copyDeep),
	)
	return &Module{name: "copy", names: names}
}

func copyShallow(ev *eval, a []Value) (Value, error) {
	switch x := a[0].(type) {
	case *List:
		return listCopy(ev, a)
	case *Dict:
		return dictCopy(ev, a)
	case *Set:
		return setCopy(ev, []Value{x})
	}
	return a[0], nil
}

// copyDeep accounts for the copy as it goes along; the copier itself shares
// what is shared, so that it is never larger than the original.
func copyDeep(ev *eval, a []Value) (Value, error) {
	c := copier{account: func(n int) error {
		if err := ev.step(); err != nil {
			return err
		}
		return ev.grow(n)
	}}
	return c.all(a[0])
}

// base64Module encodes bytes as text of few characters.
func base64Module() *Module {
	std, url := base64.StdEncoding, base64.URLEncoding
	return &Module{name: "base64", names: values(
		encoder("b64encode", std.EncodeToString), decoder("b64decode", lenient(std)),
		encoder("standard_b64encode", std.EncodeToString), decoder("standard_b64decode", lenient(std)),
		encoder("urlsafe_b64encode", url.EncodeToString), decoder("urlsafe_b64decode", lenient(url)),
		encoder("b32encode", base32.StdEncoding.EncodeToString), decoder("b32decode", base32.StdEncoding.DecodeString),
		encoder("b16encode", func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }),
		decoder("b16decode", hex.DecodeString),
	)}
}

func encoder(name string, encode func([]byte) string) *Builtin {
	return newBuiltin(name, "s altchars?", func(ev *eval, a []Value) (Value, error) {
		b, ok := a[0].(Bytes)
		if !ok {
			return nil, raise(excTypeError, "a bytes-like object is required, not '%s'", TypeName(a[0]))
		}
		if err := ev.grow(2 * len(b)); err != nil {
			return nil, err
		}
		return Bytes(encode([]byte(b))), nil
	})
}

func decoder(name string, decode func(string) ([]byte, error)) *Builtin {
	return newBuiltin(name, "s altchars? validate?", func(ev *eval, a []Value) (Value, error) {
		s, ok := a[0].(string)
		if b, isBytes := a[0].(Bytes); isBytes {
			s, ok = string(b), true
		}
		if !ok {
			return nil, raise(excTypeError, "argument should be a bytes-like object or ASCII string, not '%s'", TypeName(a[0]))
		}
		if err := ev.grow(len(s)); err != nil {
			return nil, err
		}
		b, err := decode(s)
		if err != nil {
			return nil, raise(excValueError, "%s", err.Error())
		}
		return Bytes(b), nil
	})
}

// lenient decodes as Python does, which passes over what is not of the
// alphabet but wants the padding.
func lenient(enc *base64.Encoding) func(string) ([]byte, error) {
	return func(s string) ([]byte, error) {
		s = strings.Map(func(r rune) rune {
			switch {
			case r < 0x80 && digitValue(byte(r)) < 99, r == '=':
				return r
			case enc == base64.StdEncoding && (r == '+' || r == '/'), enc == base64.URLEncoding && (r == '-' || r == '_'):
				return r
			}
			return -1
		}, s)
		if i := strings.IndexByte(s, '='); i >= 0 && len(s) > (i+3)/4*4 {
			s = s[:(i+3)/4*4]
		}
		return enc.DecodeString(s)
	}
}

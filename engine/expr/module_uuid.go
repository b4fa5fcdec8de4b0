package expr

import (
	"crypto/rand"
	"encoding/hex"
	"math/big"
	"strings"
)

var typeUUID = &Type{name: "UUID"}

// A uuid is a UUID.
type uuid [16]byte

func (u uuid) class() *Type          { return typeUUID }
func (u uuid) hashKey() (any, error) { return u, nil }
func (u uuid) jsonText() string      { return u.String() }

func (u uuid) String() string {
	s := hex.EncodeToString(u[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func (u uuid) str(p *printer) error  { return p.text(u.String()) }
func (u uuid) repr(p *printer) error { return p.text("UUID('" + u.String() + "')") }

func (u uuid) equal(_ *walk, other Value) (bool, error) {
	o, ok := other.(uuid)
	return ok && o == u, nil
}

func (u uuid) order(other Value) (int, bool, error) {
	o, ok := other.(uuid)
	return strings.Compare(string(u[:]), string(o[:])), ok, nil
}

// mark sets the version and the variant.
func (u uuid) mark(version byte) uuid {
	u[6] = u[6]&0x0f | version<<4
	u[8] = u[8]&0x3f | 0x80
	return u
}

// The name spaces of RFC 9562.
func namespace(first byte) uuid {
	return uuid{0x6b, 0xa7, 0xb8, first, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
}

func uuidModule() *Module {
	names := values(
		newBuiltin("uuid4", "", func(*eval, []Value) (Value, error) {
			var u uuid             // not from random, whose seed may be fixed
			_, _ = rand.Read(u[:]) // it never fails
			return u.mark(4), nil
		}),
		newBuiltin("uuid3", "namespace name", uuidOfName("md5", 3)),
		newBuiltin("uuid5", "namespace name", uuidOfName("sha1", 5)),
	)
	names["UUID"] = typeUUID
	names["NAMESPACE_DNS"], names["NAMESPACE_URL"] = namespace(0x10), namespace(0x11)
	names["NAMESPACE_OID"], names["NAMESPACE_X500"] = namespace(0x12), namespace(0x14)
	return &Module{name: "uuid", names: names}
}

func uuidOfName(algorithm string, version byte) func(*eval, []Value) (Value, error) {
	return func(ev *eval, a []Value) (Value, error) {
		space, ok := a[0].(uuid)
		if !ok {
			return nil, raise(excTypeError, "the namespace must be a UUID, not %s", TypeName(a[0]))
		}
		name, err := argStr(a[1], "")
		if err != nil {
			return nil, err
		}
		if err := ev.spend(len(name) / 64); err != nil {
			return nil, err
		}
		var u uuid
		copy(u[:], hasherSum(algorithm, string(space[:])+name))
		return u.mark(version), nil
	}
}

func linkUUID() {
	typeUUID.make = newBuiltin("UUID", "hex? bytes? int?", func(_ *eval, a []Value) (Value, error) {
		var u uuid
		switch {
		case given(a[0]):
			s, err := argStr(a[0], "")
			if err != nil {
				return nil, err
			}
			s = strings.NewReplacer("urn:", "", "uuid:", "", "-", "", "{", "", "}", "").Replace(s)
			if b, err := hex.DecodeString(s); err == nil && len(b) == len(u) {
				copy(u[:], b)
				return u, nil
			}
			return nil, raise(excValueError, "badly formed hexadecimal UUID string")
		case given(a[1]):
			b, ok := a[1].(Bytes)
			if !ok || len(b) != len(u) {
				return nil, raise(excValueError, "bytes is not a 16-char string")
			}
			copy(u[:], b)
			return u, nil
		case given(a[2]) && isNumber(a[2]):
			n := toBig(a[2])
			if n.Sign() < 0 || n.BitLen() > 128 {
				return nil, raise(excValueError, "int is out of range (need a 128-bit value)")
			}
			n.FillBytes(u[:])
			return u, nil
		}
		return nil, raise(excTypeError, "one of the hex, bytes or int arguments must be given")
	})
	typeUUID.getters = map[string]func(Value) Value{
		"hex":   func(v Value) Value { u := v.(uuid); return hex.EncodeToString(u[:]) },
		"bytes": func(v Value) Value { u := v.(uuid); return Bytes(u[:]) },
		"int":   func(v Value) Value { u := v.(uuid); return normInt(new(big.Int).SetBytes(u[:])) },
		"version": func(v Value) Value {
			u := v.(uuid)
			if u[8]>>6 != 2 { // of another variant
				return nil
			}
			return int64(u[6] >> 4)
		},
		"urn": func(v Value) Value { return "urn:uuid:" + v.(uuid).String() },
	}
}

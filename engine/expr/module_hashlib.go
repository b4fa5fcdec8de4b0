package expr

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/hex"
	"hash"
)

// hashes lists the algorithms of hashlib.
var hashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New,
	"sha384": sha512.New384, "sha512": sha512.New,
	"sha3_256": func() hash.Hash { return sha3.New256() }, "sha3_512": func() hash.Hash { return sha3.New512() },
}

var typeHash = &Type{name: "HASH"}

// A hasher keeps the data it was given, since a digest may be asked for at
// any time.
type hasher struct {
	name string
	data []byte
}

func (h *hasher) class() *Type          { return typeHash }
func (h *hasher) hashKey() (any, error) { return h, nil }

func (h *hasher) sum() []byte {
	state := hashes[h.name]()
	state.Write(h.data)
	return state.Sum(nil)
}

func hashlibModule() *Module {
	names := map[string]Value{}
	for name := range hashes {
		names[name] = newBuiltin(name, "data? * usedforsecurity?", func(ev *eval, a []Value) (Value, error) {
			return ev.hasher(name, a[0])
		})
	}
	names["new"] = newBuiltin("new", "name data?", func(ev *eval, a []Value) (Value, error) {
		name, err := argStr(a[0], "")
		if err != nil {
			return nil, err
		}
		if hashes[name] == nil {
			return nil, raise(excValueError, "unsupported hash type %s", name)
		}
		return ev.hasher(name, a[1])
	})
	return &Module{name: "hashlib", names: names}
}

func (ev *eval) hasher(name string, data Value) (Value, error) {
	h := &hasher{name: name}
	if !given(data) {
		return h, nil
	}
	_, err := hashUpdate(ev, []Value{h, data})
	return h, err
}

func hashUpdate(ev *eval, a []Value) (Value, error) {
	h := a[0].(*hasher)
	b, ok := a[1].(Bytes)
	if !ok {
		if _, isText := a[1].(string); isText {
			return nil, raise(excTypeError, "Strings must be encoded before hashing")
		}
		return nil, raise(excTypeError, "object supporting the buffer API required")
	}
	if err := ev.grow(len(b)); err != nil {
		return nil, err
	}
	h.data = append(h.data, b...)
	return nil, nil
}

func linkHashlib() {
	digest := func(f func(sum []byte) Value) func(*eval, []Value) (Value, error) {
		return func(ev *eval, a []Value) (Value, error) {
			h := a[0].(*hasher)
			if err := ev.spend(len(h.data) / 64); err != nil {
				return nil, err
			}
			return f(h.sum()), nil
		}
	}
	typeHash.methods = table(
		mut("update", "data /", hashUpdate),
		def("digest", "/", digest(func(sum []byte) Value { return Bytes(sum) })),
		def("hexdigest", "/", digest(func(sum []byte) Value { return hex.EncodeToString(sum) })),
		def("copy", "/", func(ev *eval, a []Value) (Value, error) {
			h := a[0].(*hasher)
			return ev.hasher(h.name, Bytes(h.data))
		}),
	)
	typeHash.getters = map[string]func(Value) Value{
		"name":        func(v Value) Value { return v.(*hasher).name },
		"digest_size": func(v Value) Value { return int64(hashes[v.(*hasher).name]().Size()) },
		"block_size":  func(v Value) Value { return int64(hashes[v.(*hasher).name]().BlockSize()) },
	}
}

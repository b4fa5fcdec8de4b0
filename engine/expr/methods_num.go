package expr

import (
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

func intMethods() map[string]*Builtin {
	return table(
		def("bit_length", "/", func(_ *eval, a []Value) (Value, error) {
			return int64(toBig(a[0]).BitLen()), nil
		}),
		def("bit_count", "/", intBitCount),
		def("to_bytes", "length? byteorder? * signed?", intToBytes),
		def("is_integer", "/", func(*eval, []Value) (Value, error) { return true, nil }),
		def("conjugate", "/", func(_ *eval, a []Value) (Value, error) { return normInt(toBig(a[0])), nil }),
		def("as_integer_ratio", "/", func(_ *eval, a []Value) (Value, error) {
			return Tuple{normInt(toBig(a[0])), int64(1)}, nil
		}),
	)
}

func intBitCount(_ *eval, a []Value) (Value, error) {
	n := 0
	for _, w := range toBig(a[0]).Bits() {
		n += bits.OnesCount(uint(w))
	}
	return int64(n), nil
}

// byteOrder reports whether the first octet is the lowest.
func byteOrder(v Value) (little bool, err error) {
	s, err := argStr(v, "big")
	if err == nil && s != "big" && s != "little" {
		err = raise(excValueError, "byteorder must be either 'little' or 'big'")
	}
	return s == "little", err
}

func intToBytes(ev *eval, a []Value) (Value, error) {
	length, err := argInt(a[1], 1)
	if err != nil {
		return nil, err
	}
	if length < 0 {
		return nil, raise(excValueError, "length argument must be non-negative")
	}
	little, err := byteOrder(a[2])
	if err != nil {
		return nil, err
	}
	if err := ev.growTimes(length, 1); err != nil {
		return nil, err
	}
	n, signed := toBig(a[0]), given(a[3]) && Truth(a[3])
	width := uint(length) * 8
	switch {
	case n.Sign() < 0 && !signed:
		return nil, raise(excOverflowError, "can't convert negative int to unsigned")
	case signed && !fitsSigned(n, width), !signed && uint(n.BitLen()) > width:
		return nil, raise(excOverflowError, "int too big to convert")
	}
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), width))
	}
	b := n.FillBytes(make([]byte, length))
	if little {
		slices.Reverse(b)
	}
	return Bytes(b), nil
}

func fitsSigned(n *big.Int, width uint) bool {
	if n.Sign() < 0 {
		n = new(big.Int).Not(n)
	}
	return uint(n.BitLen()) < width || width == 0 && n.Sign() == 0
}

func intFromBytes(ev *eval, a []Value) (Value, error) {
	v, err := makeBytes(ev, []Value{a[0], absent, absent})
	if err != nil {
		return nil, err
	}
	little, err := byteOrder(a[1])
	if err != nil {
		return nil, err
	}
	b := []byte(v.(Bytes))
	if err := ev.grow(len(b)); err != nil {
		return nil, err
	}
	if little {
		slices.Reverse(b)
	}
	n := new(big.Int).SetBytes(b)
	if given(a[2]) && Truth(a[2]) && len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return normInt(n), nil
}

func floatMethods() map[string]*Builtin {
	return table(
		def("is_integer", "/", func(_ *eval, a []Value) (Value, error) {
			f := a[0].(float64)
			return f == math.Trunc(f) && !math.IsInf(f, 0), nil
		}),
		def("as_integer_ratio", "/", floatRatio),
		def("hex", "/", floatHex),
		def("conjugate", "/", func(_ *eval, a []Value) (Value, error) { return a[0], nil }),
	)
}

func floatRatio(_ *eval, a []Value) (Value, error) {
	r := new(big.Rat).SetFloat64(a[0].(float64))
	if r == nil {
		_, err := truncate(a[0].(float64))
		return nil, err
	}
	return Tuple{normInt(new(big.Int).Set(r.Num())), normInt(new(big.Int).Set(r.Denom()))}, nil
}

// floatHex writes a float as C's %a does, with 13 digits as Python has it.
func floatHex(_ *eval, a []Value) (Value, error) {
	f := a[0].(float64)
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return floatRepr(f), nil
	}
	if f == 0 {
		if math.Signbit(f) {
			return "-0x0.0p+0", nil
		}
		return "0x0.0p+0", nil
	}
	s := strconv.FormatFloat(f, 'x', 13, 64)
	mark := strings.IndexByte(s, 'p')
	exp, _ := strconv.Atoi(s[mark+1:])
	sign := "+"
	if exp < 0 {
		sign = ""
	}
	return s[:mark] + "p" + sign + strconv.Itoa(exp), nil
}

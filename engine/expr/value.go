package expr

import (
	"math/big"
)

// A Value is what an expression works on: nil, bool, int64, *big.Int (only
// outside the range of int64), float64, string, [Bytes], [Tuple], *[List],
// *[Dict], *[Set], *[Range], *[Iter], *[Func], *[Builtin], *[Type],
// *[Object], *[Module], *[Exc], a [Host], or a value of one of the modules
// ([Date], [Datetime], ...). Anything else is foreign: it has a type name
// and nothing more.
type Value = any

// Bytes is Python's bytes: octets that cannot change.
type Bytes string

// A Tuple is a sequence that must not be changed once it is a value.
type Tuple []Value

// A Host is a value of the embedding program, such as the handle of a
// background task. Scripts can read its attributes and call what these
// give; they can neither make nor change one.
type Host interface {
	TypeName() string
	Attr(name string) (Value, bool)
}

// The interfaces below are how a value beyond the basic types takes part in
// the language. Each is optional.
type (
	classed  interface{ class() *Type }
	iterable interface{ iterate() iterator }
	sized    interface{ Len() int }
	truthy   interface{ truth() bool }
	equaler  interface {
		// equal reports whether the value equals other.
		equal(w *walk, other Value) (bool, error)
	}
	ordered interface {
		// order compares the value with other; ok is false where Python
		// has no order between the two.
		order(other Value) (cmp int, ok bool, err error)
	}
	hashable interface {
		// hashKey gives a Go-comparable stand-in that is the same for
		// equal values.
		hashKey() (any, error)
	}
	reprer    interface{ repr(p *printer) error }
	strer     interface{ str(p *printer) error }
	container interface {
		contains(ev *eval, item Value) (bool, error)
	}
	subscripted interface {
		item(ev *eval, key Value) (Value, error)
	}
	attributed interface {
		attr(name string) (Value, bool)
	}
	formatted interface {
		format(ev *eval, spec string) (string, error)
	}
	operand interface {
		// operate applies a binary operator; reversed says that the value
		// stands on the right. ok is false where it does not know the
		// other operand.
		operate(ev *eval, op binaryOp, other Value, reversed bool) (v Value, ok bool, err error)
	}
)

// TypeName gives the name of a value's type as Python prints it.
func TypeName(v Value) string {
	if h, ok := v.(Host); ok {
		return h.TypeName()
	}
	if o, ok := v.(*Object); ok {
		return o.typeName
	}
	return typeOf(v).name
}

// Truth is Python's truth value: false for None, False, zero and whatever is
// empty.
func Truth(v Value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case Bytes:
		return v != ""
	case Tuple:
		return len(v) > 0
	case *List:
		return len(v.items) > 0
	case *Dict:
		return v.live > 0
	case truthy:
		return v.truth()
	case sized:
		return v.Len() > 0
	}
	return true
}

// Len gives the number of elements of text, a container or a range, and
// false for what has none, iterators among them.
func Len(v Value) (int, bool) {
	switch v := v.(type) {
	case string:
		return textLen(v), true
	case Bytes:
		return len(v), true
	case Tuple:
		return len(v), true
	case sized:
		return v.Len(), true
	}
	return 0, false
}

// integer gives a value as an integer where Python would use it as an
// index: integers and booleans.
func integer(v Value) (n int64, ok bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// normInt keeps the rule that a *big.Int is never small enough for int64.
func normInt(b *big.Int) Value {
	if b.IsInt64() {
		return b.Int64()
	}
	return b
}

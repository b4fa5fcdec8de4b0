package expr

import "math/big"

// A Type is a class: it has a name, may be called to make a value, and holds
// the closed tables of what its values answer to. Nothing outside these
// tables can be reached from a script.
type Type struct {
	name      string
	base      *Type // its parent, for exceptions and dictionaries of a kind
	make      *Builtin
	methods   map[string]*Builtin
	getters   map[string]func(Value) Value // attributes of its values
	statics   map[string]Value             // attributes of the class itself
	constants map[string]Value             // attributes of both
}

// Name gives the type's name as Python prints it.
func (t *Type) Name() string { return t.name }

func (t *Type) class() *Type { return typeType }

func (t *Type) hashKey() (any, error) { return t, nil }

func (t *Type) repr(p *printer) error {
	return p.text("<class '" + t.name + "'>")
}

// is reports whether t is other or derives from it.
func (t *Type) is(other *Type) bool {
	for ; t != nil; t = t.base {
		if t == other {
			return true
		}
	}
	return false
}

// method finds a method in the type or its parents.
func (t *Type) method(name string) *Builtin {
	for ; t != nil; t = t.base {
		if m := t.methods[name]; m != nil {
			return m
		}
	}
	return nil
}

var (
	typeNone     = &Type{name: "NoneType"}
	typeInt      = &Type{name: "int"}
	typeBool     = &Type{name: "bool", base: typeInt}
	typeFloat    = &Type{name: "float"}
	typeStr      = &Type{name: "str"}
	typeBytes    = &Type{name: "bytes"}
	typeTuple    = &Type{name: "tuple"}
	typeList     = &Type{name: "list"}
	typeDict     = &Type{name: "dict"}
	typeSet      = &Type{name: "set"}
	typeRange    = &Type{name: "range"}
	typeSlice    = &Type{name: "slice"}
	typeType     = &Type{name: "type"}
	typeFunction = &Type{name: "function"}
	typeBuiltin  = &Type{name: "builtin_function_or_method"}
	typeModule   = &Type{name: "module"}
	typeIterator = &Type{name: "iterator"}
	typeObject   = &Type{name: "object"}

	typeEnumerate = &Type{name: "enumerate", base: typeIterator}
	typeReversed  = &Type{name: "reversed", base: typeIterator}
	typeZip       = &Type{name: "zip", base: typeIterator}
	typeGenerator = &Type{name: "generator", base: typeIterator}

	typeKeys   = &Type{name: "dict_keys"}
	typeValues = &Type{name: "dict_values"}
	typeItems  = &Type{name: "dict_items"}
)

// typeOf gives the class of a value.
func typeOf(v Value) *Type {
	switch v := v.(type) {
	case nil:
		return typeNone
	case bool:
		return typeBool
	case int64, *big.Int:
		return typeInt
	case float64:
		return typeFloat
	case string:
		return typeStr
	case Bytes:
		return typeBytes
	case Tuple:
		return typeTuple
	case *List:
		return typeList
	case *Dict:
		if v.kind != nil {
			return v.kind
		}
		return typeDict
	case classed:
		return v.class()
	}
	return typeObject
}

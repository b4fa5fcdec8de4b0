package expr

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
)

type (
	bigKey   string
	tupleKey string
)

// bigKeyBase is a power of two, for which an integer is written in linear time.
const bigKeyBase = 32

// maxTupleKey bounds the key of a tuple, which grows exponentially when
// tuples share parts.
const maxTupleKey = 1 << 20

// keyOf gives the hash key of a value: a Go-comparable stand-in that is the
// same for equal values, so that 1, 1.0 and True are one key. Its error is
// Python's TypeError for values that cannot be hashed.
func keyOf(v Value) (any, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case nil, int64, Bytes:
		return v, nil
	case bool:
		n, _ := integer(v)
		return n, nil
	case float64:
		return floatKey(v), nil
	case *big.Int:
		return bigKey(v.Text(bigKeyBase)), nil
	case Tuple:
		k, err := appendTupleKey(nil, v, 0)
		return tupleKey(k), err
	case hashable:
		return v.hashKey()
	case Host:
		if reflect.TypeOf(v).Comparable() {
			return v, nil
		}
	}
	return nil, unhashable(v)
}

func floatKey(f float64) any {
	if f != math.Trunc(f) || math.IsInf(f, 0) {
		return f
	}
	if f >= -1<<63 && f < 1<<63 {
		return int64(f)
	}
	b, _ := big.NewFloat(f).Int(nil)
	return bigKey(b.Text(bigKeyBase))
}

// appendTupleKey writes the keys of the items so that different tuples
// differ: each with a tag and, where its length varies, its length.
func appendTupleKey(buf []byte, t Tuple, depth int) ([]byte, error) {
	if depth > maxValueDepth {
		return nil, errDepth()
	}
	for _, item := range t {
		if len(buf) > maxTupleKey {
			return nil, &LimitError{What: "tuple key", Limit: maxTupleKey}
		}
		if inner, ok := item.(Tuple); ok {
			buf = append(buf, '(')
			var err error
			if buf, err = appendTupleKey(buf, inner, depth+1); err != nil {
				return nil, err
			}
			buf = append(buf, ')')
			continue
		}
		k, err := keyOf(item)
		if err != nil {
			return nil, err
		}
		switch k := k.(type) {
		case nil:
			buf = append(buf, 'n')
		case int64:
			buf = append(strconv.AppendInt(append(buf, 'i'), k, 10), ';')
		case float64:
			buf = append(strconv.AppendUint(append(buf, 'f'), math.Float64bits(k), 16), ';')
		case string:
			buf = appendSized(buf, 's', k)
		case Bytes:
			buf = appendSized(buf, 'b', string(k))
		case bigKey:
			buf = appendSized(buf, 'B', string(k))
		default:
			// A pointer, which the tuple keeps alive, or a small struct.
			buf = appendSized(buf, 'o', fmt.Sprintf("%T %v", k, addressOf(k)))
		}
	}
	return buf, nil
}

func addressOf(k any) any {
	if r := reflect.ValueOf(k); r.Kind() == reflect.Pointer {
		return r.Pointer()
	}
	return k
}

func appendSized(buf []byte, tag byte, s string) []byte {
	buf = append(strconv.AppendInt(append(buf, tag), int64(len(s)), 10), ':')
	return append(buf, s...)
}

package engine

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// Values from a pipeline are read into a chip's request as pydantic does it
// in its lax mode: number text becomes a number, a whole float an integer, a
// boolean word a boolean, a tuple or set a list; a number never becomes
// text, and text never a list.

// read fills a struct from named values and reports everything that does
// not fit. What the struct does not know is ignored unless strict.
func (s *schema) read(into reflect.Value, get func(name string) (expr.Value, bool), unknown func() []string) error {
	var wrong []string
	for _, f := range s.fields {
		v, ok := get(f.name)
		switch {
		case ok:
			if err := f.set(into.FieldByIndex(f.index), v); err != nil {
				wrong = append(wrong, err.Error())
			}
		case f.required:
			wrong = append(wrong, fmt.Sprintf("%q is missing", f.name))
		case f.fallback.IsValid():
			into.FieldByIndex(f.index).Set(f.fallback)
		default:
			f.typ.zero(into.FieldByIndex(f.index))
		}
	}
	if unknown != nil {
		for _, name := range unknown() {
			if s.field(name) == nil {
				wrong = append(wrong, fmt.Sprintf("%q is not known", name))
			}
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
	return nil
}

// zero leaves a field without a default as an author expects it: a list is
// empty and not null.
func (t *fieldType) zero(into reflect.Value) {
	switch t.kind {
	case listType:
		if !t.nullable {
			into.Set(reflect.MakeSlice(t.typ, 0, 0))
		}
	case mapType:
		if !t.nullable {
			into.Set(reflect.MakeMap(t.typ))
		}
	case structType:
		if !t.nullable {
			_ = t.record.read(into, func(string) (expr.Value, bool) { return nil, false }, nil) // required parts stay zero
		}
	}
}

// accepts reports why a value is not for the field.
func (f *schemaField) accepts(v expr.Value) error {
	typ := f.typ.typ
	if f.typ.nullable {
		typ = reflect.PointerTo(typ)
	}
	return f.set(reflect.New(typ).Elem(), v)
}

// set reads a value into the field.
func (f *schemaField) set(into reflect.Value, v expr.Value) error {
	if err := f.typ.set(into, v); err != nil {
		return fmt.Errorf("%q %w", f.name, err)
	}
	if text, ok := v.(string); ok && len(f.enum) > 0 && f.typ.kind == textType {
		for _, e := range f.enum {
			if e == text {
				return nil
			}
		}
		return fmt.Errorf("%q wants one of %s, not %s", f.name, quotedList(f.enum), brief(v))
	}
	return nil
}

func (t *fieldType) set(into reflect.Value, v expr.Value) error {
	if t.nullable {
		if v == nil {
			into.SetZero()
			return nil
		}
		into.Set(reflect.New(t.typ))
		into = into.Elem()
	}
	switch t.kind {
	case anyType:
		into.SetZero()
		if v != nil {
			into.Set(reflect.ValueOf(v))
		}
		return nil
	case listType:
		if items, ok := listItems(v); ok {
			return t.setList(into, items)
		}
	case mapType:
		if d, ok := v.(*expr.Dict); ok {
			return t.setMap(into, d)
		}
	case structType:
		return t.setStruct(into, v)
	default:
		if t.setScalar(into, v) {
			return nil
		}
	}
	return fmt.Errorf("wants %s, not %s", t, brief(v))
}

// setScalar reads a value that has no parts, if it can be read so.
func (t *fieldType) setScalar(into reflect.Value, v expr.Value) bool {
	switch t.kind {
	case boolType:
		b, ok := looseBool(v)
		into.SetBool(b)
		return ok
	case intType:
		n, ok := looseInt(v)
		into.SetInt(n)
		return ok
	case floatType:
		x, ok := looseFloat(v)
		into.SetFloat(x)
		return ok
	case textType:
		s, ok := v.(string)
		into.SetString(s)
		return ok
	case bytesType:
		if s, ok := v.(string); ok {
			v = expr.Bytes(s)
		}
		b, ok := v.(expr.Bytes)
		into.SetBytes([]byte(b))
		return ok
	case handleType:
		h, ok := v.(*Handle)
		into.Set(reflect.ValueOf(h))
		return ok
	}
	return false
}

func (t *fieldType) setList(into reflect.Value, items []expr.Value) error {
	list := reflect.MakeSlice(t.typ, len(items), len(items))
	for i, item := range items {
		if err := t.elem.set(list.Index(i), item); err != nil {
			return fmt.Errorf("item %d %w", i, err)
		}
	}
	into.Set(list)
	return nil
}

func (t *fieldType) setMap(into reflect.Value, d *expr.Dict) error {
	m := reflect.MakeMapWithSize(t.typ, d.Len())
	for key, value := range d.All() {
		name, ok := key.(string)
		if !ok {
			return fmt.Errorf("wants keys that are text, not %s", brief(key))
		}
		elem := reflect.New(t.typ.Elem()).Elem()
		if err := t.elem.set(elem, value); err != nil {
			return fmt.Errorf("[%q] %w", name, err)
		}
		m.SetMapIndex(reflect.ValueOf(name).Convert(t.typ.Key()), elem)
	}
	into.Set(m)
	return nil
}

func (t *fieldType) setStruct(into reflect.Value, v expr.Value) error {
	var err error
	switch v := v.(type) {
	case *expr.Dict:
		err = t.record.read(into, v.GetString, nil)
	case *expr.Object:
		err = t.record.read(into, v.Get, nil)
	default:
		return fmt.Errorf("wants %s, not %s", t, brief(v))
	}
	if err != nil {
		return fmt.Errorf("(%s): %w", t, err)
	}
	return nil
}

func listItems(v expr.Value) ([]expr.Value, bool) {
	switch v := v.(type) {
	case *expr.List:
		return v.Items(), true
	case expr.Tuple:
		return v, true
	case *expr.Set:
		return v.Items(), true
	case *expr.Range:
		items, err := expr.Collect(context.Background(), v, expr.Options{})
		return items, err == nil
	}
	return nil, false
}

func looseInt(v expr.Value) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			return int64(v), true
		}
	case string:
		s := strings.TrimSpace(v)
		if whole, zeros, ok := strings.Cut(s, "."); ok && whole != "" && strings.Trim(zeros, "0") == "" {
			s = whole
		}
		n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
		return n, err == nil
	}
	return 0, false
}

func looseFloat(v expr.Value) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case *big.Int:
		x, _ := new(big.Float).SetInt(v).Float64()
		return x, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case string:
		x, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return x, err == nil
	}
	return 0, false
}

// brief names a value in a message without printing much of it.
func brief(v expr.Value) string {
	const most = 40
	switch v.(type) {
	case nil:
		return "null"
	case bool, int64, float64, string:
		if s := []rune(expr.Repr(v)); len(s) > most {
			return string(s[:most]) + "..."
		}
		return expr.Repr(v)
	}
	return "a " + expr.TypeName(v)
}

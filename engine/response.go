package engine

import (
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"

	"github.com/pullrun/pullrun/engine/expr"
)

// value gives a struct as a record. One without fields is null.
func (s *schema) value(v reflect.Value) expr.Value {
	if len(s.fields) == 0 {
		return nil
	}
	fields := make([]expr.Field, len(s.fields))
	for i, f := range s.fields {
		fields[i] = expr.Field{Name: f.name, Value: f.typ.value(v.FieldByIndex(f.index))}
	}
	return expr.NewObject(s.name, fields)
}

// value gives a Go value as a value of pipelines.
func (t *fieldType) value(v reflect.Value) expr.Value {
	if t.nullable && v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch t.kind {
	case boolType:
		return v.Bool()
	case intType:
		return v.Int()
	case floatType:
		return v.Float()
	case textType:
		return v.String()
	case bytesType:
		return expr.Bytes(v.Bytes())
	case listType:
		items := make([]expr.Value, v.Len())
		for i := range items {
			items[i] = t.elem.value(v.Index(i))
		}
		return expr.NewList(items...)
	case mapType:
		d := expr.NewDict()
		for _, key := range sortedKeys(v) {
			d.SetString(key, t.elem.value(v.MapIndex(reflect.ValueOf(key).Convert(v.Type().Key()))))
		}
		return d
	case structType:
		return t.record.value(v)
	case handleType:
		if v.IsNil() {
			return nil
		}
		return v.Interface()
	}
	if v.IsNil() {
		return nil
	}
	return ToValue(v.Interface())
}

func sortedKeys(m reflect.Value) []string {
	keys := make([]string, 0, m.Len())
	for _, k := range m.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	return keys
}

// ToValue gives a plain Go value - what encoding/json decodes into `any`,
// or a struct that could be a chip's response - as a value of pipelines.
// What is such a value already is returned as it is. Anything else becomes
// its text.
func ToValue(v any) expr.Value {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, *big.Int,
		expr.Bytes, expr.Tuple, *expr.List, *expr.Dict, *expr.Set, *expr.Range, *expr.Object, expr.Host:
		return v
	case int:
		return int64(v)
	case []byte:
		return expr.Bytes(v)
	case []any:
		items := make([]expr.Value, len(v))
		for i, item := range v {
			items[i] = ToValue(item)
		}
		return expr.NewList(items...)
	case map[string]any:
		d := expr.NewDict()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			d.SetString(key, ToValue(v[key]))
		}
		return d
	case fmt.Stringer:
		return v.String()
	}
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() == reflect.TypeFor[expr.List]().PkgPath() {
		return v // a date, or another value of the evaluator's own
	}
	return fmt.Sprint(v)
}

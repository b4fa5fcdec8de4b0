package engine

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// A schema describes the fields of a request or a response. It is derived
// once from a Go struct and used for everything: reading params, checking
// them when a collection is loaded, documentation and JSON schema.
//
// The tags of a field:
//
//	name:"status_code"   as pipelines write it; defaults to the Go name in snake case
//	doc:"..."            one sentence
//	required:"true"      there is no default
//	default:"10"         as it would be written in a pipeline; else the zero value
//	enum:"plain,loud"    the values of a text
//
// Fields are of type bool, int, int64, float64, string, []byte, any,
// *[Handle], or pointers (which may be null), slices, maps from text, and
// structs of these. The fields of an embedded struct count as its own.
type schema struct {
	name   string // of the Go type
	typ    reflect.Type
	fields []*schemaField
}

type schemaField struct {
	name     string
	doc      string
	index    []int // in the struct
	typ      *fieldType
	required bool
	fallback reflect.Value // the default; invalid for the zero value
	enum     []string
}

type typeKind uint8

const (
	anyType typeKind = iota
	boolType
	intType
	floatType
	textType
	bytesType
	listType
	mapType
	structType
	handleType
)

// A fieldType is the type of a field or of a part of one.
type fieldType struct {
	kind     typeKind
	nullable bool // a pointer in Go
	typ      reflect.Type
	elem     *fieldType // of a list or map
	record   *schema    // of a struct
}

var (
	anyReflect    = reflect.TypeFor[any]()
	bytesReflect  = reflect.TypeFor[[]byte]()
	handleReflect = reflect.TypeFor[*Handle]()
)

// schemaOf derives the schema of a struct. It panics on a struct that cannot
// be described: that is a mistake in the program.
func schemaOf(t reflect.Type) *schema {
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("engine: a chip takes and gives structs, not %v", t))
	}
	s := &schema{name: t.Name(), typ: t}
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() && !f.Anonymous {
			s.fields = append(s.fields, newField(t, f))
		}
	}
	return s
}

func newField(t reflect.Type, f reflect.StructField) *schemaField {
	sf := &schemaField{
		name:     f.Tag.Get("name"),
		doc:      f.Tag.Get("doc"),
		index:    f.Index,
		typ:      typeOf(f.Type),
		required: f.Tag.Get("required") == "true",
	}
	if sf.name == "" {
		sf.name = snakeCase(f.Name)
	}
	if enum, ok := f.Tag.Lookup("enum"); ok {
		sf.enum = strings.Split(enum, ",")
	}
	if text, ok := f.Tag.Lookup("default"); ok {
		v := reflect.New(f.Type).Elem()
		if err := sf.set(v, plainDefault(sf.typ, text)); err != nil {
			panic(fmt.Sprintf("engine: default of %v.%s: %v", t, f.Name, err))
		}
		sf.fallback = v
	}
	return sf
}

// plainDefault gives a default as it would be written in a pipeline.
func plainDefault(t *fieldType, text string) expr.Value {
	if t.kind == textType {
		return text
	}
	return plainScalar(text)
}

func typeOf(t reflect.Type) *fieldType {
	ft := &fieldType{typ: t}
	switch {
	case t == anyReflect:
		ft.kind = anyType
		return ft
	case t == bytesReflect:
		ft.kind = bytesType
		return ft
	case t == handleReflect:
		ft.kind = handleType
		return ft
	}
	switch t.Kind() {
	case reflect.Pointer:
		ft = typeOf(t.Elem())
		ft.nullable = true
	case reflect.Bool:
		ft.kind = boolType
	case reflect.Int, reflect.Int64:
		ft.kind = intType
	case reflect.Float64:
		ft.kind = floatType
	case reflect.String:
		ft.kind = textType
	case reflect.Slice:
		ft.kind, ft.elem = listType, typeOf(t.Elem())
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			panic(fmt.Sprintf("engine: a chip's map has text keys, not %v", t.Key()))
		}
		ft.kind, ft.elem = mapType, typeOf(t.Elem())
	case reflect.Struct:
		ft.kind, ft.record = structType, schemaOf(t)
	default:
		panic(fmt.Sprintf("engine: a chip cannot have a field of type %v", t))
	}
	return ft
}

func (s *schema) field(name string) *schemaField {
	for _, f := range s.fields {
		if f.name == name {
			return f
		}
	}
	return nil
}

func (s *schema) names() []string {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	return names
}

// String names the type as the documentation of chips does.
func (t *fieldType) String() string {
	name := ""
	switch t.kind {
	case anyType:
		return "any"
	case boolType:
		name = "bool"
	case intType:
		name = "int"
	case floatType:
		name = "float"
	case textType:
		name = "text"
	case bytesType:
		name = "bytes"
	case handleType:
		return "handle"
	case listType:
		name = "list of " + t.elem.String()
	case mapType:
		name = "map of " + t.elem.String()
	case structType:
		name = t.record.name
	}
	if t.nullable {
		name += " or null"
	}
	return name
}

// snakeCase turns StatusCode into status_code and HTTPProxy into http_proxy.
func snakeCase(name string) string {
	var b strings.Builder
	upper := func(i int) bool { return i >= 0 && i < len(name) && 'A' <= name[i] && name[i] <= 'Z' }
	for i := range len(name) {
		c := name[i]
		if upper(i) {
			if i > 0 && (!upper(i-1) || i+1 < len(name) && !upper(i+1)) {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// quotedList gives texts in quotes, separated by commas.
func quotedList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = strconv.Quote(s)
	}
	return strings.Join(quoted, ", ")
}

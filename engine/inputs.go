package engine

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// A file may begin with a header, a document of its own before the tasks:
//
//	inputs:
//	  city: text
//	  days: {type: int, default: 3, doc: How far to look ahead.}
//	secrets:
//	  token: {env: WEATHER_TOKEN}
//	---
//	- chip: ...
//
// What the inputs say is checked before the first task of a run; variables
// that they do not name are refused.

// An InputSpec describes one input of a pipeline.
type InputSpec struct {
	Name     string
	Type     string // any, bool, int, float, text, list, map
	Doc      string
	Required bool
	Default  expr.Value
	Enum     []string // the values that a text may have
}

type input struct {
	InputSpec
	typ *fieldType
}

var inputTypes = map[string]*fieldType{
	"any":   {kind: anyType, typ: anyReflect},
	"bool":  {kind: boolType, typ: reflect.TypeFor[bool]()},
	"int":   {kind: intType, typ: reflect.TypeFor[int64]()},
	"float": {kind: floatType, typ: reflect.TypeFor[float64]()},
	"text":  {kind: textType, typ: reflect.TypeFor[string]()},
	"list":  {kind: listType, typ: reflect.TypeFor[[]any](), elem: &fieldType{kind: anyType, typ: anyReflect}},
	"map":   {kind: mapType, typ: reflect.TypeFor[map[string]any](), elem: &fieldType{kind: anyType, typ: anyReflect}},
}

func (p *pipeline) inputSpecs() []InputSpec {
	specs := make([]InputSpec, len(p.inputs))
	for i, in := range p.inputs {
		specs[i] = in.InputSpec
	}
	return specs
}

// header reads the document before the tasks.
func (p *parser) header(pl *pipeline, n *node) {
	for _, pair := range n.pairs {
		switch key, _ := pair.key.text(); key {
		case "inputs":
			if p.mapping("inputs", pair.value) {
				pl.inputs = p.inputs(pair.value)
			}
		case "secrets":
			if p.mapping("secrets", pair.value) {
				pl.secrets = p.secrets(pair.value)
			}
		default:
			p.wrong(pair.key, didYouMean(key, []string{"inputs", "secrets"}), "unknown field %s in the header", expr.Repr(pair.key.scalar))
		}
	}
}

func (p *parser) inputs(n *node) []input {
	list := make([]input, 0, len(n.pairs))
	for _, pair := range n.pairs {
		in := input{InputSpec: InputSpec{Required: true, Type: "any"}}
		in.Name, _ = pair.key.text()
		if name, rest := identifier(in.Name); name == "" || rest != "" {
			p.wrong(pair.key, "", "%q cannot be the name of a variable", in.Name)
			continue
		}
		if p.input(&in, pair.value) {
			list = append(list, in)
		}
	}
	return list
}

// input reads the description of one input: its type, or a map.
func (p *parser) input(in *input, n *node) bool {
	if n.kind != mapNode {
		n = &node{kind: mapNode, pairs: []pair{{&node{scalar: "type"}, n}}}
	}
	var fallback *node
	for _, pair := range n.pairs {
		switch key, _ := pair.key.text(); key {
		case "type":
			in.Type, _ = p.text("type", pair.value)
		case "doc":
			in.Doc, _ = p.text("doc", pair.value)
		case "default":
			fallback = pair.value
		case "enum":
			in.Enum = p.texts("enum", pair.value)
		default:
			p.wrong(pair.key, "it takes type, doc, default and enum", "unknown field %s in an input", expr.Repr(pair.key.scalar))
		}
	}
	if in.typ = inputTypes[in.Type]; in.typ == nil {
		names := slices.Sorted(maps.Keys(inputTypes))
		p.wrong(n.get("type"), "types are "+strings.Join(names, ", "), "unknown type %q of an input", in.Type)
		return false
	}
	if fallback == nil {
		return true
	}
	in.Required = false
	v := raw(fallback)
	if v == nil { // may be left out, and is null then
		return true
	}
	var err error
	if in.Default, err = in.read(v); err != nil {
		p.wrong(fallback, "", "default: %v", err)
	}
	return true
}

// texts reads a list of texts.
func (p *parser) texts(name string, n *node) []string {
	if n.kind != listNode {
		p.wrong(n, "", "%q wants a list, not %s", name, n.what())
		return nil
	}
	list := make([]string, len(n.items))
	for i, item := range n.items {
		list[i], _ = p.text(name, item)
	}
	return list
}

// read gives a value as the type that the input has.
func (in *input) read(v expr.Value) (expr.Value, error) {
	f := schemaField{name: in.Name, typ: in.typ, enum: in.Enum}
	into := reflect.New(in.typ.typ).Elem()
	if err := f.set(into, v); err != nil {
		return nil, err
	}
	switch in.typ.kind {
	case anyType, listType, mapType: // kept as they are, in their order
		return v, nil
	}
	return in.typ.value(into), nil
}

// bindInputs checks the variables in a scope against the pipeline's inputs.
func (p *pipeline) bindInputs(s *scope) error {
	if p.inputs == nil {
		return nil
	}
	var wrong, names []string
	for i := range p.inputs {
		in := &p.inputs[i]
		names = append(names, in.Name)
		b := s.names[in.Name]
		switch {
		case b == nil && in.Required:
			wrong = append(wrong, fmt.Sprintf("%q is missing", in.Name))
		case b == nil:
			s.put(in.Name, in.Default, false)
		case b.value == nil && !in.Required && in.Default == nil:
		default:
			v, err := in.read(b.value)
			if err != nil {
				wrong = append(wrong, err.Error())
				continue
			}
			s.put(in.Name, v, b.data)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.names)) {
		if !slices.Contains(names, name) {
			msg := fmt.Sprintf("%q is not an input of %s", name, p.name)
			if hint := didYouMean(name, names); hint != "" {
				msg += "; " + hint
			}
			wrong = append(wrong, msg)
		}
	}
	if wrong == nil {
		return nil
	}
	return &Error{Class: ValidationException, Message: "variables: " + strings.Join(wrong, "; ")}
}

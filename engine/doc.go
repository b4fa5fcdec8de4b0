package engine

import (
	"encoding/json"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// A Field documents one field of a chip's request or response.
type Field struct {
	Name     string          `json:"name"`
	Type     string          `json:"type"` // such as "text" or "list of int or null"
	Doc      string          `json:"doc,omitempty"`
	Required bool            `json:"required,omitempty"`
	Default  json.RawMessage `json:"default,omitempty"` // what holds if it is left out
	Enum     []string        `json:"enum,omitempty"`
}

// Params documents what the chip takes.
func (c *Chip) Params() []Field { return c.request.document(true) }

// Response documents what the chip gives. It is empty if that is null.
func (c *Chip) Response() []Field { return c.response.document(false) }

func (s *schema) document(defaults bool) []Field {
	fields := make([]Field, len(s.fields))
	for i, f := range s.fields {
		fields[i] = Field{Name: f.name, Type: f.typ.String(), Doc: f.doc, Required: f.required, Enum: f.enum}
		if defaults && !f.required {
			fields[i].Default = f.defaultJSON()
		}
	}
	return fields
}

func (f *schemaField) defaultJSON() json.RawMessage {
	v := f.typ.unset()
	if f.fallback.IsValid() {
		v = f.typ.value(f.fallback)
	}
	data, err := expr.ToJSON(v)
	if err != nil {
		return nil // bytes have none
	}
	return data
}

// unset gives what a field without a default holds.
func (t *fieldType) unset() expr.Value {
	if t.nullable || t.kind == anyType || t.kind == handleType {
		return nil
	}
	switch t.kind {
	case boolType:
		return false
	case intType:
		return int64(0)
	case floatType:
		return 0.0
	case listType:
		return expr.NewList()
	case mapType, structType:
		return expr.NewDict()
	}
	return ""
}

// JSONSchema gives the JSON Schema, of draft 7, of the chip's params as they
// are written in a pipeline, where any value may be a template.
func (c *Chip) JSONSchema() json.RawMessage {
	s := c.request.jsonSchema()
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	s["title"] = c.name
	s["description"] = c.doc
	if c.strict {
		s["additionalProperties"] = false
	}
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is made of maps, lists and text
	}
	return data
}

type jsonSchema = map[string]any

func (s *schema) jsonSchema() jsonSchema {
	properties, required := jsonSchema{}, []string{}
	for _, f := range s.fields {
		p := f.typ.jsonSchema()
		if len(f.enum) > 0 && p["type"] == "string" {
			p = jsonSchema{"anyOf": []jsonSchema{{"enum": f.enum}, templateSchema}}
		}
		if f.doc != "" {
			p["description"] = f.doc
		}
		if f.required {
			required = append(required, f.name)
		} else if d := f.defaultJSON(); d != nil {
			p["default"] = d
		}
		properties[f.name] = p
	}
	out := jsonSchema{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// templateSchema describes text that gives a value of any type when it is
// rendered.
var templateSchema = textLike("")

// textLike describes text that is a template or matches a pattern.
func textLike(pattern string) jsonSchema {
	either := `\{\{|^var\(`
	if pattern != "" {
		either += "|" + pattern
	}
	return jsonSchema{"type": "string", "pattern": either}
}

// The texts that are read as numbers and booleans.
const (
	numberText  = `^\s*[-+]?[.0-9][-+.0-9_eE]*\s*$`
	booleanText = `^([01tTfFyYnN]|[oO][nN]|[oO][fF][fF]|[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[yY][eE][sS]|[nN][oO])$`
)

// jsonSchema describes what is read as a value of the type.
func (t *fieldType) jsonSchema() jsonSchema {
	var any []jsonSchema
	switch t.kind {
	case anyType, handleType:
		return jsonSchema{}
	case textType, bytesType:
		any = []jsonSchema{{"type": "string"}}
	case boolType:
		any = []jsonSchema{{"type": "boolean"}, {"enum": []int{0, 1}}, textLike(booleanText)}
	case intType:
		any = []jsonSchema{{"type": "integer"}, {"type": "boolean"}, textLike(numberText)}
	case floatType:
		any = []jsonSchema{{"type": "number"}, {"type": "boolean"}, textLike(numberText)}
	case listType:
		any = []jsonSchema{{"type": "array", "items": t.elem.jsonSchema()}, templateSchema}
	case mapType:
		any = []jsonSchema{{"type": "object", "additionalProperties": t.elem.jsonSchema()}, templateSchema}
	case structType:
		any = []jsonSchema{t.record.jsonSchema(), templateSchema}
	}
	if t.nullable {
		any = append(any, jsonSchema{"type": "null"})
	}
	if len(any) == 1 {
		return any[0]
	}
	return jsonSchema{"anyOf": any}
}

// Example gives a task that calls the chip with its required params.
func (c *Chip) Example() string {
	var b strings.Builder
	b.WriteString("- chip: " + c.name + "\n")
	first := true
	for _, f := range c.request.fields {
		if !f.required {
			continue
		}
		if first {
			b.WriteString("  params:\n")
			first = false
		}
		b.WriteString("    " + f.name + ": " + f.typ.example(f) + "\n")
	}
	b.WriteString("  store_result_as: answer\n")
	return b.String()
}

// example gives a value of the type as it is written in YAML.
func (t *fieldType) example(f *schemaField) string {
	switch t.kind {
	case boolType:
		return "true"
	case intType, floatType:
		return "1"
	case listType:
		return "[]"
	case mapType, structType:
		return "{}"
	case handleType:
		return `"{{ handle }}"`
	}
	if len(f.enum) > 0 {
		return f.enum[0]
	}
	return `"..."`
}

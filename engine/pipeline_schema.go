package engine

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// PipelineSchema gives the JSON Schema, of draft 7, of pipeline files, from
// which editors complete and check what is typed. When pipelines are named,
// a dispatch or branch wants one of them.
//
// It refuses nothing that [Load] finds nothing wrong with. What it takes may
// still be wrong, inside an expression for one.
func (cs *Chips) PipelineSchema(pipelines []string) json.RawMessage {
	s := schemaWriter{chips: cs.All(), pipelines: pipelines, definitions: jsonSchema{}}
	data, err := json.Marshal(s.file())
	if err != nil {
		panic(err) // it is made of maps, lists and text
	}
	return data
}

// PipelineNames gives the names of the pipeline files below folders, sorted.
// It does not read the files: what is wrong with them does not matter.
func PipelineNames(dirs ...string) ([]string, error) {
	l := &loader{sources: map[string]source{}, skipped: map[string]string{}}
	for _, dir := range dirs {
		if err := l.dir(dir); err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(l.sources)), nil
}

// A schemaWriter puts the schema of pipeline files together. What a task may
// hold follows from [taskKinds], so that it is said once.
type schemaWriter struct {
	chips       []*Chip
	pipelines   []string
	definitions jsonSchema
}

func ref(definition string) jsonSchema { return jsonSchema{"$ref": "#/definitions/" + definition} }

// file describes the documents of a file: a list of tasks, the header before
// it, or nothing.
func (w *schemaWriter) file() jsonSchema {
	kinds := taskKinds()
	for name, f := range fieldSchemas() {
		w.definitions["field."+name] = f
	}
	w.targets()
	w.definitions["tasks"] = jsonSchema{"type": "array", "items": ref("task")}
	w.definitions["header"] = headerSchema()
	w.definitions["task"] = w.task(kinds)
	return jsonSchema{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       "pullrun pipeline",
		"definitions": w.definitions,
		"if":          jsonSchema{"type": "array"},
		"then":        ref("tasks"),
		"else":        jsonSchema{"if": jsonSchema{"type": "object"}, "then": ref("header"), "else": jsonSchema{"type": "null"}},
	}
}

// task describes a task. The first key that is there decides its kind, so
// that an editor speaks of the fields of that kind alone.
func (w *schemaWriter) task(kinds []kindSpec) jsonSchema {
	start := jsonSchema{}
	choice := []jsonSchema{}
	for _, spec := range kinds {
		start[string(spec.kind)] = ref("field." + string(spec.kind))
		choice = append(choice, jsonSchema{"required": []string{string(spec.kind)}})
	}
	s := jsonSchema{"properties": start, "anyOf": choice} // no kind yet: offer them all
	for _, spec := range slices.Backward(kinds) {
		w.definitions["kind."+string(spec.kind)] = w.kind(spec)
		s = jsonSchema{
			"if":   jsonSchema{"required": []string{string(spec.kind)}},
			"then": ref("kind." + string(spec.kind)),
			"else": s,
		}
	}
	s["type"] = "object"
	return s
}

func (w *schemaWriter) kind(spec kindSpec) jsonSchema {
	properties := jsonSchema{}
	for name := range spec.fields {
		properties[name] = ref("field." + name)
	}
	s := jsonSchema{"properties": properties, "additionalProperties": false}
	if spec.kind == KindChip {
		s["allOf"] = w.params()
	}
	return s
}

// params describes what each chip takes.
func (w *schemaWriter) params() []jsonSchema {
	all := make([]jsonSchema, len(w.chips))
	for i, c := range w.chips {
		s := c.request.jsonSchema()
		s["description"] = c.doc
		s["additionalProperties"] = false // as Load warns
		w.definitions["chip."+c.name] = s
		then := jsonSchema{"properties": jsonSchema{"params": ref("chip." + c.name)}, "required": []string{"params"}}
		if s["required"] == nil {
			then = jsonSchema{"properties": jsonSchema{"params": jsonSchema{
				"anyOf": []jsonSchema{ref("chip." + c.name), {"type": "null"}},
			}}}
		}
		all[i] = jsonSchema{
			"if":   jsonSchema{"properties": jsonSchema{"chip": jsonSchema{"enum": []string{c.name, longPrefix + c.name}}}},
			"then": then,
		}
	}
	return all
}

// targets names the chips and pipelines that there are.
func (w *schemaWriter) targets() {
	if len(w.chips) > 0 {
		names, quoted := make([]string, len(w.chips)), make([]string, len(w.chips))
		for i, c := range w.chips {
			names[i], quoted[i] = c.name, regexp.QuoteMeta(c.name)
		}
		long := "^" + regexp.QuoteMeta(longPrefix) + "(" + strings.Join(quoted, "|") + ")$"
		w.narrow(KindChip, "anyOf", []jsonSchema{{"enum": names}, {"pattern": long}})
	}
	if len(w.pipelines) > 0 {
		w.narrow(KindDispatch, "enum", w.pipelines)
		w.narrow(KindBranch, "enum", w.pipelines)
	}
}

func (w *schemaWriter) narrow(k Kind, keyword string, v any) {
	w.definitions["field."+string(k)].(jsonSchema)[keyword] = v
}

// headerSchema describes the document before the tasks.
func headerSchema() jsonSchema {
	types := slices.Sorted(maps.Keys(inputTypes))
	text := func(doc string) jsonSchema { return jsonSchema{"type": "string", "description": doc} }
	return jsonSchema{
		"additionalProperties": false,
		"properties": jsonSchema{
			"inputs": jsonSchema{
				"description":   "The variables that a run of the pipeline is given: the type of each, or a map of type, doc, default and enum.",
				"type":          "object",
				"propertyNames": jsonSchema{"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
				"additionalProperties": jsonSchema{"anyOf": []jsonSchema{{"enum": types}, {
					"type": "object", "additionalProperties": false,
					"properties": jsonSchema{
						"type":    jsonSchema{"enum": types, "default": "any", "description": "What the input must be."},
						"doc":     text("What the input is for."),
						"default": jsonSchema{"description": "What holds if it is left out. Without a default it is required."},
						"enum":    jsonSchema{"type": "array", "items": jsonSchema{"type": "string"}, "description": "The values that a text may have."},
					},
				}}},
			},
			"secrets": jsonSchema{
				"description": "Values that only the worker knows. Tasks read them as secrets.NAME, and they are hidden wherever they would show.",
				"type":        "object",
				"additionalProperties": jsonSchema{
					"type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
					"properties": jsonSchema{
						"env":  text("The environment variable of the worker that holds the secret."),
						"file": text("The file on the worker that holds the secret."),
					},
				},
			},
		},
	}
}

package engine

import (
	"maps"
	"slices"
	"strings"
)

// A field reads one key of a task.
type field = func(p *parser, t *task, n *node)

// A kindSpec says which fields a kind of task takes.
type kindSpec struct {
	kind   Kind
	fields map[string]field
}

// taskKinds lists the kinds in the order in which their keys are looked for.
func taskKinds() []kindSpec {
	common := map[string]field{
		"name":    func(p *parser, t *task, n *node) { t.name = p.optionalText("name", n) },
		"comment": func(p *parser, _ *task, n *node) { p.optionalText("comment", n) },
		"when":    (*parser).when,
		"log":     (*parser).log,
	}
	scoped := map[string]field{
		"variables": (*parser).variables,
		"params":    func(p *parser, t *task, n *node) { t.params = p.params("params", n) },
	}
	looped := map[string]field{"loop": (*parser).loop}
	called := map[string]field{
		"run_async":          func(p *parser, t *task, n *node) { t.runAsync = p.boolean("run_async", n) },
		"return_result":      func(p *parser, t *task, n *node) { t.returnResult = p.boolean("return_result", n) },
		"store_result_as":    func(p *parser, t *task, n *node) { t.store = p.path("store_result_as", n) },
		"append_result_into": func(p *parser, t *task, n *node) { t.appendInto = p.path("append_result_into", n) },
		"key_result_into":    (*parser).keyInto,
		"loop_parallel":      (*parser).parallel,
		"timeout":            (*parser).timeout,
		"retry":              (*parser).retry,
		"rescue":             (*parser).rescue,
		"finally":            (*parser).finally,
	}
	kind := func(k Kind, own field, sets ...map[string]field) kindSpec {
		spec := kindSpec{k, map[string]field{string(k): own}}
		for _, set := range sets {
			for name, f := range set {
				if spec.fields[name] == nil {
					spec.fields[name] = f
				}
			}
		}
		return spec
	}
	return []kindSpec{
		kind(KindTasks, (*parser).tasks, common, scoped, looped, called),
		kind(KindDispatch, (*parser).target, common, scoped, looped, called),
		kind(KindBranch, (*parser).target, common, scoped),
		kind(KindReturn, (*parser).value, common),
		kind(KindDeclare, (*parser).declare, common, looped),
		kind(KindTerminate, (*parser).value, common),
		kind(KindChip, (*parser).target, common, scoped, looped, called),
		kind(KindCode, (*parser).code, common, scoped, looped, called),
		kind(KindAssert, (*parser).asserts, common, looped),
		kind(KindComment, (*parser).comment, map[string]field{"name": common["name"]}),
	}
}

// kindOf finds the kind of a task by the first key that is there.
func (l *loader) kindOf(n *node) *kindSpec {
	for i := range l.kinds {
		if n.get(string(l.kinds[i].kind)) != nil {
			return &l.kinds[i]
		}
	}
	return nil
}

// unknownField says what to do about a key that a kind of task does not
// take, where that can be guessed.
func (l *loader) unknownField(spec *kindSpec, key string) string {
	var with []string // the kinds that take it
	for _, other := range l.kinds {
		if string(other.kind) == key {
			return "a task does one thing: write two tasks"
		}
		if other.fields[key] != nil {
			with = append(with, string(other.kind))
		}
	}
	if len(with) > 0 {
		return "it goes with " + strings.Join(with, ", ")
	}
	return didYouMean(key, slices.Sorted(maps.Keys(spec.fields)))
}

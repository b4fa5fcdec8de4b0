package configs

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v4"
)

// A decoder turns nodes from one place into values of Go and collects all
// that is wrong with them. The key of a node is its name to the reader.
type decoder struct {
	place
	problems *Problems
}

func (d decoder) fail(key string, n *yaml.Node, format string, args ...any) {
	d.problems.add(key, d.at(n), format, args...)
}

// decode sets to from a node. Of what is wrong it leaves to as it was.
func (d decoder) decode(key string, n *yaml.Node, to reflect.Value) {
	switch {
	case to.Kind() == reflect.Slice:
		d.list(key, n, to)
	case to.Kind() == reflect.Map:
		d.table(key, n, to)
	case isGroup(to.Type()):
		d.structure(key, n, to)
	case !isScalar(n):
		d.fail(key, n, "wants a single value")
	default:
		if err := setScalar(to, n); err != nil {
			d.fail(key, n, "%v", err)
		}
	}
}

func (d decoder) list(key string, n *yaml.Node, to reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.fail(key, n, "wants a list, for example [a, b]")
		return
	}
	to.SetZero()
	for i, item := range n.Content {
		to.Set(reflect.Append(to, reflect.Zero(to.Type().Elem())))
		d.decode(fmt.Sprintf("%s[%d]", key, i), item, to.Index(i))
	}
}

func (d decoder) table(key string, n *yaml.Node, to reflect.Value) {
	to.SetZero()
	d.entries(key, n, func(name, item *yaml.Node) {
		if to.IsNil() {
			to.Set(reflect.MakeMap(to.Type()))
		}
		value := reflect.New(to.Type().Elem()).Elem()
		d.decode(join(key, name.Value), item, value)
		to.SetMapIndex(reflect.ValueOf(name.Value), value)
	})
}

// structure decodes an item of a list of structs; the structs that are groups
// of settings have been taken apart by layer before.
func (d decoder) structure(key string, n *yaml.Node, to reflect.Value) {
	d.fields(key, n, to.Type(), func(f reflect.StructField, key string, item *yaml.Node) {
		d.decode(key, item, to.FieldByIndex(f.Index))
	})
	for _, p := range filePairs(to.Type()) {
		value, path := to.FieldByIndex(p.value.index), to.FieldByIndex(p.file.index).String()
		switch {
		case path == "":
		case !value.IsZero():
			d.fail(join(key, p.value.key), n, "is set beside %s; keep one of them", p.file.key)
		default:
			if err := setFromFile(value, path); err != nil {
				d.fail(join(key, p.file.key), n, "%v", err)
			}
		}
	}
}

// layer takes a mapping apart into its settings, as viper nests them.
func (d decoder) layer(key string, n *yaml.Node, t reflect.Type) map[string]any {
	settings := map[string]any{}
	d.fields(key, n, t, func(f reflect.StructField, key string, item *yaml.Node) {
		if isGroup(f.Type) {
			settings[keyOf(f)] = d.layer(key, item, f.Type)
		} else {
			settings[keyOf(f)] = &given{key, d.place, item}
		}
	})
	return settings
}

// fields calls use for each entry of a mapping that stands for a field of t
// and has a value.
func (d decoder) fields(key string, n *yaml.Node, t reflect.Type, use func(reflect.StructField, string, *yaml.Node)) {
	d.entries(key, n, func(name, item *yaml.Node) {
		key := join(key, name.Value)
		f, ok := fieldOf(t, name.Value)
		switch {
		case !ok:
			d.fail(key, name, "unknown key%s", didYouMean(name.Value, t))
		case !isNull(item):
			use(f, key, item)
		}
	})
}

// entries calls use for each key and value of a mapping.
func (d decoder) entries(key string, n *yaml.Node, use func(name, item *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.fail(key, n, "wants keys with values, for example {a: b}")
		return
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i < len(n.Content); i += 2 {
		name, item := n.Content[i], n.Content[i+1]
		first, twice := seen[name.Value]
		switch {
		case !isScalar(name):
			d.fail(key, name, "has a key that is not text")
		case twice:
			where := "" // other than the place that every problem tells
			if before := d.at(first); before != d.at(name) {
				where = ", first at " + before
			}
			d.fail(join(key, name.Value), name, "is set twice%s", where)
		default:
			seen[name.Value] = name
			use(name, item)
		}
	}
}

func join(group, name string) string {
	if group == "" {
		return name
	}
	return group + "." + name
}

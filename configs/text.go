package configs

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// textNode gives text from a variable or a flag the form that it would have
// in a file, so that there is one decoder.
func textNode(text string, t reflect.Type) (*yaml.Node, error) {
	switch {
	case t.Kind() == reflect.Slice && isGroup(t.Elem()):
		return flowNode(text)
	case t.Kind() == reflect.Slice:
		return listNode(text)
	case t.Kind() == reflect.Map:
		return tableNode(text)
	}
	tag := "!!str"
	switch t.Kind() {
	case reflect.Bool:
		tag = "!!bool"
	case reflect.Int:
		tag = "!!int"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}, nil
}

func stringNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// flowNode reads a list of structures. What the parser says of broken text is
// left out, since it may quote a secret.
func flowNode(text string) (*yaml.Node, error) {
	documents, err := parse([]byte(text))
	if err != nil || len(documents) != 1 {
		return nil, errors.New("wants a list as YAML in flow form: [{a: b}, {a: c}]")
	}
	return documents[0].Content[0], nil
}

func listNode(text string) (*yaml.Node, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, item := range splitList(text) {
		if item == "" {
			return nil, fmt.Errorf("has an empty item in %q", text)
		}
		list.Content = append(list.Content, stringNode(item))
	}
	return list, nil
}

func tableNode(text string) (*yaml.Node, error) {
	table := &yaml.Node{Kind: yaml.MappingNode}
	for _, item := range splitList(text) {
		key, value, ok := strings.Cut(item, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, fmt.Errorf(`wants key=value, got %q`, item)
		}
		table.Content = append(table.Content, stringNode(key), stringNode(strings.TrimSpace(value)))
	}
	return table, nil
}

func splitList(text string) []string {
	if text == "" {
		return nil
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

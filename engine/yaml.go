package engine

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/pullrun/pullrun/engine/expr"
)

type nodeKind uint8

const (
	scalarNode nodeKind = iota
	listNode
	mapNode
)

// A node is a value in a pipeline file with its place. Aliases and merge
// keys have been written out.
type node struct {
	kind      nodeKind
	scalar    expr.Value // of a scalar
	items     []*node    // of a list
	pairs     []pair     // of a map, in order, keys unique
	line, col int
	block     bool // a literal or folded text, whose first line is the next one
}

type pair struct {
	key, value *node
}

// text gives the text of a scalar, and false for anything else.
func (n *node) text() (string, bool) {
	s, ok := n.scalar.(string)
	return s, ok && n.kind == scalarNode
}

func (n *node) isNull() bool { return n.kind == scalarNode && n.scalar == nil }

// get gives the value of a text key, or nil.
func (n *node) get(key string) *node {
	for _, p := range n.pairs {
		if s, ok := p.key.text(); ok && s == key {
			return p.value
		}
	}
	return nil
}

// what names the kind of value for messages.
func (n *node) what() string {
	switch n.kind {
	case listNode:
		return "a list"
	case mapNode:
		return "a map"
	}
	switch n.scalar.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "text"
	case float64:
		return "a number"
	}
	if expr.TypeName(n.scalar) == "int" {
		return "a number"
	}
	return "a " + expr.TypeName(n.scalar)
}

// A yamlError is something wrong with a file at a place.
type yamlError struct {
	line, col int
	msg       string
}

func (e *yamlError) Error() string { return e.msg }

// parseYAML reads the documents of a file. A file without content has none.
func parseYAML(data []byte, lim Limits) ([]*node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(loaderlimits.New(
		loaderlimits.DepthValue(lim.FileDepth),
		loaderlimits.AliasNone(), // counted below, where they are written out
	)))
	if err != nil {
		return nil, err
	}
	c := &converter{left: lim.FileNodes, limit: lim.FileNodes, depth: lim.FileDepth}
	var docs []*node
	for {
		var root yaml.Node
		err := loader.Load(&root)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, placed(err)
		}
		if len(root.Content) == 0 {
			continue
		}
		doc, err := c.convert(root.Content[0], 0)
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
}

// placed takes the place out of an error of the library.
func placed(err error) error {
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		return err
	}
	mark := le.Mark
	if mark.Line == 0 {
		mark = le.ContextMark
	}
	msg := le.Message
	if le.ContextMsg != "" {
		msg = le.ContextMsg + ": " + msg
	}
	return &yamlError{line: mark.Line, col: mark.Column, msg: msg}
}

// A converter turns the library's nodes into ours.
type converter struct {
	left  int // how many more nodes it may make
	limit int
	depth int
	open  []*yaml.Node // the aliases being written out
}

func (c *converter) convert(y *yaml.Node, depth int) (*node, error) {
	if c.left--; c.left < 0 {
		return nil, fail(y, "more than %d values once its aliases are written out", c.limit)
	}
	if depth > c.depth {
		return nil, fail(y, "nested deeper than %d levels", c.depth)
	}
	n := &node{line: y.Line, col: y.Column}
	switch y.Kind {
	case yaml.AliasNode:
		return c.alias(y, depth)
	case yaml.SequenceNode:
		if err := known(y, "!!seq"); err != nil {
			return nil, err
		}
		n.kind = listNode
		n.items = make([]*node, len(y.Content))
		for i, item := range y.Content {
			var err error
			if n.items[i], err = c.convert(item, depth+1); err != nil {
				return nil, err
			}
		}
		return n, nil
	case yaml.MappingNode:
		if err := known(y, "!!map"); err != nil {
			return nil, err
		}
		n.kind = mapNode
		var err error
		n.pairs, err = c.mapping(y, depth)
		return n, err
	}
	n.block = y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	var err error
	n.scalar, err = scalarValue(y)
	return n, err
}

// alias writes out what an alias stands for.
func (c *converter) alias(y *yaml.Node, depth int) (*node, error) {
	for _, open := range c.open {
		if open == y.Alias {
			return nil, fail(y, "alias *%s stands inside what it stands for", y.Value)
		}
	}
	c.open = append(c.open, y.Alias)
	n, err := c.convert(y.Alias, depth)
	c.open = c.open[:len(c.open)-1]
	return n, err
}

// mapping gives the pairs of a map: first what it merges, then its own,
// which come in the place of merged ones of the same key.
func (c *converter) mapping(y *yaml.Node, depth int) ([]pair, error) {
	all := pairList{at: map[keyID]int{}}
	for i := 0; i < len(y.Content); i += 2 {
		if y.Content[i].Tag != mergeTag {
			continue
		}
		maps, err := c.merges(y.Content[i+1], depth)
		if err != nil {
			return nil, err
		}
		for _, m := range maps {
			for _, p := range m.pairs {
				all.merge(p)
			}
		}
	}
	own := map[keyID]bool{}
	for i := 0; i < len(y.Content); i += 2 {
		if y.Content[i].Tag == mergeTag {
			continue
		}
		key, err := c.convert(y.Content[i], depth+1)
		if err != nil {
			return nil, err
		}
		if key.kind != scalarNode {
			return nil, fail(y.Content[i], "a key must be a scalar, not %s", key.what())
		}
		value, err := c.convert(y.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		if own[key.id()] {
			return nil, fail(y.Content[i], "duplicate key %s", expr.Repr(key.scalar))
		}
		own[key.id()] = true
		all.set(pair{key, value})
	}
	return all.pairs, nil
}

const mergeTag = "!!merge"

// A keyID tells keys apart: 1 is not "1".
type keyID struct{ typ, text string }

func (n *node) id() keyID {
	if s, ok := n.scalar.(string); ok {
		return keyID{"str", s}
	}
	return keyID{expr.TypeName(n.scalar), expr.Repr(n.scalar)}
}

// A pairList holds pairs in order, each key once.
type pairList struct {
	pairs []pair
	at    map[keyID]int
}

func (l *pairList) set(p pair) {
	if i, ok := l.at[p.key.id()]; ok {
		l.pairs[i] = p
		return
	}
	l.at[p.key.id()] = len(l.pairs)
	l.pairs = append(l.pairs, p)
}

// merge sets a pair unless the key is there: the first of several merged
// maps wins.
func (l *pairList) merge(p pair) {
	if _, ok := l.at[p.key.id()]; !ok {
		l.set(p)
	}
}

// merges gives the maps that a merge key brings in.
func (c *converter) merges(y *yaml.Node, depth int) ([]*node, error) {
	value, err := c.convert(y, depth+1)
	if err != nil {
		return nil, err
	}
	maps := value.items
	if value.kind == mapNode {
		maps = []*node{value}
	}
	for _, m := range maps {
		if m.kind != mapNode {
			maps = nil
			break
		}
	}
	if maps == nil {
		return nil, fail(y, "a merge key wants a map or a list of maps, not %s", value.what())
	}
	return maps, nil
}

// scalarValue resolves a scalar by its tag, its quotes or its spelling.
func scalarValue(y *yaml.Node) (expr.Value, error) {
	quoted := y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if y.Style&yaml.TaggedStyle == 0 {
		if quoted {
			return y.Value, nil
		}
		return plainScalar(y.Value), nil
	}
	plain := plainScalar(y.Value)
	ok := true
	switch y.ShortTag() {
	case "!!str", "!":
		return y.Value, nil
	case "!!null":
		return nil, nil
	case "!!bool":
		_, ok = plain.(bool)
	case "!!int":
		ok = expr.TypeName(plain) == "int"
	case "!!float":
		var f expr.Value
		if f, ok = realScalar(y.Value); ok {
			return f, nil
		}
		if n, isInt := plain.(int64); isInt {
			return float64(n), nil
		}
	case "!!timestamp":
		_, ok = timeScalar(y.Value)
	case "!!binary":
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(y.Value), ""))
		if err != nil {
			return nil, fail(y, "decode !!binary: %v", err)
		}
		return expr.Bytes(data), nil
	default:
		return nil, unknownTag(y)
	}
	if !ok {
		return nil, fail(y, "%q is no %s", y.Value, strings.TrimPrefix(y.ShortTag(), "!!"))
	}
	return plain, nil
}

// known refuses a tag that is not the collection's own.
func known(y *yaml.Node, tag string) error {
	if y.Style&yaml.TaggedStyle != 0 && y.ShortTag() != tag {
		return unknownTag(y)
	}
	return nil
}

func unknownTag(y *yaml.Node) error {
	return fail(y, "unknown tag %q", y.Tag)
}

func fail(y *yaml.Node, format string, args ...any) error {
	return &yamlError{line: y.Line, col: y.Column, msg: fmt.Sprintf(format, args...)}
}

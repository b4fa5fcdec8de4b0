package configs

import (
	"fmt"

	"go.yaml.in/yaml/v4"
)

// A place is where values come from: a file, a variable or a flag.
type place struct {
	name  string
	lines bool // whether a node's line means something to the reader
}

// at names the place of a node: "worker.yaml:12", "PULLRUN_CAPACITY" or "flag
// --capacity".
func (p place) at(n *yaml.Node) string {
	if p.lines && n.Line > 0 {
		return fmt.Sprintf("%s:%d", p.name, n.Line)
	}
	return p.name
}

// A given is what a place says about a setting. Viper carries it from the
// layers to the decoder without looking inside, so that none of its own rules
// for keys and types apply to it.
type given struct {
	key string
	place
	node *yaml.Node
}

func (g *given) from() string { return g.at(g.node) }

// blank reports whether there is no value, as in `key:` and `key: ""`.
func (g *given) blank() bool { return g == nil || isScalar(g.node) && g.node.Value == "" }

func isScalar(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode }
func isNull(n *yaml.Node) bool   { return isScalar(n) && n.ShortTag() == "!!null" }

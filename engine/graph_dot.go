package engine

import (
	"fmt"
	"strings"
)

// DOT writes the graph in the language of Graphviz.
func (g *Graph) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  node [shape=box];\n", dotText(g.Pipeline))
	g.each("", 1, func(depth int, group *GraphGroup, n *GraphNode) {
		indent := strings.Repeat("  ", depth)
		switch {
		case n != nil:
			fmt.Fprintf(&b, "%s%s [label=%s%s];\n", indent, n.ID, dotText(n.label()...), dotShape(n.Kind))
		case group != nil:
			fmt.Fprintf(&b, "%ssubgraph cluster_%s {\n%s  label=%s;\n", indent, group.ID, indent, dotText(group.Name))
		default:
			fmt.Fprintf(&b, "%s}\n", indent)
		}
	})
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s -> %s%s;\n", e.From, e.To, dotArrow(e.Kind))
	}
	b.WriteString("}\n")
	return b.String()
}

func dotShape(k Kind) string {
	switch k {
	case "", KindReturn, KindTerminate:
		return ", shape=oval"
	case KindDispatch, KindBranch:
		return ", shape=box, peripheries=2"
	}
	return ""
}

func dotArrow(k EdgeKind) string {
	switch k {
	case EdgeNext:
		return ""
	case EdgeBranch:
		return " [style=bold, label=branch]"
	}
	return fmt.Sprintf(" [style=dashed, label=%s]", k)
}

var dotEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// dotText quotes lines as one text.
func dotText(lines ...string) string {
	escaped := make([]string, len(lines))
	for i, line := range lines {
		escaped[i] = dotEscapes.Replace(line)
	}
	return `"` + strings.Join(escaped, `\n`) + `"`
}

package engine

import (
	"fmt"
	"strings"
)

// Mermaid writes the graph as a flowchart for https://mermaid.js.org, which
// many Markdown viewers draw.
func (g *Graph) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	g.each("", 1, func(depth int, group *GraphGroup, n *GraphNode) {
		indent := strings.Repeat("  ", depth)
		switch {
		case n != nil:
			shape := mermaidShape(n.Kind)
			fmt.Fprintf(&b, "%s%s%s\"%s\"%s\n", indent, n.ID, shape[0], mermaidText(n.label()), shape[1])
		case group != nil:
			fmt.Fprintf(&b, "%ssubgraph %s[\"%s\"]\n", indent, group.ID, mermaidText([]string{group.Name}))
		default:
			fmt.Fprintf(&b, "%send\n", indent)
		}
	})
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s %s %s\n", e.From, mermaidArrow(e.Kind), e.To)
	}
	return b.String()
}

func mermaidShape(k Kind) [2]string {
	switch k {
	case "", KindReturn, KindTerminate:
		return [2]string{"([", "])"}
	case KindDispatch, KindBranch:
		return [2]string{"[[", "]]"}
	}
	return [2]string{"[", "]"}
}

func mermaidArrow(k EdgeKind) string {
	switch k {
	case EdgeNext:
		return "-->"
	case EdgeBranch:
		return "==>|branch|"
	}
	return fmt.Sprintf("-.->|%s|", k)
}

// mermaidEscapes are what Mermaid or the HTML it makes would take for their
// own.
var mermaidEscapes = strings.NewReplacer(
	"#", "#35;", `"`, "#quot;", "&", "#amp;", "<", "#lt;", ">", "#gt;", "`", "#96;", "\\", "#92;",
)

func mermaidText(lines []string) string {
	escaped := make([]string, len(lines))
	for i, line := range lines {
		escaped[i] = mermaidEscapes.Replace(line)
	}
	return strings.Join(escaped, "<br/>")
}

package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// A Graph shows the tasks that a run of a pipeline may come by, those of the
// pipelines it leads to included, and how one follows the other.
type Graph struct {
	Pipeline string
	Groups   []GraphGroup // each after the one it stands in
	Nodes    []GraphNode  // in the order of the files
	Edges    []GraphEdge
}

// A GraphGroup is a list of tasks.
type GraphGroup struct {
	ID     string
	Parent string // the group that it stands in, "" for a pipeline
	Name   string // the pipeline, or "tasks", "rescue" or "finally"
}

// A GraphNode is a task, or the start of a pipeline, which has no kind. There
// are none for comments.
type GraphNode struct {
	ID       string
	Group    string
	Kind     Kind
	Number   int    // in its list, from 1
	Name     string // of the task or the pipeline
	What     string // the chip, the pipeline, the code or the value, in a few words
	When     string // its condition, "" for none
	Loop     string // what it goes through, "" if it is no loop
	Parallel int    // how many items at once, if more than one
	Async    bool   // it runs in the background
}

// An EdgeKind says how one task leads to another.
type EdgeKind string

// The kinds of edges. An edge of a kind other than EdgeNext leads into a list
// of tasks, and all but a branch come back.
const (
	EdgeNext     EdgeKind = "next"
	EdgeTasks    EdgeKind = "tasks"
	EdgeRescue   EdgeKind = "rescue"
	EdgeFinally  EdgeKind = "finally"
	EdgeDispatch EdgeKind = "dispatch"
	EdgeBranch   EdgeKind = "branch"
)

// A GraphEdge leads from one node to another.
type GraphEdge struct {
	From, To string // IDs of nodes
	Kind     EdgeKind
}

// Graph draws a pipeline. Its error says that there is none of that name,
// and which may have been meant.
func (c *Collection) Graph(name string) (*Graph, error) {
	p := c.pipelines[name]
	if p == nil {
		if hint := c.missing(name); hint != "" {
			return nil, fmt.Errorf("unknown pipeline %q; %s", name, hint)
		}
		return nil, fmt.Errorf("unknown pipeline %q", name)
	}
	d := drawing{Graph: Graph{Pipeline: name}, starts: map[*pipeline]string{}}
	d.start(p)
	for len(d.open) > 0 {
		next := d.open[0]
		d.open = d.open[1:]
		d.pipeline(next)
	}
	return &d.Graph, nil
}

// A drawing is a graph under way.
type drawing struct {
	Graph
	starts map[*pipeline]string // the node where each pipeline starts
	open   []*pipeline          // that are yet to be drawn
	tasks  int                  // that have been drawn
}

// start gives the node where a pipeline starts, and sees to it that the
// pipeline is drawn.
func (d *drawing) start(p *pipeline) string {
	if d.starts[p] == "" {
		d.starts[p] = fmt.Sprintf("start%d", len(d.starts)+1)
		d.open = append(d.open, p)
	}
	return d.starts[p]
}

func (d *drawing) pipeline(p *pipeline) {
	group := d.group("", p.name)
	start := d.start(p)
	d.Nodes = append(d.Nodes, GraphNode{ID: start, Group: group, Name: p.name})
	d.list(p.tasks, group, start, EdgeNext)
}

func (d *drawing) group(parent, name string) string {
	id := fmt.Sprintf("list%d", len(d.Groups)+1)
	d.Groups = append(d.Groups, GraphGroup{ID: id, Parent: parent, Name: name})
	return id
}

// list draws tasks that follow a node.
func (d *drawing) list(tasks []*task, group, from string, how EdgeKind) {
	for _, t := range tasks {
		if t.kind == KindComment {
			continue
		}
		from, how = d.task(t, group, from, how), EdgeNext
		if t.ends() {
			from = "" // what follows is not reached from here
		}
	}
}

// task draws a task that follows a node, if any, and gives its own.
func (d *drawing) task(t *task, group, from string, how EdgeKind) string {
	d.tasks++
	n := GraphNode{
		ID: fmt.Sprintf("task%d", d.tasks), Group: group, Kind: t.kind, Number: t.number, Name: t.name,
		What: t.what(), Async: t.runAsync,
	}
	if t.when != nil {
		n.When = shorten(t.when.src)
	}
	if t.loop != nil {
		n.Loop, n.Parallel = t.loop.what(), t.loop.parallel
	}
	d.Nodes = append(d.Nodes, n)
	if from != "" {
		d.edge(from, n.ID, how)
	}
	d.nested(t.tasks, group, n.ID, EdgeTasks)
	if t.next != nil {
		d.edge(n.ID, d.start(t.next), EdgeKind(t.kind))
	}
	if t.guard != nil {
		d.nested(t.guard.rescue, group, n.ID, EdgeRescue)
		d.nested(t.guard.finally, group, n.ID, EdgeFinally)
	}
	return n.ID
}

// nested draws a list of tasks inside a task.
func (d *drawing) nested(tasks []*task, parent, from string, how EdgeKind) {
	does := func(t *task) bool { return t.kind != KindComment }
	if slices.ContainsFunc(tasks, does) {
		d.list(tasks, d.group(parent, string(how)), from, how)
	}
}

func (d *drawing) edge(from, to string, how EdgeKind) {
	d.Edges = append(d.Edges, GraphEdge{From: from, To: to, Kind: how})
}

// what says in a few words what a task is about.
func (t *task) what() string {
	switch t.kind {
	case KindDispatch, KindBranch, KindChip:
		return t.target
	case KindCode:
		return shorten(t.code.src)
	case KindReturn, KindTerminate:
		return few(t.value)
	case KindDeclare:
		names := make([]string, len(t.declare))
		for i, p := range t.declare {
			names[i] = p.name
		}
		return shorten(strings.Join(names, ", "))
	case KindAssert:
		checks := make([]string, len(t.asserts))
		for i, p := range t.asserts {
			checks[i] = p.src
		}
		return shorten(strings.Join(checks, ", "))
	}
	return ""
}

func (l *loop) what() string {
	if l.bare != nil {
		return shorten(l.bare.src)
	}
	return few(l.items)
}

// few writes a template as it stands in the file, if that takes few words.
func few(t template) string {
	switch t := t.(type) {
	case placeholder:
		return shorten("{{ " + t.prog.src + " }}")
	case varTemplate:
		return shorten("var(" + t.prog.src + ")")
	case textTemplate:
		var b strings.Builder
		for _, part := range t.parts {
			b.WriteString(part.text)
			if part.prog != nil {
				b.WriteString("{{ " + part.prog.src + " }}")
			}
		}
		return shorten(b.String())
	case listTemplate:
		return fmt.Sprintf("a list of %d", len(t.items))
	case mapTemplate:
		return fewKeys(t.keys)
	}
	switch v := t.(literal).value.(type) {
	case *expr.List:
		return fmt.Sprintf("a list of %d", v.Len())
	case *expr.Dict:
		var keys []expr.Value
		for key := range v.All() {
			keys = append(keys, key)
		}
		return fewKeys(keys)
	default:
		return shorten(expr.Str(v))
	}
}

func fewKeys(keys []expr.Value) string {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = expr.Str(key)
	}
	return shorten(strings.Join(names, ", "))
}

// label gives the lines that stand in a node.
func (n *GraphNode) label() []string {
	if n.Kind == "" {
		return []string{n.Name}
	}
	what := strings.TrimSpace(string(n.Kind) + " " + n.What)
	lines := []string{fmt.Sprintf("%d · %s", n.Number, what)}
	if n.Name != "" {
		lines = []string{fmt.Sprintf("%d · %s", n.Number, n.Name), what}
	}
	if n.When != "" {
		lines = append(lines, "when "+n.When)
	}
	switch {
	case n.Parallel > 1:
		lines = append(lines, fmt.Sprintf("↻ %s, %d at once", n.Loop, n.Parallel))
	case n.Loop != "":
		lines = append(lines, "↻ "+n.Loop)
	}
	if n.Async {
		lines = append(lines, "in the background")
	}
	return lines
}

// each goes through the groups inside a group, as they are nested. It calls
// f with each group, then with its nodes, then, with neither, at its end.
func (g *Graph) each(parent string, depth int, f func(depth int, group *GraphGroup, n *GraphNode)) {
	for i := range g.Groups {
		group := &g.Groups[i]
		if group.Parent != parent {
			continue
		}
		f(depth, group, nil)
		for j := range g.Nodes {
			if g.Nodes[j].Group == group.ID {
				f(depth+1, nil, &g.Nodes[j])
			}
		}
		g.each(group.ID, depth+1, f)
		f(depth, nil, nil)
	}
}

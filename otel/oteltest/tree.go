package oteltest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Tree prints spans as they hang under each other, one line each, siblings in
// the order of their starts:
//
//	POST /v1/runs (server, pullrun-server)
//	  send default (producer, pullrun-server)
//	    process default (consumer, pullrun-worker) error=lease_expired
//
// A span without a parent begins at the margin, and so does one whose parent
// is missing, with a note.
func Tree(spans []Span) string {
	var b strings.Builder
	f := newForest(spans)
	for _, root := range f.roots {
		f.print(&b, root, 0)
	}
	return b.String()
}

// Check returns an error unless the spans are one whole trace: one trace id,
// one root, no parent missing, no id twice, no cycle, no warning of the backend.
// A root may have a parent that was given as remote.
func Check(spans []Span, remote ...string) error {
	if len(spans) == 0 {
		return errors.New("no spans")
	}
	var errs []error
	seen := make(map[string]bool)
	for _, s := range spans {
		if seen[s.SpanID] {
			errs = append(errs, fmt.Errorf("%q: span id %s is there twice", s.Name, s.SpanID))
		}
		seen[s.SpanID] = true
		for _, w := range s.Warnings {
			errs = append(errs, fmt.Errorf("%q: warning: %s", s.Name, w))
		}
		if s.TraceID != spans[0].TraceID {
			errs = append(errs, fmt.Errorf("%q: trace %s, %q: trace %s", s.Name, s.TraceID, spans[0].Name, spans[0].TraceID))
		}
	}
	f := newForest(spans)
	for _, root := range f.roots {
		if root.ParentID != "" && !slices.Contains(remote, root.ParentID) {
			errs = append(errs, fmt.Errorf("%q: orphan, parent %s is missing", root.Name, root.ParentID))
		}
	}
	if len(f.roots) > 1 {
		errs = append(errs, fmt.Errorf("%d roots, want one", len(f.roots)))
	}
	if reached := f.size(); reached < len(seen) {
		errs = append(errs, fmt.Errorf("%d of %d spans hang under a root", reached, len(seen)))
	}
	return errors.Join(errs...)
}

// AssertTree fails the test unless the spans are one whole trace whose [Tree]
// is want. Blank lines around want and its common indentation do not count,
// so that it can be written in place.
func AssertTree(t testing.TB, spans []Span, want string) {
	t.Helper()
	if err := Check(spans); err != nil {
		t.Errorf("the trace is not whole: %v", err)
	}
	if got, want := Tree(spans), dedent(want); got != want {
		t.Errorf("Tree() =\n%swant\n%s", got, want)
	}
}

// forest is spans by where they hang.
type forest struct {
	roots    []Span
	children map[string][]Span // by the parent's id
}

func newForest(spans []Span) forest {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b Span) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Name, b.Name))
	})
	// Of spans with one id the first is kept: there is one way up from each,
	// so that no walk from a root goes round.
	known := make(map[string]bool)
	spans = slices.DeleteFunc(spans, func(s Span) bool {
		id := s.TraceID + s.SpanID
		twice := known[id]
		known[id] = true
		return twice
	})
	f := forest{children: make(map[string][]Span)}
	for _, s := range spans {
		if s.ParentID != "" && known[s.TraceID+s.ParentID] {
			parent := s.TraceID + s.ParentID
			f.children[parent] = append(f.children[parent], s)
		} else {
			f.roots = append(f.roots, s)
		}
	}
	return f
}

func (f forest) print(b *strings.Builder, s Span, depth int) {
	fmt.Fprintf(b, "%s%s (%s, %s)", strings.Repeat("  ", depth), s.Name, s.Kind, s.Service)
	if s.Status == "error" {
		fmt.Fprintf(b, " error=%s", s.Attributes["error.type"])
	}
	if depth == 0 && s.ParentID != "" {
		fmt.Fprintf(b, " parent %s is missing", s.ParentID)
	}
	b.WriteByte('\n')
	for _, child := range f.children[s.TraceID+s.SpanID] {
		f.print(b, child, depth+1)
	}
}

// size counts the spans that hang under the roots.
func (f forest) size() int {
	n := 0
	for below := f.roots; len(below) > 0; {
		n += len(below)
		var next []Span
		for _, s := range below {
			next = append(next, f.children[s.TraceID+s.SpanID]...)
		}
		below = next
	}
	return n
}

func dedent(text string) string {
	lines := strings.Split(strings.TrimRight(strings.TrimLeft(text, "\n"), "\n\t "), "\n")
	margin := lines[0][:len(lines[0])-len(strings.TrimLeft(lines[0], "\t "))]
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, margin)
	}
	return strings.Join(lines, "\n") + "\n"
}

package oteltest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullrun/pullrun/otel/oteltest"
)

// at makes a span that starts n seconds into the trace.
func at(n int, id, parent, name string) oteltest.Span {
	return oteltest.Span{
		TraceID: "t1", SpanID: id, ParentID: parent,
		Name: name, Kind: "internal", Service: "svc",
		Start: time.Unix(int64(n), 0),
	}
}

func failed(s oteltest.Span, errType string) oteltest.Span {
	s.Status = "error"
	s.Attributes = map[string]string{"error.type": errType}
	return s
}

func inTrace(id string, s oteltest.Span) oteltest.Span {
	s.TraceID = id
	return s
}

func TestTree(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spans []oteltest.Span
		want  string
	}{
		{
			name:  "children hang under their parents, in the order of their starts",
			spans: []oteltest.Span{at(3, "c", "a", "later"), at(4, "d", "b", "leaf"), at(2, "b", "a", "sooner"), at(1, "a", "", "root")},
			want: `
				root (internal, svc)
				  sooner (internal, svc)
				    leaf (internal, svc)
				  later (internal, svc)`,
		},
		{
			name:  "an error shows its type",
			spans: []oteltest.Span{failed(at(1, "a", "", "root"), "timeout")},
			want:  `root (internal, svc) error=timeout`,
		},
		{
			name:  "an orphan is at the margin and says so",
			spans: []oteltest.Span{at(1, "a", "", "root"), at(2, "b", "x", "lost")},
			want: `
				root (internal, svc)
				lost (internal, svc) parent x is missing`,
		},
		{
			name:  "a parent in another trace is none",
			spans: []oteltest.Span{at(1, "a", "", "root"), inTrace("t2", at(2, "b", "a", "stray"))},
			want: `
				root (internal, svc)
				stray (internal, svc) parent a is missing`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := strings.ReplaceAll(strings.Trim(tt.want, "\n"), "\t", "") + "\n"
			if got := oteltest.Tree(tt.spans); got != want {
				t.Errorf("Tree() =\n%swant\n%s", got, want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	root, child := at(1, "a", "", "root"), at(2, "b", "a", "child")
	for _, tt := range []struct {
		name   string
		spans  []oteltest.Span
		remote []string
		want   string // in the error, "" for none
	}{
		{name: "a tree is whole", spans: []oteltest.Span{child, root}},
		{name: "no spans are no trace", want: "no spans"},
		{name: "an orphan is not", spans: []oteltest.Span{root, at(2, "b", "x", "lost")}, want: `"lost": orphan, parent x`},
		{name: "two roots are not", spans: []oteltest.Span{root, at(2, "b", "", "other")}, want: "2 roots"},
		{name: "two trace ids are not", spans: []oteltest.Span{root, inTrace("t2", child)}, want: "trace t2"},
		{name: "an id that is there twice is not", spans: []oteltest.Span{root, child, at(3, "b", "b", "twin")}, want: `"twin": span id b is there twice`},
		{name: "a cycle is not", spans: []oteltest.Span{root, at(2, "b", "c", "hen"), at(3, "c", "b", "egg")}, want: "1 of 3 spans"},
		{name: "a root may hang under a remote span", spans: []oteltest.Span{at(1, "a", "far", "root"), child}, remote: []string{"far"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := fmt.Sprint(oteltest.Check(tt.spans, tt.remote...))
			if tt.want == "" && got != "<nil>" || !strings.Contains(got, tt.want) {
				t.Errorf("Check() = %s, want %q", got, tt.want)
			}
		})
	}
}

// failures stands in for a test that is expected to fail.
type failures struct {
	testing.TB
	texts []string
}

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}

func TestAssertTree(t *testing.T) {
	t.Parallel()
	spans := []oteltest.Span{at(1, "a", "", "root"), at(2, "b", "a", "child")}
	oteltest.AssertTree(t, spans, `
		root (internal, svc)
		  child (internal, svc)
	`)
	for _, tt := range []struct {
		name  string
		spans []oteltest.Span
		want  string
		fails int
	}{
		{name: "another name", spans: spans, want: "root (internal, svc)\n  kid (internal, svc)", fails: 1},
		{name: "another depth", spans: spans, want: "root (internal, svc)\nchild (internal, svc)", fails: 1},
		{
			name:  "a tree that is as wanted and not whole",
			spans: []oteltest.Span{at(1, "a", "x", "root")},
			want:  "root (internal, svc) parent x is missing",
			fails: 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &failures{TB: t}
			oteltest.AssertTree(f, tt.spans, tt.want)
			if len(f.texts) != tt.fails {
				t.Errorf("AssertTree() failed with %q, want %d failures", f.texts, tt.fails)
			}
		})
	}
}

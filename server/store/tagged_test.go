package store

import (
	"fmt"
	"strings"
	"testing"
)

// Runs with a tag are looked for by the tag if few have it, and else by what else is
// asked for. Both find the same.
func TestListOfTagsThatFewAndManyHave(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{})
	for i := range 24 {
		n := newRun(fmt.Sprint("r", i))
		n.Queue = fmt.Sprint("q", i%2)
		n.Tags = map[string]string{"third": fmt.Sprint(i % 3), "all": "x"}
		if _, _, err := s.Submit(t.Context(), scriptStart, n); err != nil {
			t.Fatal(err)
		}
		if i%4 == 0 {
			if _, _, err := s.Cancel(t.Context(), scriptStart, n.Cookie, "", ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		filter Filter
		want   string
	}{
		{Filter{Tags: map[string]string{"third": "1"}}, "r22 r19 r16 r13 r10 r7 r4 r1"},
		{Filter{Tags: map[string]string{"third": "1"}, Queue: "q1"}, "r19 r13 r7 r1"},
		{Filter{Tags: map[string]string{"third": "1", "all": "x"}, States: []State{Cancelled, Cancelled}}, "r16 r4"},
		{Filter{Tags: map[string]string{"third": "1"}, States: []State{Queued}, Queue: "q0"}, "r22 r10"},
		{Filter{Tags: map[string]string{"third": "1", "all": "y"}}, ""},
	} {
		for _, s.fewTagged = range []int{1, 10, 100} {
			var got []string
			for before := int64(-1); before != 0; {
				runs, next, err := s.List(t.Context(), tt.filter, max(0, before), 3)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range runs {
					got = append(got, r.Cookie)
				}
				before = next
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("List(%+v) where up to %d are few = %v, want %s", tt.filter, s.fewTagged, got, tt.want)
			}
		}
	}
}

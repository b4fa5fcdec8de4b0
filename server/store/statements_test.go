package store

import "testing"

// Filters make more statements than memory can hold; few of them are kept.
func TestStatementsAreBounded(t *testing.T) {
	t.Parallel()
	s, _ := openTest(t, Options{})
	for set := range 2 * maxStatements {
		f := Filter{Pipeline: "p"}
		for _, state := range []State{Scheduled, Queued, Offered, Running, Succeeded, Failed, Cancelled, TimedOut, Dead} {
			if set&(1<<state) != 0 {
				f.States = append(f.States, state)
			}
		}
		if _, _, err := s.List(t.Context(), f, 0, 1); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	switch d := s.dialect.(type) {
	case *sqlite:
		kept = len(d.stmts)
	case *postgres:
		d.texts.texts.Range(func(any, any) bool { kept++; return true })
	}
	if kept > maxStatements {
		t.Errorf("%d statements are kept, want %d at most", kept, maxStatements)
	}
}

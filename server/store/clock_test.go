package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// Calls that come at the same time have looked at the clock in another order than
// that in which they are committed, and so have calls at several servers. What
// happens to a run has its times in order all the same.
func TestTimesOfARunAreInOrder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		rc     string
		cancel bool
	}{{name: "it succeeds", rc: "OK"}, {name: "it is tried again", rc: "EXCEPTION"}, {name: "it is cancelled", rc: "CANCELLED", cancel: true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.register("w", 1)
			back := func() { w.now = w.now.Add(-time.Second) } // each call has looked before the one before it
			w.now = w.now.Add(10 * time.Second)
			w.submit("r", func(n *store.NewRun) { n.Retry = store.Retry{Max: 1, On: []string{"EXCEPTION"}} })
			back()
			out := w.poll("w")
			moved := out.Moved
			h := held(out.Offers)
			back()
			moved = append(moved, w.poll("w", h...).Moved...)
			if tt.cancel {
				back()
				_, more, err := w.Cancel(t.Context(), w.now, "r", "ann", "")
				if err != nil {
					t.Fatal(err)
				}
				back()
				moved = append(moved, more...)
				moved = append(moved, w.poll("w", h...).Moved...)
				h[0].Cancelling = true
				back()
				moved = append(moved, w.beat("w", h...).Moved...)
			}
			back()
			_, more, err := w.Finish(t.Context(), w.now, []store.Result{{Cookie: "r", Fence: 1, Worker: "w", RC: tt.rc}})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range append(moved, more...) {
				r := m.Run
				times := []time.Time{r.SubmittedAt, r.QueuedAt, r.OfferedAt, r.AcceptedAt, r.CancelAt, r.CancelToldAt, r.CancelHeededAt, r.FinishedAt}
				times = slices.DeleteFunc(times, time.Time.IsZero)
				if !slices.IsSortedFunc(times, time.Time.Compare) {
					t.Errorf("%v>%v has the times %v, out of order", m.From, m.To, times)
				}
				if m.At.Before(m.Since) {
					t.Errorf("%v>%v is at %v, before it had begun to wait at %v", m.From, m.To, m.At, m.Since)
				}
				if a := m.Attempt; a != nil && (a.OfferedAt.Before(a.QueuedAt) || a.EndedAt.Before(a.OfferedAt)) {
					t.Errorf("attempt was queued at %v, offered at %v, ended at %v", a.QueuedAt, a.OfferedAt, a.EndedAt)
				}
			}
		})
	}
}

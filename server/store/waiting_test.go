package store_test

import (
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// A worker whose lease has run out is none, whether or not the sweep has seen it.
func TestWaitingForALostWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	r := w.submit("c")
	for _, step := range []struct {
		after time.Duration
		want  store.WaitReason
	}{{0, store.WaitsForOffer}, {2 * time.Minute, store.WaitsForQueue}} {
		got, err := w.Waiting(t.Context(), w.now.Add(step.after), &r)
		if err != nil || got == nil || got.Reason != step.want {
			t.Errorf("Waiting() after %v = %+v, %v, want %q", step.after, got, err, step.want)
		}
	}
	r.State = store.Succeeded
	if got, err := w.Waiting(t.Context(), w.now, &r); got != nil || err != nil {
		t.Errorf("Waiting() of a run that has ended = %+v, %v, want none", got, err)
	}
}

package store_test

import (
	"fmt"
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

// Only runs that one of its workers could take stand in line before a run.
func TestPositionInLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	has := func(names ...string) func(*store.NewSession) {
		return func(n *store.NewSession) {
			n.Labels = map[string]string{}
			for _, name := range names {
				n.Labels[name] = "yes"
			}
			n.Pipelines = []store.Pipeline{{Name: "p", Digest: "new"}, {Name: "other"}}
		}
	}
	w.register("plain", 1, has())
	w.register("zoned", 1, has("zone"))
	w.register("gpu", 1, has("gpu"))
	needs := func(name string) func(*store.NewRun) {
		return func(r *store.NewRun) { r.Labels = map[string]string{name: "yes"} }
	}
	nobody := []func(*store.NewRun){
		needs("unknown"),
		func(r *store.NewRun) { r.Pipeline = "unknown" },
		func(r *store.NewRun) { r.PipelineDigest = "old" },
		func(r *store.NewRun) { r.Queue = "elsewhere" },
	}
	for i, edit := range nobody {
		w.submit(fmt.Sprint("nobody takes ", i), edit)
	}
	zoned := w.submit("zoned", needs("zone"))
	gpu := w.submit("gpu", needs("gpu"))
	plain := w.submit("plain")
	w.submit("low", func(r *store.NewRun) { r.Priority = -1 })
	second := w.submit("second", needs("zone"))
	w.submit("high", needs("gpu"), func(r *store.NewRun) { r.Priority = 1 })
	w.submit("behind")
	for _, tt := range []struct {
		run  store.Run
		want int
	}{{zoned, 1}, {gpu, 2}, {plain, 4}, {second, 3}} {
		got, err := w.Waiting(t.Context(), w.now, &tt.run)
		if err != nil || got == nil || got.Position != tt.want {
			t.Errorf("Waiting() of %s = %+v, %v, want position %d", tt.run.Cookie, got, err, tt.want)
		}
	}
}

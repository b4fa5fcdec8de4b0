package store_test

import (
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// Each attempt has the digest that its worker had the pipeline with when it was
// sent the run, whatever a later session says.
func TestAttemptsShowWhichDigestWasRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	has := func(digest string) func(*store.NewSession) {
		return func(n *store.NewSession) { n.Pipelines = []store.Pipeline{{Name: "p", Digest: digest}} }
	}
	w.register("slow", 1, has("0"))
	w.submit("a", func(n *store.NewRun) { n.Retry = store.Retry{Max: 1, Backoff: time.Second, On: []string{"EXCEPTION"}} })
	w.poll("slow")
	w.now = w.now.Add(10 * time.Second)
	w.sweep() // the offer lapses
	w.register("w", 1, has("1"))
	h := w.run("w")
	w.register("w", 1, has("2"), func(n *store.NewSession) { n.Session, n.Holding = "s2", []store.Held{h} })
	w.now = w.now.Add(61 * time.Second)
	w.sweep() // its lease is lost
	w.register("w", 1, has("3"), func(n *store.NewSession) { n.Session, n.Holding = "s3", []store.Held{h} })
	w.finish(store.Result{Cookie: "a", Fence: h.Fence + 1, Worker: "w", RC: "EXCEPTION"})
	w.now = w.now.Add(time.Minute)
	w.sweep() // it is tried again
	w.register("any", 1)
	h = w.run("any")
	w.finish(store.Result{Cookie: "a", Fence: h.Fence, Worker: "any", RC: "OK"})

	attempts, _, err := w.History(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range attempts {
		got = append(got, a.Worker+" "+a.Digest)
	}
	wantDiff(t, "History()", got, []string{"w 1", "w 1", "any "})
}

package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// purge deletes what is outdated, limit at a time.
func (w *world) purge(keep store.Retention, limit int) (total store.Purged) {
	w.t.Helper()
	old, err := w.Outdated(w.t.Context(), w.now, keep)
	if err != nil || old == nil {
		w.t.Fatalf("Outdated() = %v, %v, want something to purge by", old, err)
	}
	for {
		step, err := w.Purge(w.t.Context(), w.now, old, limit)
		if err != nil || step.Runs > limit {
			w.t.Fatalf("Purge() = %+v, %v, want at most %d at a time", step, err, limit)
		}
		if !step.Any() {
			return total
		}
		total.Add(step)
	}
}

// end has runs end, one each minute, with the given result codes. Their cookies
// are the codes' places.
func (w *world) end(codes ...string) {
	w.t.Helper()
	w.register("w", 100)
	for i := range codes {
		w.submit(fmt.Sprint(i))
	}
	offers := w.poll("w").Offers
	w.poll("w", held(offers)...)
	for i, rc := range codes {
		w.now = w.now.Add(time.Minute)
		w.finish(store.Result{Cookie: fmt.Sprint(i), Fence: 1, Worker: "w", RC: rc, Result: []byte("1")})
	}
}

// kept writes the cookies of all runs, the oldest first.
func (w *world) kept() (out string) {
	w.t.Helper()
	runs, _, err := w.List(w.t.Context(), store.Filter{}, 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range runs {
		out = r.Cookie + out
	}
	return out
}

// keepFor keeps runs that ended in the states for so long, and all others for ever.
func keepFor(age time.Duration, states ...store.State) store.Retention {
	keep := store.Retention{Runs: map[store.State]store.Keep{}}
	for _, s := range states {
		keep.Runs[s] = store.Keep{Age: age}
	}
	return keep
}

func TestRetention(t *testing.T) {
	t.Parallel()
	count := func(n int) store.Retention {
		return store.Retention{Runs: map[store.State]store.Keep{
			store.Succeeded: {Count: n}, store.Failed: {Count: n}, store.Cancelled: {Count: n}, store.TimedOut: {Count: n}, store.Dead: {Count: n},
		}}
	}
	for _, tt := range []struct {
		name string
		keep store.Retention
		want string
	}{
		{name: "zero keeps everything", keep: store.Retention{}, want: "0123456789live"},
		{name: "what succeeded, by age", keep: keepFor(5*time.Minute, store.Succeeded), want: "123456789live"},
		{name: "what was cancelled, by age", keep: keepFor(5*time.Minute, store.Cancelled), want: "013456789live"},
		{name: "what failed, by age", keep: keepFor(5*time.Minute, store.Failed), want: "023456789live"},
		{name: "what ran out of time, by age", keep: keepFor(5*time.Minute, store.TimedOut), want: "012456789live"},
		{name: "what is dead, by age", keep: keepFor(5*time.Minute, store.Dead), want: "0123456789live"},
		{name: "two states", keep: keepFor(2*time.Minute, store.Succeeded, store.TimedOut), want: "124789live"},
		{name: "the newest", keep: count(2), want: "2346789live"},
		{name: "what is stricter", keep: store.Retention{Runs: map[store.State]store.Keep{
			store.Succeeded: {Age: 8 * time.Minute, Count: 2}, store.Failed: {Age: 2 * time.Minute, Count: 3},
		}}, want: "236789live"},
		{name: "more than there are", keep: count(1000), want: "0123456789live"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, limit := range []int{1, 100} {
				w := newWorld(t)
				w.end("OK", "EXCEPTION", "CANCELLED", "TIMEOUT", "EXCEPTION", "OK", "TIMEOUT", "OK", "EXCEPTION", "OK")
				w.submit("live")
				before := w.kept()
				got := w.purge(tt.keep, limit)
				if kept := w.kept(); kept != tt.want || got.Runs != len(before)-len(kept) {
					t.Errorf("with a limit of %d, %d of %s are deleted and %s kept, want %s", limit, got.Runs, before, kept, tt.want)
				}
			}
		})
	}
}

// A step deletes fewer runs where these have logged much, so that others do not
// wait for long.
func TestPurgeOfRunsWithManyLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.end("OK", "OK", "OK", "OK")
	for run := range 3 {
		var lines []store.Event
		for i := range store.MaxEvents * 6 / 10 {
			lines = append(lines, store.Event{Cookie: fmt.Sprint(run), Fence: 1, No: int64(i + 1), At: w.now, Kind: "log"})
		}
		if _, err := w.AppendEvents(t.Context(), w.now, "w", lines); err != nil {
			t.Fatal(err)
		}
	}
	w.now = w.now.Add(time.Hour)
	old, err := w.Outdated(t.Context(), w.now, keepFor(time.Minute, store.Succeeded))
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for range 4 {
		out, err := w.Purge(t.Context(), w.now, old, 100)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, out.Runs)
	}
	wantDiff(t, "runs that each step deletes", got, []int{1, 1, 2, 0})
}

func TestPurgedRunIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.end("OK")
	w.now = w.now.Add(time.Hour)
	w.purge(keepFor(time.Minute, store.Succeeded), 100)
	if got := w.finish(store.Result{Cookie: "0", Fence: 1, Worker: "w", RC: "OK", Result: []byte("1")}); got != store.Unknown {
		t.Errorf("Finish(purged) = %v, want unknown", got)
	}
	if _, err := w.Get(t.Context(), "0"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get(purged) = %v, want %v", err, store.ErrNotFound)
	}
	if r := w.submit("0", func(n *store.NewRun) { n.Digest = "other" }); r.State != store.Queued {
		t.Errorf("a new run of the cookie = %+v, want it queued", r)
	}
}

func TestUnusedRoutesAndKeysArePurged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keyed := func(n *store.NewRun) { n.Concurrency = store.Concurrency{Key: n.Cookie, Limit: 1} }
	w.submit("waits", keyed, func(n *store.NewRun) { n.Pipeline = "waits" })
	w.end("OK")
	w.submit("again", keyed, func(n *store.NewRun) { n.Priority = 5 })
	if _, _, err := w.Cancel(t.Context(), w.now, "again", "", ""); err != nil {
		t.Fatal(err)
	}
	keep := keepFor(time.Minute, store.Succeeded, store.Cancelled)
	for _, tt := range []struct {
		after time.Duration
		want  store.Purged
	}{
		{time.Hour, store.Purged{Runs: 2}},                 // the routes were in use not long ago
		{48 * time.Hour, store.Purged{Routes: 2, Keys: 2}}, // one route has a run; a key is only a lock
		{49 * time.Hour, store.Purged{}},
	} {
		w.now = t0.Add(tt.after)
		if got := w.purge(keep, 1); got != tt.want {
			t.Errorf("purged after %v: %+v, want %+v", tt.after, got, tt.want)
		}
	}
	w.register("w", 9)
	for _, priority := range []int{7, 0, 5} { // the first may get the number of one that is gone
		w.submit(fmt.Sprint("new-", priority), keyed, func(n *store.NewRun) { n.Priority = priority })
	}
	var got []string
	for _, o := range w.poll("w").Offers {
		got = append(got, fmt.Sprint(o.Run.Cookie, " of ", o.Run.Priority))
	}
	if diff := cmp.Diff([]string{"new-7 of 7", "new-5 of 5", "waits of 0", "new-0 of 0"}, got); diff != "" {
		t.Errorf("offers after the purge (-want +got):\n%s", diff)
	}
	if got := w.purge(keep, 1); got.Any() {
		t.Errorf("purged what is in use: %+v", got)
	}
}

// A route that is asked for from time to time stays, though no run has it.
func TestUsedRouteStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		w.now = t0.Add(time.Duration(i) * 20 * time.Hour)
		w.submit(fmt.Sprint(i))
		if _, _, err := w.Cancel(t.Context(), w.now, fmt.Sprint(i), "", ""); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(2 * time.Hour)
		if got := w.purge(keepFor(time.Minute, store.Cancelled), 9); got != (store.Purged{Runs: 1}) {
			t.Errorf("purged %+v, want the run alone", got)
		}
	}
}

// One of several servers purges. Its purges do not confuse what others know.
func TestOneOfSeveralPurges(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	one := newWorld(t)
	two := &world{t: t, url: one.url, now: t0}
	two.open()
	one.submit("a")
	two.submit("b") // and so knows the route
	for _, cookie := range []string{"a", "b"} {
		if _, _, err := one.Cancel(t.Context(), t0, cookie, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	one.now, two.now = t0.Add(48*time.Hour), t0.Add(48*time.Hour)
	if got := one.purge(keepFor(time.Hour, store.Cancelled), 9); got != (store.Purged{Runs: 2}) {
		t.Errorf("first purge = %+v, want the runs", got)
	}
	if old, err := two.Outdated(t.Context(), two.now, store.Retention{}); err != nil || old != nil {
		t.Errorf("Outdated() = %v, %v while another server purges, want nothing", old, err)
	}
	if got := one.purge(store.Retention{}, 9); got != (store.Purged{Routes: 1}) {
		t.Errorf("second purge = %+v, want the route", got)
	}
	two.submit("c")
	one.register("w", 1)
	if got := one.poll("w").Offers; len(got) != 1 || got[0].Run.Cookie != "c" || got[0].Run.Queue != "q" {
		t.Errorf("offers = %+v, want the run that another server has taken on a route that is gone", got)
	}
	two.now = two.now.Add(time.Hour) // the first has gone away
	two.purge(store.Retention{}, 9)
}

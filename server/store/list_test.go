package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

func TestList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 10 {
		w.now = t0.Add(time.Duration(i) * time.Second)
		w.submit(fmt.Sprint(i), func(n *store.NewRun) {
			n.Pipeline = fmt.Sprint("p", i%2)
			n.Queue = fmt.Sprint("q", i%3)
			n.Submitter = fmt.Sprint("s", i%5)
			n.Tags = map[string]string{"half": fmt.Sprint(i / 5), "even": fmt.Sprint(i%2 == 0)}
		})
	}
	w.register("w", 1, func(n *store.NewSession) {
		n.Queues, n.Pipelines = []string{"q0"}, []store.Pipeline{{Name: "p0"}}
	})
	h := w.run("w")
	w.finish(store.Result{Cookie: h.Cookie, Fence: 1, Worker: "w", RC: "EXCEPTION"})
	if _, _, err := w.Cancel(t.Context(), w.now, "5", "", ""); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		filter store.Filter
		want   string
	}{
		{name: "all, the newest first", want: "9876543210"},
		{name: "one state", filter: store.Filter{States: []store.State{store.Failed}}, want: "0"},
		{name: "states in any order, repeated", filter: store.Filter{States: []store.State{store.Cancelled, store.Failed, store.Failed}}, want: "50"},
		{name: "states that have and have not ended", filter: store.Filter{States: []store.State{store.Failed, store.Queued}}, want: "987643210"},
		{name: "pipeline", filter: store.Filter{Pipeline: "p1"}, want: "97531"},
		{name: "queue", filter: store.Filter{Queue: "q2"}, want: "852"},
		{name: "worker", filter: store.Filter{Worker: "w"}, want: "0"},
		{name: "submitter", filter: store.Filter{Submitter: "s4"}, want: "94"},
		{name: "tag", filter: store.Filter{Tags: map[string]string{"half": "1"}}, want: "98765"},
		{name: "every tag", filter: store.Filter{Tags: map[string]string{"half": "1", "even": "true"}}, want: "86"},
		{name: "time", filter: store.Filter{Since: t0.Add(3 * time.Second), Until: t0.Add(6 * time.Second)}, want: "543"},
		{name: "all at once", filter: store.Filter{
			States: []store.State{store.Queued}, Pipeline: "p1", Queue: "q0", Submitter: "s4",
			Tags: map[string]string{"half": "1"}, Since: t0, Until: t0.Add(time.Hour),
		}, want: "9"},
		{name: "none", filter: store.Filter{Pipeline: "p"}, want: ""},
	} {
		for _, size := range []int{1, 2, 3, 100} {
			got, pages := "", 0
			for before := int64(-1); before != 0; pages++ {
				runs, next, err := w.List(t.Context(), tt.filter, max(0, before), size)
				if err != nil {
					t.Fatalf("%s: List() = %v", tt.name, err)
				}
				for _, r := range runs {
					got += r.Cookie
				}
				before = next
			}
			if want := max(1, (len(tt.want)+size-1)/size); got != tt.want || pages != want {
				t.Errorf("%s: List() by %d = %q on %d pages, want %q on %d", tt.name, size, got, pages, tt.want, want)
			}
		}
	}
}

// TestListOfEveryFilter compares pages with what a filter means, for runs in most
// states: the statement that reads them depends on the filter.
func TestListOfEveryFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	letter := func(prefix string, i, of int) string { return fmt.Sprint(prefix, i%of) }
	for i := range 36 {
		w.submit(fmt.Sprint(i), func(n *store.NewRun) {
			n.Queue, n.Pipeline, n.Submitter, n.Priority = letter("q", i, 2), letter("p", i, 3), letter("s", i/2, 2), i%4
			if i%6 == 5 {
				n.NotBefore = w.now.Add(time.Hour)
			}
		})
	}
	for i, codes := range [][]string{{"OK", "EXCEPTION", "OK", "CANCELLED"}, {"TIMEOUT", "OK", "EXCEPTION"}} {
		name := letter("w", i, 2)
		w.register(name, 8, func(n *store.NewSession) { n.Queues = []string{"q0", "q1"} })
		holding := held(w.poll(name).Offers)
		for j, h := range holding[:len(codes)] {
			w.finish(store.Result{Cookie: h.Cookie, Fence: h.Fence, Worker: name, RC: codes[j]})
		}
		w.beat(name, holding[len(codes):len(codes)+2]...) // which is half of them
	}
	all, _, err := w.List(t.Context(), store.Filter{}, 0, 100)
	if err != nil || len(all) != 36 {
		t.Fatalf("List() = %d runs, %v", len(all), err)
	}
	seen := map[store.State]bool{}
	for _, r := range all {
		seen[r.State] = true
	}
	if len(seen) != 8 {
		t.Fatalf("runs are in %v, want in all states but one", seen)
	}
	fits := func(f store.Filter, r store.Run) bool {
		is := func(want, have string) bool { return want == "" || want == have }
		return (len(f.States) == 0 || slices.Contains(f.States, r.State)) && is(f.Worker, r.Worker) && is(f.Queue, r.Queue) &&
			is(f.Pipeline, r.Pipeline) && is(f.Submitter, r.Submitter)
	}
	for set := 0; set < 1<<8; set += 11 { // of states, none being any
		f := store.Filter{}
		for state := store.Scheduled; state <= store.TimedOut; state++ {
			if set&(1<<state) != 0 {
				f.States = append(f.States, state)
			}
		}
		for _, f.Worker = range []string{"", "w0"} {
			for _, f.Queue = range []string{"", "q0"} {
				for _, f.Pipeline = range []string{"", "p0"} {
					for _, f.Submitter = range []string{"", "s0"} {
						var got, want []string
						for _, r := range all {
							if fits(f, r) {
								want = append(want, r.Cookie)
							}
						}
						for before := int64(-1); before != 0; {
							var runs []store.Run
							if runs, before, err = w.List(t.Context(), f, max(0, before), 7); err != nil {
								t.Fatal(err)
							}
							for _, r := range runs {
								got = append(got, r.Cookie)
							}
						}
						if !slices.Equal(got, want) {
							t.Errorf("List(%+v) = %v, want %v", f, got, want)
						}
					}
				}
			}
		}
	}
}

func TestWorkersAndQueues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 2, func(n *store.NewSession) {
		n.Version, n.Labels, n.Pipelines = "v1", map[string]string{"a": "b"}, []store.Pipeline{{Name: "p", Digest: "x"}}
	})
	w.register("v", 1, func(n *store.NewSession) { n.Queues = []string{"none"} })
	for i := range 5 {
		w.submit(cookie(i), func(n *store.NewRun) { n.Priority = i })
	}
	w.submit("other", func(n *store.NewRun) { n.Queue = "r" })
	w.submit("later", func(n *store.NewRun) { n.NotBefore = t0.Add(time.Hour) })
	w.poll("w")
	w.now = t0.Add(60 * time.Second)
	workers, err := w.Workers(t.Context(), w.now.Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	session := store.NewSession{Worker: "v", Session: "s", Capacity: 1, Queues: []string{"none"}, Lease: time.Minute}
	v := store.Worker{NewSession: session, RegisteredAt: t0, SeenAt: t0, ExpiresAt: t0.Add(time.Minute)}
	session = store.NewSession{
		Worker: "w", Session: "s", Version: "v1", Capacity: 2, Queues: []string{"q"}, Labels: map[string]string{"a": "b"},
		Pipelines: []store.Pipeline{{Name: "p", Digest: "x"}}, Lease: time.Minute,
	}
	wantDiff(t, "Workers()", workers, []store.Worker{
		v, {NewSession: session, Leased: 2, RegisteredAt: t0, SeenAt: t0, ExpiresAt: t0.Add(time.Minute)},
	})
	if workers, err := w.Workers(t.Context(), w.now); err != nil || !workers[0].Lost {
		t.Errorf("Workers() after the lease = %+v, %v, want them lost", workers, err)
	}
	for _, tt := range []struct {
		worker string
		at     time.Time
		want   bool
	}{{"w", w.now.Add(-time.Second), true}, {"w", w.now, false}, {"x", t0, false}} {
		if got, err := w.HasSession(t.Context(), tt.at, tt.worker); got != tt.want || err != nil {
			t.Errorf("HasSession(%s) at %s = %t, %v, want %t", tt.worker, tt.at, got, err, tt.want)
		}
	}
	queues, err := w.Queues(t.Context(), w.now)
	if err != nil {
		t.Fatal(err)
	}
	wantDiff(t, "Queues()", queues, []store.Queue{
		{Name: "q", Queued: 3, Scheduled: 1, Leased: 2, Demand: 5, Oldest: time.Minute},
		{Name: "r", Queued: 1, Demand: 1, Oldest: time.Minute},
	})
}

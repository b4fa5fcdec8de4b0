package store_test

import (
	"fmt"
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

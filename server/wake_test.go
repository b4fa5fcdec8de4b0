package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

// The server counts the free slots: a full worker's poll is parked, and a
// result that frees a slot brings the next RUN at once.
func TestSlots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 2)
	for _, cookie := range []string{"a", "b", "c", "d"} {
		w.submit(api.Submit{Cookie: cookie})
	}
	got := wk.poll()
	if diff := cmp.Diff([]string{"a", "b"}, runs(t, got)); diff != "" {
		t.Fatalf("poll (-want +got):\n%s", diff)
	}
	a, b := held(got[0]), held(got[1])
	if got := wk.poll(a, b); len(got) != 0 {
		t.Errorf("poll of a full worker = %+v, want nothing", got)
	}
	for _, want := range []string{"c", "d"} {
		parked := wk.park(a, b)
		w.parked(1)
		wk.finish(a)
		got := parked.packets()
		if diff := cmp.Diff([]string{want}, runs(t, got)); diff != "" {
			t.Fatalf("the parked poll (-want +got):\n%s", diff)
		}
		a = held(got[0])
	}
}

// A newer poll of the same worker releases the older.
func TestNewerPoll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	older := wk.park()
	w.parked(1)
	newer := wk.park()
	if got := older.packets(); len(got) != 0 {
		t.Errorf("the older poll = %+v, want nothing", got)
	}
	w.submit(api.Submit{Cookie: "c"})
	if diff := cmp.Diff([]string{"c"}, runs(t, newer.packets())); diff != "" {
		t.Errorf("the newer poll (-want +got):\n%s", diff)
	}
}

// A run goes to workers that take its queue and its pipeline and have all of
// its labels, and wakes no others.
func TestMatching(t *testing.T) {
	t.Parallel()
	type edit = func(*api.Register)
	queues := func(names ...string) edit { return func(in *api.Register) { in.Queues = names } }
	labels := func(m map[string]string) edit { return func(in *api.Register) { in.Labels = m } }
	pipelines := func(names ...string) edit {
		return func(in *api.Register) {
			in.Pipelines = []api.PipelineInfo{}
			for _, name := range names {
				in.Pipelines = append(in.Pipelines, api.PipelineInfo{Name: name})
			}
		}
	}
	digest := func(d string) edit {
		return func(in *api.Register) { in.Pipelines = []api.PipelineInfo{{Name: "p", Digest: d}} }
	}
	for _, tt := range []struct {
		name   string
		worker edit
		run    api.Submit
		fits   bool
	}{
		{"the default queue", queues(), api.Submit{}, true},
		{"another queue", queues(), api.Submit{Queue: "q"}, false},
		{"one of its queues", queues("r", "q"), api.Submit{Queue: "q"}, true},
		{"none of its queues", queues("r", "q"), api.Submit{}, false},
		{"more labels than are asked for", labels(map[string]string{"a": "1", "b": "2"}), api.Submit{Labels: map[string]string{"b": "2"}}, true},
		{"fewer labels than are asked for", labels(map[string]string{"a": "1"}), api.Submit{Labels: map[string]string{"a": "1", "b": "2"}}, false},
		{"a label with another value", labels(map[string]string{"a": "1"}), api.Submit{Labels: map[string]string{"a": "2"}}, false},
		{"an empty label is not an absent one", labels(nil), api.Submit{Labels: map[string]string{"a": ""}}, false},
		{"an empty label", labels(map[string]string{"a": ""}), api.Submit{Labels: map[string]string{"a": ""}}, true},
		{"a pipeline that it has", pipelines("o", "p"), api.Submit{}, true},
		{"a pipeline that it has not", pipelines("o"), api.Submit{}, false},
		{"no pipelines at all", pipelines(), api.Submit{}, false},
		{"the digest that it has", digest("1"), api.Submit{Digest: "1"}, true},
		{"another digest", digest("2"), api.Submit{Digest: "1"}, false},
		{"any digest", digest("2"), api.Submit{}, true},
		{"a digest of any pipeline", func(in *api.Register) { in.Pipelines = nil }, api.Submit{Digest: "1"}, false},
		{"any pipeline", func(in *api.Register) { in.Pipelines = nil }, api.Submit{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			simulated(t, func(w *world) {
				wk := w.register("w", 1, tt.worker)
				parked := wk.park()
				time.Sleep(10 * time.Second)
				in := tt.run
				in.Cookie = "c"
				w.submit(in)
				got := strings.Join(runs(w.t, parked.packets()), " ")
				if want := map[bool]string{true: "c"}[tt.fits]; got != want {
					w.t.Errorf("the parked poll = %q, want %q", got, want)
				}
				if looked := w.looked(time.Second); (looked > 0) != tt.fits {
					w.t.Errorf("%d polls looked at the store again, want it %v", looked, tt.fits)
				}
			})
		})
	}
}

// looked is how many workers' polls have looked at the store since their
// session was in for that long. The store notes it when a worker is seen.
func (w *world) looked(since time.Duration) int {
	w.t.Helper()
	n := 0
	for _, one := range into[api.WorkerList](w.t, w.want(200, "GET", "/v1/workers", nil)).Workers {
		if one.SeenAt.Sub(one.RegisteredAt) >= since {
			n++
		}
	}
	return n
}

// The highest priority goes first, and among equals the oldest.
func TestPriority(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, priority := range []int{0, -100, 5, 100, 5, 0} {
		w.submit(api.Submit{Cookie: fmt.Sprintf("%d:%d", i, priority), Priority: priority})
	}
	wk := w.register("w", 1)
	var got []string
	for range 6 {
		lease := wk.take()
		got = append(got, lease.Cookie)
		wk.finish(lease)
	}
	if diff := cmp.Diff([]string{"3:100", "2:5", "4:5", "0:0", "5:0", "1:-100"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// A poll that has been woken and whose client has gone leaves its wake-up to
// another.
func TestWakeUpOfOneThatHasGone(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		gone, other := w.register("gone", 1), w.register("other", 1)
		for i := range 20 {
			ctx, cut := context.WithCancel(w.t.Context())
			_ = gone.parkIn(ctx) // its end is an error
			synctest.Wait()
			waiting := other.park()
			synctest.Wait()
			began := time.Now()
			cookie := fmt.Sprint("c", i)
			go cut()
			w.submit(api.Submit{Cookie: cookie})
			// An offer to the one that has gone lapses first.
			got := waiting.packets()
			if took := time.Since(began); len(got) != 1 || took > 12*time.Second {
				w.t.Fatalf("round %d: the other poll = %+v after %v, want RUN", i, got, took)
			}
			other.finish(held(got[0]))
		}
	})
}

// A poll that is woken and may not take the run leaves it to another: here that
// of a worker which has left and still holds a lease.
func TestWakeUpOfOneThatTakesNothing(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		left, other := w.register("left", 2), w.register("other", 1)
		w.submit(api.Submit{Cookie: "busy"})
		lease := left.take()
		w.want(http.StatusNoContent, "DELETE", left.path("?session="+left.session), nil)
		left.park(lease)
		synctest.Wait()
		waiting := other.park()
		synctest.Wait()
		began := time.Now()
		w.submit(api.Submit{Cookie: "c"})
		if got := runs(w.t, waiting.packets()); len(got) != 1 || time.Since(began) > 0 {
			w.t.Errorf("the other poll = %v after %v, want the RUN at once", got, time.Since(began))
		}
	})
}

// A server that is started again knows what the workers take that it has not
// registered itself.
func TestWorkersOfTheServerBefore(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		other := w.register("other", 1, func(in *api.Register) { in.Queues = []string{"elsewhere"} })
		mine := w.register("mine", 1)
		w = w.again()
		other.world, mine.world = w, w
		other.park()
		synctest.Wait()
		waiting := mine.park()
		time.Sleep(10 * time.Second)
		w.submit(api.Submit{Cookie: "c"})
		if got := runs(w.t, waiting.packets()); len(got) != 1 {
			w.t.Errorf("the parked poll = %v, want the RUN", got)
		}
		if looked := w.looked(10 * time.Second); looked != 1 {
			w.t.Errorf("%d polls looked at the store, want 1", looked)
		}
		w.end()
	})
}

// A thousand parked polls cost nothing while nothing happens, and one submit
// wakes one of them.
func TestThousandParkedPolls(t *testing.T) {
	t.Parallel()
	const n = 1000
	simulated(t, func(w *world) {
		polls := []*pending{w.register("w", 1).park()}
		many := context.WithValue(w.t.Context(), oneOfMany{}, true)
		for i := range n - 1 {
			wk := &worker{world: w, name: fmt.Sprint("w", i)}
			a, err := w.send(w.request(many, "POST", "/v1/workers", api.Register{Name: wk.name, Capacity: 1}))
			if err != nil {
				w.t.Fatal(err)
			}
			wk.session = into[api.Registered](w.t, a).Session
			polls = append(polls, wk.parkIn(many))
		}
		synctest.Wait()
		if got := w.Parked(); got != n {
			w.t.Fatalf("%d polls are parked, want %d", got, n)
		}
		time.Sleep(10 * time.Second)
		w.submit(api.Submit{Cookie: "c"})
		synctest.Wait()
		if got := w.Parked(); got != n-1 {
			w.t.Errorf("%d polls are parked after one submit, want %d", got, n-1)
		}
		if looked := w.looked(time.Second); looked != 1 {
			w.t.Errorf("%d polls have looked at the store, want 1", looked)
		}
		w.state(api.StateOffered, "c")
		began := time.Now()
		w.stop()
		if got := runs(w.t, polls[0].packets()); len(got) != 1 {
			w.t.Errorf("the poll that waited longest = %v, want the RUN", got)
		}
		for i, p := range polls[1:] {
			if a := p.await(); a.status != http.StatusNoContent {
				w.t.Fatalf("poll %d at the server's end = %d %s, want 204", i+1, a.status, a.body)
			}
		}
		if took := time.Since(began); took > time.Second {
			w.t.Errorf("the polls were answered after %v", took)
		}
	})
}

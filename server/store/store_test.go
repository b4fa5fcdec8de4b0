package store_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(storetest.OnBoth(m)) }

// t0 is when every test begins.
var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is a store with a clock that the test moves.
type world struct {
	*store.Store
	t   testing.TB
	url string
	now time.Time

	aging   time.Duration // of the store
	holding []store.Held  // by worker "w", as claims leaves it
	edit    []func(*store.Options)
}

func newWorld(t testing.TB, edit ...func(*store.Options)) *world {
	t.Helper()
	w := &world{t: t, url: storetest.URL(t), now: t0, edit: edit}
	w.open()
	return w
}

// open opens the database, for the first time or again, and closes it with the test.
func (w *world) open() {
	w.t.Helper()
	o := store.Options{Log: slog.New(slog.DiscardHandler), Aging: w.aging}
	for _, edit := range w.edit {
		edit(&o)
	}
	s, err := store.Open(w.t.Context(), w.url, o)
	if err != nil {
		w.t.Fatalf("Open(%s) = %v", w.url, err)
	}
	w.Store = s
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Errorf("Close() = %v", err)
		}
	})
}

// reopen closes the store and opens it again.
func (w *world) reopen() {
	w.t.Helper()
	if err := w.Close(); err != nil {
		w.t.Fatalf("Close() = %v", err)
	}
	w.open()
}

// submit submits a run of pipeline "p" to queue "q", as edit changes it.
func (w *world) submit(cookie string, edit ...func(*store.NewRun)) store.Run {
	w.t.Helper()
	n := store.NewRun{Cookie: cookie, Digest: "d", Pipeline: "p", Queue: "q", MaxAttempts: 3, Variables: []byte(`{}`)}
	for _, e := range edit {
		e(&n)
	}
	r, _, err := w.Submit(w.t.Context(), w.now, n)
	if err != nil {
		w.t.Fatalf("Submit(%q) = %v", cookie, err)
	}
	return r.Run
}

// register opens session "s" of a worker with a lease of a minute for queue "q".
func (w *world) register(worker string, capacity int, edit ...func(*store.NewSession)) store.Registered {
	w.t.Helper()
	n := store.NewSession{Worker: worker, Session: "s", Capacity: capacity, Queues: []string{"q"}, Lease: time.Minute}
	for _, e := range edit {
		e(&n)
	}
	out, err := w.Register(w.t.Context(), w.now, n)
	if err != nil {
		w.t.Fatalf("Register(%q) = %v", worker, err)
	}
	return out
}

func (w *world) poll(worker string, holding ...store.Held) store.PollOut {
	w.t.Helper()
	out, err := w.Poll(w.t.Context(), w.now, store.PollIn{Worker: worker, Session: "s", Holding: holding, Max: 100})
	if err != nil {
		w.t.Fatalf("Poll(%q) = %v", worker, err)
	}
	return out
}

func (w *world) get(cookie string) store.Run {
	w.t.Helper()
	r, err := w.Get(w.t.Context(), cookie)
	if err != nil {
		w.t.Fatalf("Get(%q) = %v", cookie, err)
	}
	return r
}

func (w *world) finish(r store.Result) store.Verdict {
	w.t.Helper()
	verdicts, _, err := w.Finish(w.t.Context(), w.now, []store.Result{r})
	if err != nil {
		w.t.Fatalf("Finish(%q) = %v", r.Cookie, err)
	}
	return verdicts[0]
}

func held(offers []store.Offer) []store.Held {
	var out []store.Held
	for _, o := range offers {
		out = append(out, store.Held{Cookie: o.Run.Cookie, Fence: o.Run.Fence})
	}
	return out
}

func (w *world) beat(worker string, holding ...store.Held) store.BeatOut {
	w.t.Helper()
	out, err := w.Heartbeat(w.t.Context(), w.now, store.PollIn{Worker: worker, Session: "s", Holding: holding})
	if err != nil {
		w.t.Fatalf("Heartbeat(%q) = %v", worker, err)
	}
	return out
}

func (w *world) sweep() store.SweepOut {
	w.t.Helper()
	out, err := w.Sweep(w.t.Context(), w.now)
	if err != nil {
		w.t.Fatalf("Sweep() = %v", err)
	}
	return out
}

// run takes the next run to worker and has it accept it.
func (w *world) run(worker string) store.Held {
	w.t.Helper()
	out := w.poll(worker)
	if len(out.Offers) != 1 {
		w.t.Fatalf("Poll(%q) has %d offers, want 1", worker, len(out.Offers))
	}
	h := held(out.Offers)[0]
	w.poll(worker, h)
	return h
}

func (w *world) wantState(cookie string, want store.State) store.Run {
	w.t.Helper()
	r := w.get(cookie)
	if r.State != want {
		w.t.Errorf("run %q is %v, want %v", cookie, r.State, want)
	}
	return r
}

// moves writes moves as "cookie FROM>TO".
func moves(list []store.Moved) []string {
	out := []string{}
	for _, m := range list {
		out = append(out, fmt.Sprintf("%s %v>%v", m.Run.Cookie, m.From, m.To))
	}
	return out
}

func wantDiff(t testing.TB, call string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: (-want +got)\n%s", call, d)
	}
}

func TestStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 2)
	for i := range 3 {
		w.submit(fmt.Sprint("run-", i), func(n *store.NewRun) { n.Variables = []byte(`{"n":1}`) })
	}
	out := w.poll("w")
	if len(out.Offers) != 2 || out.Free != 0 || len(out.Moved) != 2 {
		t.Fatalf("Poll() = %+v, want two offers", out)
	}
	if o := out.Offers[0].Run; o.Cookie != "run-0" || o.Fence != 1 || string(o.Variables) != `{"n":1}` {
		t.Errorf("first offer = %+v, want run-0 with fence 1 and its variables", o)
	}
	w.now = w.now.Add(time.Second)
	out = w.poll("w", held(out.Offers)...)
	if len(out.Offers) != 0 || len(out.Moved) != 2 || out.Moved[0].To != store.Running {
		t.Fatalf("Poll(both) = %+v, want both running", out)
	}
	res := store.Result{Cookie: "run-0", Fence: 1, Worker: "w", RC: "OK", Result: []byte("0")}
	for _, want := range []store.Verdict{store.Accepted, store.Duplicate} {
		if got := w.finish(res); got != want {
			t.Errorf("Finish() = %v, want %v", got, want)
		}
	}
	res.Result = []byte("1")
	if got := w.finish(res); got != store.Stale {
		t.Errorf("Finish(other result) = %v, want stale", got)
	}
	if r := w.get("run-0"); r.State != store.Succeeded || string(r.Result) != "0" || r.RC != "OK" {
		t.Errorf("Get() = %+v, want the first result", r)
	}
	if out := w.poll("w", store.Held{Cookie: "run-1", Fence: 1}); len(out.Offers) != 1 || out.Offers[0].Run.Cookie != "run-2" {
		t.Errorf("Poll(one) = %+v, want run-2 for the free slot", out)
	}
}

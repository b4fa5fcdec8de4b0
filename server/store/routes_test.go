package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/server/store/storetest"
)

// fewRoutes is how many the stores of these tests let be live.
const fewRoutes = 5

// routesWorld is a store that lets few routes be live, with a worker for queue "q".
type routesWorld struct {
	*Store
	t   *testing.T
	url string
	now time.Time
}

func newRoutesWorld(t *testing.T) *routesWorld {
	t.Helper()
	s, url := openTest(t, Options{})
	w := &routesWorld{Store: s, t: t, url: url, now: scriptStart}
	s.writer.routes.limit = fewRoutes
	in := NewSession{Worker: "w", Session: "s", Capacity: 1000, Queues: []string{"q"}, Lease: time.Hour}
	if _, err := s.Register(t.Context(), w.now, in); err != nil {
		t.Fatal(err)
	}
	return w
}

// submit submits run "pN" of pipeline "pN", and so on a route of its own.
func (w *routesWorld) submit(n int, edit ...func(*NewRun)) error {
	run := newRun(fmt.Sprint("p", n))
	run.Pipeline = run.Cookie
	for _, e := range edit {
		e(&run)
	}
	_, _, err := w.Submit(w.t.Context(), w.now, run)
	return err
}

// fill submits the runs from first on, on as many routes as may be live.
func (w *routesWorld) fill(first int, edit ...func(*NewRun)) {
	w.t.Helper()
	for n := range fewRoutes {
		if err := w.submit(first+n, edit...); err != nil {
			w.t.Errorf("Submit(p%d) = %v", first+n, err)
		}
	}
}

// end cancels the runs from first on.
func (w *routesWorld) end(first int) {
	w.t.Helper()
	for n := range fewRoutes {
		if _, _, err := w.Cancel(w.t.Context(), w.now, fmt.Sprint("p", first+n), "", ""); err != nil {
			w.t.Errorf("Cancel(p%d) = %v", first+n, err)
		}
	}
}

func (w *routesWorld) live(want int) {
	w.t.Helper()
	if got, err := w.LiveRoutes(w.t.Context()); err != nil || got != want {
		w.t.Errorf("LiveRoutes() = %d, %v, want %d", got, err, want)
	}
}

// offers polls and returns the cookies of what comes.
func (w *routesWorld) offers() (cookies []string) {
	w.t.Helper()
	out, err := w.Poll(w.t.Context(), w.now, PollIn{Worker: "w", Session: "s", Max: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range out.Offers {
		cookies = append(cookies, o.Run.Cookie)
	}
	slices.Sort(cookies)
	return cookies
}

// Only runs that have not ended count against the number of routes. Those that
// have ended still say what they asked for, and are the answer to the same submit.
func TestEndedRunsLeaveRoomForRoutes(t *testing.T) {
	t.Parallel()
	w := newRoutesWorld(t)
	for round := range 3 {
		w.fill(10 * round)
		w.live(fewRoutes)
		w.now = w.now.Add(time.Minute)
		if err := w.submit(99); !errors.Is(err, ErrTooManyRoutes) {
			t.Errorf("Submit() beyond the limit = %v, want %v", err, ErrTooManyRoutes)
		}
		w.now = w.now.Add(time.Minute)
		if err := w.submit(0); err != nil {
			t.Errorf("Submit() of a run that is known = %v", err)
		}
		w.end(10 * round)
		w.live(0)
		w.now = w.now.Add(time.Minute)
	}
	if r, err := w.Get(t.Context(), "p1"); err != nil || r.Pipeline != "p1" || r.Queue != "q" || r.State != Cancelled {
		t.Errorf("Get(p1) = %+v, %v, want what it asked for", r, err)
	}
}

// Whatever a run waits for, its route is live.
func TestRoutesOfRunsThatHaveNotEndedAreLive(t *testing.T) {
	t.Parallel()
	w := newRoutesWorld(t)
	keyed := func(n *NewRun) { n.Concurrency = Concurrency{Key: "k", Limit: 1} }
	later := func(n *NewRun) { n.NotBefore = w.now.Add(time.Hour) }
	for n, edit := range []func(*NewRun){
		func(*NewRun) {}, // leased
		keyed,            // leased
		keyed,            // blocked
		later,            // scheduled
		func(*NewRun) {}, // queued
	} {
		if err := w.submit(n, edit); err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			if d := cmp.Diff([]string{"p0", "p1"}, w.offers()); d != "" {
				t.Errorf("offers: (-want +got)\n%s", d)
			}
		}
	}
	w.live(5)
	w.now = w.now.Add(time.Minute)
	if err := w.submit(5); !errors.Is(err, ErrTooManyRoutes) { // and the others are read anew
		t.Errorf("Submit() beyond the limit = %v, want %v", err, ErrTooManyRoutes)
	}
	w.now = w.now.Add(50 * time.Minute) // the session lasts, the offers do not
	if d := cmp.Diff([]string{"p0", "p1", "p4"}, w.offers()); d != "" {
		t.Errorf("offers: (-want +got)\n%s", d)
	}
}

// A server finds runs that another has queued on a route that it does not know,
// because the other has made it, or does not know any more.
func TestRouteOfAnotherServer(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	w := newRoutesWorld(t)
	s, err := Open(t.Context(), w.url, Options{Log: w.writer.log})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // nothing is under way
	other := *w
	other.Store = s
	heard := make(chan string, 100)
	ctx, stop := context.WithCancel(t.Context())
	var listen sync.WaitGroup
	defer listen.Wait()
	defer stop()
	listen.Go(func() {
		w.Listen(ctx, func(sig Signal) {
			if sig.Kind == Resync || sig.Kind == RunQueued {
				heard <- sig.Name
			}
		})
	})
	<-heard // it listens
	// take has the other queue a run, and this server offer it.
	take := func(n int) {
		t.Helper()
		run := newRun(fmt.Sprint("run-", n, "-", w.now.Unix()))
		run.Pipeline = fmt.Sprint("p", n)
		r, _, err := s.Submit(t.Context(), w.now, run)
		if err != nil {
			t.Fatal(err)
		}
		for name := ""; name != run.Cookie; name = <-heard { // a tick says so, for nobody has published it
		}
		if d := cmp.Diff([]string{run.Cookie}, w.offers()); d != "" {
			t.Fatalf("offers of p%d: (-want +got)\n%s", n, d)
		}
		verdicts, _, err := w.Finish(t.Context(), w.now, []Result{{Cookie: r.Cookie, Fence: 1, Worker: "w", RC: "OK"}})
		if err != nil || verdicts[0] != Accepted {
			t.Errorf("Finish() = %v, %v", verdicts, err)
		}
		w.now = w.now.Add(time.Minute)
	}
	elsewhere := func(n *NewRun) { n.Queue = "elsewhere" }
	w.offers()
	take(0) // that the other has made
	w.fill(11, elsewhere)
	w.end(11)
	w.now = w.now.Add(time.Minute)
	w.fill(21, elsewhere) // and so forgets those before
	take(0)
	take(1)
	w.end(21)
	w.now = w.now.Add(time.Minute)
	many := fewRoutes + 2*maxList // more than are looked for by their numbers
	for n := range many {
		if err := other.submit(100 + n); err != nil {
			t.Fatal(err)
		}
	}
	for seen := map[string]bool{}; len(seen) < many; seen[<-heard] = true {
	}
	if got := w.offers(); len(got) != many {
		t.Errorf("%d offers, want %d", len(got), many)
	}
}

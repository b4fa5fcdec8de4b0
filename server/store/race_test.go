package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// history is what the callers of a store were told.
type history struct {
	mu       sync.Mutex
	terminal map[string][]store.State  // moves to a last state, by cookie
	accepted map[string][]store.Result // results that were accepted, by cookie
	leases   map[string]bool           // that were offered, by cookie and fence
	wrong    []string
}

func newHistory() *history {
	return &history{terminal: map[string][]store.State{}, accepted: map[string][]store.Result{}, leases: map[string]bool{}}
}

func (h *history) moved(moves []store.Moved) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range moves {
		if m.From.Terminal() {
			h.wrong = append(h.wrong, fmt.Sprintf("%s moved from %v to %v", m.Run.Cookie, m.From, m.To))
		}
		if m.To.Terminal() {
			h.terminal[m.Run.Cookie] = append(h.terminal[m.Run.Cookie], m.To)
		}
		if m.To == store.Offered && m.From != m.To {
			lease := fmt.Sprint(m.Run.Cookie, " under fence ", m.Run.Fence)
			if h.leases[lease] {
				h.wrong = append(h.wrong, lease+" was offered twice")
			}
			h.leases[lease] = true
		}
	}
}

// clumsy is a worker that forgets offers, sends results twice and others than it
// did, hands runs back, and dies and comes back.
type clumsy struct {
	stores  []*store.Store // it calls any of them
	h       *history
	rand    *rand.Rand
	name    string
	session int
	holding []store.Held
}

func (c *clumsy) s() *store.Store { return c.stores[c.rand.IntN(len(c.stores))] }

func (c *clumsy) now() time.Time { return t0.Add(time.Duration(c.rand.IntN(50)) * time.Second) }

func (c *clumsy) register(t *testing.T) {
	c.session++
	out, err := c.s().Register(t.Context(), c.now(), store.NewSession{
		Worker: c.name, Session: fmt.Sprint(c.session), Capacity: 4, Queues: []string{"q"}, Lease: time.Minute, Holding: c.holding,
	})
	if err != nil {
		t.Errorf("Register() = %v", err)
	}
	c.holding = out.Adopted
	c.h.moved(out.Moved)
}

func (c *clumsy) turn(t *testing.T) {
	if c.rand.IntN(20) == 0 {
		if c.rand.IntN(2) == 0 {
			c.holding = nil
		}
		c.register(t)
	}
	out, err := c.s().Poll(t.Context(), c.now(), store.PollIn{
		Worker: c.name, Session: fmt.Sprint(c.session), Holding: c.holding, Max: 4,
	})
	if errors.Is(err, store.ErrNoSession) {
		c.register(t)
		return
	}
	if err != nil {
		t.Errorf("Poll() = %v", err)
		return
	}
	c.h.moved(out.Moved)
	for _, o := range out.Offers {
		if c.rand.IntN(5) > 0 { // or it was lost on the way
			c.holding = append(c.holding, store.Held{Cookie: o.Run.Cookie, Fence: o.Run.Fence})
		}
	}
	var results []store.Result
	for i, h := range c.holding {
		res := store.Result{Cookie: h.Cookie, Fence: h.Fence, Worker: c.name, RC: "OK", Result: fmt.Append(nil, c.rand.Int())}
		res.Release = c.rand.IntN(8) == 0
		other := res
		other.Result = []byte("other")
		if i%2 == 0 {
			results = append(results, res, res, other)
		}
	}
	verdicts, moved, err := c.s().Finish(t.Context(), c.now(), results)
	if err != nil {
		t.Errorf("Finish() = %v", err)
		return
	}
	c.h.moved(moved)
	c.h.mu.Lock()
	for i, v := range verdicts {
		if v == store.Accepted && !results[i].Release {
			c.h.accepted[results[i].Cookie] = append(c.h.accepted[results[i].Cookie], results[i])
		}
	}
	c.h.mu.Unlock()
	kept := c.holding[:0]
	for i, h := range c.holding {
		if i%2 == 1 {
			kept = append(kept, h)
		}
	}
	c.holding = kept
}

// TestOneResult has clumsy workers, cancellations and sweeps fight over runs. In
// the end each has ended once, and as its one accepted result says, if it has one.
func TestOneResult(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := newHistory()
	stores := []*store.Store{w.Store}
	if storetest.Kind() == storetest.Postgres {
		stores = append(stores, w.beside().Store, w.beside().Store)
	}
	const runs, workers = 150, 4
	quit := make(chan struct{})
	var work, noise sync.WaitGroup
	for i := range workers {
		c := &clumsy{stores: stores, h: h, rand: rand.New(rand.NewPCG(1, uint64(i))), name: fmt.Sprint("w", i)}
		c.register(t)
		noise.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
					c.turn(t)
				}
			}
		})
	}
	for i, s := range stores {
		noise.Go(func() {
			clock := rand.New(rand.NewPCG(2, uint64(i)))
			for {
				select {
				case <-quit:
					return
				default:
				}
				out, err := s.Sweep(t.Context(), t0.Add(time.Duration(clock.IntN(120))*time.Second))
				if err != nil {
					t.Errorf("Sweep() = %v", err)
					return
				}
				h.moved(out.Moved)
			}
		})
	}
	for c := range 4 {
		s := stores[c%len(stores)]
		work.Go(func() {
			for i := c; i < runs; i += 4 {
				for range 2 {
					if _, _, err := s.Submit(t.Context(), t0, store.NewRun{Cookie: cookie(i), Pipeline: "p", Queue: "q", MaxAttempts: 1000}); err != nil {
						t.Errorf("Submit() = %v", err)
					}
				}
				if i%5 == 0 {
					_, moved, err := s.Cancel(t.Context(), t0, cookie(i), "", "")
					if err != nil {
						t.Errorf("Cancel() = %v", err)
					}
					h.moved(moved)
				}
			}
		})
	}
	work.Wait()
	close(quit)
	noise.Wait()
	if len(stores) > 1 {
		w = w.beside() // it has to look, as it has heard nothing of what the others queued
	}
	finishAll(w, h)
	h.check(t, w, runs)
}

// finishAll lets every lease run out and has a careful worker do what is left.
func finishAll(w *world, h *history) {
	w.now = t0.Add(time.Hour)
	h.moved(w.sweep().Moved)
	w.register("careful", 1)
	for {
		out := w.poll("careful")
		h.moved(out.Moved)
		if len(out.Offers) == 0 {
			later, _, err := w.List(w.t.Context(), store.Filter{States: []store.State{store.Scheduled}}, 0, 1)
			if err != nil {
				w.t.Fatal(err)
			}
			if len(later) == 0 {
				return
			}
			w.now = later[0].Due // a run that lost several workers waits for a while
			h.moved(w.sweep().Moved)
			w.register("careful", 1)
			continue
		}
		res := store.Result{Cookie: out.Offers[0].Run.Cookie, Fence: out.Offers[0].Run.Fence, Worker: "careful", RC: "OK", Result: []byte("careful")}
		verdicts, moved, err := w.Finish(w.t.Context(), w.now, []store.Result{res})
		if err != nil || verdicts[0] != store.Accepted {
			w.t.Fatalf("Finish() = %v, %v", verdicts, err)
		}
		h.moved(moved)
		h.accepted[res.Cookie] = append(h.accepted[res.Cookie], res)
	}
}

func (h *history) check(t *testing.T, w *world, runs int) {
	t.Helper()
	for _, wrong := range h.wrong {
		t.Error(wrong)
	}
	states := map[store.State]int{}
	for i := range runs {
		r := w.get(cookie(i))
		states[r.State]++
		if ends := h.terminal[r.Cookie]; len(ends) != 1 || ends[0] != r.State {
			t.Errorf("run %s is %v and was reported to end as %v", r.Cookie, r.State, ends)
		}
		results := h.accepted[r.Cookie]
		switch {
		case r.State == store.Succeeded && (len(results) != 1 || string(results[0].Result) != string(r.Result) || results[0].Fence != r.Fence):
			t.Errorf("run %s has result %s under fence %d, accepted were %v", r.Cookie, r.Result, r.Fence, results)
		case r.State != store.Succeeded && len(results) != 0:
			t.Errorf("run %s is %v, but %v was accepted", r.Cookie, r.State, results)
		}
	}
	if states[store.Succeeded] == 0 || states[store.Cancelled] == 0 {
		t.Errorf("states = %v, want successes and cancellations", states)
	}
}

package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
	"github.com/pullrun/pullrun/poller"
	"github.com/pullrun/pullrun/poller/faultproxy"
)

// A far worker is all of a worker but its pipelines, behind a path with faults.
type farWorker struct {
	*world
	name  string
	near  *client.Client // of who submits
	proxy *faultproxy.Proxy
	log   *lockedBuffer

	mu sync.Mutex
	// Guarded by mu.
	fences   map[string]map[int64]bool // of the RUN packets, by cookie
	executed map[string]int            // by cookie
	holds    []time.Duration           // of the polls
}

// workTime is how long a run takes.
const workTime = 3 * time.Second

// far starts a worker, in a bubble, which takes the runs of the queue of its
// name and ends with the returned function.
func far(w *world, name string, fault func(faultproxy.Exchange) faultproxy.Fault) (*farWorker, func()) {
	w.t.Helper()
	f := &farWorker{world: w, name: name, log: &lockedBuffer{}, fences: make(map[string]map[int64]bool), executed: make(map[string]int)}
	pipes := faultproxy.NewPipes()
	f.proxy = faultproxy.New(faultproxy.Config{Listener: pipes, Fault: fault, Dial: func(ctx context.Context) (net.Conn, error) {
		return w.setup.pipes.Dial(ctx, "", "")
	}})
	c, err := client.New(client.Config{URL: "http://pipe", Transport: client.Transport{Dial: pipes.Dial}})
	if err != nil {
		w.t.Fatal(err)
	}
	if f.near, err = client.New(client.Config{URL: "http://pipe", Transport: client.Transport{Dial: w.setup.pipes.Dial}}); err != nil {
		w.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(f.log, nil))
	var p *poller.Poller
	m := manager.New(manager.Config{Worker: name, Capacity: 4, MaxResult: 1 << 20}, f, func(ctx context.Context, results []api.Result) ([]api.Verdict, error) {
		worker, session := p.Session()
		return c.PostResults(ctx, worker, api.Results{Session: session, Results: results})
	}, log)
	p = poller.New(poller.Config{Register: api.Register{Name: name, Capacity: 4, Queues: []string{name}}}, holds{c, f}, receipts{m, f}, log)
	ctx, stop := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	return f, func() {
		_ = m.Drain(ctx) // nothing is left, or the test has failed
		stop()
		if err := <-ended; err != nil {
			w.t.Errorf("Run() = %v", err)
		}
		c.Close()
		f.near.Close()
		f.proxy.Close()
		if w.t.Failed() {
			w.t.Logf("end of the worker's log:\n%s", f.log.last(4000))
		}
	}
}

// Run is a pipeline that knows which run it works on.
func (f *farWorker) Run(ctx context.Context, in engine.Input) (engine.Output, error) {
	var cookie string
	if err := json.Unmarshal(in.Variables, &struct{ Cookie *string }{&cookie}); err != nil {
		return engine.Output{}, err
	}
	f.mu.Lock()
	f.executed[cookie]++
	f.mu.Unlock()
	select {
	case <-ctx.Done():
		return engine.Output{}, context.Cause(ctx)
	case <-time.After(workTime):
		return engine.Output{Result: []byte(`"done"`)}, nil
	}
}

// holds notes what polls ask for.
type holds struct {
	*client.Client
	f *farWorker
}

func (h holds) Poll(ctx context.Context, worker string, in api.Poll) ([]api.Packet, error) {
	h.f.mu.Lock()
	h.f.holds = append(h.f.holds, time.Duration(in.HoldMS)*time.Millisecond)
	h.f.mu.Unlock()
	return h.Client.Poll(ctx, worker, in)
}

// receipts notes which leases have reached the worker.
type receipts struct {
	*manager.Manager
	f *farWorker
}

func (r receipts) Handle(p api.Packet) bool {
	if p.PacketType == api.PacketRun {
		r.f.mu.Lock()
		if r.f.fences[p.Cookie] == nil {
			r.f.fences[p.Cookie] = make(map[int64]bool)
		}
		r.f.fences[p.Cookie][p.Fence] = true
		r.f.mu.Unlock()
	}
	return r.Manager.Handle(p)
}

// order submits a run for the far worker.
func (f *farWorker) order(cookie string) {
	f.t.Helper()
	f.orderLarge(cookie, 0)
}

// orderLarge submits one with more variables, of a size in bytes.
func (f *farWorker) orderLarge(cookie string, size int) {
	f.t.Helper()
	variables := fmt.Sprintf(`{"Cookie":%q,"Data":%q}`, cookie, strings.Repeat("x", size))
	in := api.Submit{Cookie: cookie, Pipeline: "p", Queue: f.name, Variables: json.RawMessage(variables)}
	if _, err := f.near.Submit(f.t.Context(), in, 0); err != nil {
		f.t.Errorf("submit %s: %v", cookie, err)
	}
}

// settled waits for the run to succeed, and checks that no lease of it was
// worked on twice.
func (f *farWorker) settled(cookie string, within time.Duration) (api.Run, bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), within)
	defer cancel()
	run, err := f.near.Wait(ctx, cookie)
	if err != nil || run.State != api.StateSucceeded {
		f.t.Errorf("run %s is %s (%s) after %s: %v, want SUCCEEDED", cookie, run.State, run.Error, within, err)
		return run, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if n, leases := f.executed[cookie], len(f.fences[cookie]); n > leases || n == 0 {
		f.t.Errorf("run %s was worked on %d times with %d leases", cookie, n, leases)
	}
	return run, true
}

// A poll's answer that carries a RUN is lost after any of its bytes, and the
// run is offered again with the same lease: it is neither lost nor worked on
// twice, and no attempt is charged.
func TestAnswersCutAtEveryByte(t *testing.T) {
	t.Parallel()
	const workers = 8 // together, so that their commits are
	simulated(t, func(w *world) {
		var all sync.WaitGroup
		for first := range workers {
			all.Go(func() { w.cutAtEvery(first, workers) })
		}
		all.Wait()
	})
}

// cutAtEvery cuts the answers of a worker's polls after first bytes, and after
// so many more each time.
func (w *world) cutAtEvery(first, more int) {
	at := first
	// Of the polls, every other is cut: the one that parks, and not the one
	// that comes after it.
	cut := false
	f, end := far(w, fmt.Sprintf("w%d", first), func(e faultproxy.Exchange) faultproxy.Fault {
		if !strings.HasSuffix(e.Path, "/poll") {
			return faultproxy.Fault{}
		}
		if cut = !cut; !cut {
			return faultproxy.Fault{}
		}
		at += more
		return faultproxy.Fault{Kind: faultproxy.CutAt, At: at - more}
	})
	defer end()
	for n := 0; ; n++ {
		time.Sleep(time.Second) // the poll to be cut is parked now
		here := first + n*more
		cookie := fmt.Sprintf("cut-at-%d", here)
		f.order(cookie)
		began := time.Now()
		run, ok := f.settled(cookie, time.Minute)
		if took := time.Since(began); !ok || took > workTime+2*time.Second || run.Attempt != 1 || len(f.fences[cookie]) != 1 {
			w.t.Errorf("cut at byte %d, the run took %s, %d attempts and the leases %v", here, took, run.Attempt, f.fences[cookie])
			return
		}
		if cuts := f.proxy.Happened(faultproxy.CutAt); cuts != n+2 { // the next is parked
			if cuts != n+1 || here < 300 {
				w.t.Errorf("cut at byte %d, %d polls were chosen to be cut, want %d", here, cuts, n+2)
			}
			return // it was whole
		}
	}
}

// always has the fault happen to every exchange, and often to one in three.
func always(f faultproxy.Fault) func(faultproxy.Exchange) faultproxy.Fault {
	return func(faultproxy.Exchange) faultproxy.Fault { return f }
}

func often(f faultproxy.Fault) func(faultproxy.Exchange) faultproxy.Fault {
	return func(e faultproxy.Exchange) faultproxy.Fault {
		if e.N%3 == 1 {
			return f
		}
		return faultproxy.Fault{}
	}
}

// Whatever the path does, each run ends well, no lease is worked on twice, and
// where nothing but waiting is cut, no run is late.
// Large runs arrive on a path that carries little, some in one answer and one by one
// where they are larger than that, though an answer takes longer than its poll is
// held, an offer waits and a session lasts.
func TestLargeRunsOnSlowPaths(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		const rate = 17 << 10 // bytes a second
		f, end := far(w, "slow", func(x faultproxy.Exchange) faultproxy.Fault {
			if !strings.HasSuffix(x.Path, "/poll") {
				return faultproxy.Fault{}
			}
			return faultproxy.Fault{Kind: faultproxy.Drip, At: 64, After: time.Second * 64 / rate}
		})
		defer end()
		sizes := map[string]int{"alone": 400 << 10, "a": 120 << 10, "b": 120 << 10, "c": 120 << 10, "small": 100}
		for cookie, size := range sizes {
			f.orderLarge(cookie, size)
		}
		for cookie := range sizes {
			if run, ok := f.settled(cookie, 2*time.Minute); ok && (run.Attempt != 1 || !f.fences[cookie][1] || len(f.fences[cookie]) != 1) {
				w.t.Errorf("run %s ended on attempt %d with the leases %v, want 1 of each", cookie, run.Attempt, f.fences[cookie])
			}
		}
		if w.logged("worker has gone away, its leases are over") > 0 || bytes.Contains(f.log.Bytes(), []byte("registering again")) {
			w.t.Error("the session was lost while an answer was on its way")
		}
	}, func(s *setup) {
		s.MaxBody = 1 << 20
		s.Hold, s.Lease, s.Renew, s.timing.Offer = 8*time.Second, 12*time.Second, 3*time.Second, 2*time.Second
	})
}

func TestPaths(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault func(faultproxy.Exchange) faultproxy.Fault
		hold  time.Duration // of the server
		holds time.Duration // of polls, in the end; zero is not asked
		late  time.Duration // most that a run may take
	}{
		{"cut after 10 s", always(faultproxy.Fault{Kind: faultproxy.CutAfter, After: 10 * time.Second}), 25 * time.Second, 6250 * time.Millisecond, workTime + time.Second},
		{"cut after 30 s", always(faultproxy.Fault{Kind: faultproxy.CutAfter, After: 30 * time.Second}), 50 * time.Second, 25 * time.Second, workTime + time.Second},
		{"cut after 60 s", always(faultproxy.Fault{Kind: faultproxy.CutAfter, After: 60 * time.Second}), 110 * time.Second, 55 * time.Second, workTime + time.Second},
		{"504 after 10 s", always(faultproxy.Fault{Kind: faultproxy.Timeout, After: 10 * time.Second}), 25 * time.Second, 6250 * time.Millisecond, workTime + time.Second},
		{"504 after 30 s", always(faultproxy.Fault{Kind: faultproxy.Timeout, After: 30 * time.Second}), 50 * time.Second, 25 * time.Second, workTime + time.Second},
		{"504 after 60 s", always(faultproxy.Fault{Kind: faultproxy.Timeout, After: 60 * time.Second}), 110 * time.Second, 55 * time.Second, workTime + time.Second},
		{"502 in HTML", often(faultproxy.Fault{Kind: faultproxy.BadGateway}), 25 * time.Second, 25 * time.Second, time.Minute},
		{"resets", often(faultproxy.Fault{Kind: faultproxy.Reset}), 25 * time.Second, 0, time.Minute},
		{"a byte a second", often(faultproxy.Fault{Kind: faultproxy.Drip, After: time.Second}), 25 * time.Second, 0, 5 * time.Minute},
		{"black holes", often(faultproxy.Fault{Kind: faultproxy.BlackHole}), 25 * time.Second, 25 * time.Second, 15 * time.Minute},
		{"requests twice", often(faultproxy.Fault{Kind: faultproxy.Duplicate}), 25 * time.Second, 0, 2 * time.Minute},
		{"requests late", often(faultproxy.Fault{Kind: faultproxy.Delay, After: 5 * time.Second}), 25 * time.Second, 25 * time.Second, time.Minute},
		{"answers late", often(faultproxy.Fault{Kind: faultproxy.Late, After: 5 * time.Second}), 25 * time.Second, 25 * time.Second, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			simulated(t, func(w *world) {
				f, end := far(w, "w", tt.fault)
				defer end()
				const runs = 40
				longest := f.work(runs, 17*time.Second, time.Hour)
				time.Sleep(10 * time.Minute) // idle, as most of the time
				longest = max(longest, f.work(1, 0, time.Hour))
				if longest > tt.late {
					w.t.Errorf("a run took %s, want at most %s", longest, tt.late)
				}
				f.mu.Lock()
				defer f.mu.Unlock()
				if last := f.holds[len(f.holds)-1]; tt.holds > 0 && last != tt.holds {
					w.t.Errorf("polls ask to be held for %s in the end, want %s", last, tt.holds)
				}
			}, func(s *setup) { s.Hold, s.Lease = tt.hold, max(time.Minute, 2*tt.hold) })
		})
	}
}

// work has so many runs worked on, one every so often, and returns how long the
// longest took.
func (f *farWorker) work(runs int, every, patience time.Duration) (longest time.Duration) {
	f.t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	for range runs {
		began := time.Now()
		cookie := fmt.Sprintf("run-%d", began.UnixMilli())
		f.order(cookie)
		all.Go(func() {
			f.settled(cookie, patience)
			mu.Lock()
			defer mu.Unlock()
			longest = max(longest, time.Since(began))
		})
		time.Sleep(every)
	}
	all.Wait()
	return longest
}

// A mixture of all that can happen to a network.
func TestMixedPaths(t *testing.T) {
	t.Parallel()
	seeds := 5
	if os.Getenv("PULLRUN_TEST_LONG") != "" {
		seeds = 200
	}
	seed := faultproxy.Seed(t)
	for n := range seeds {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			simulated(t, func(w *world) {
				f, end := far(w, "w", faultproxy.Mixed(seed+uint64(n), 3))
				defer end()
				// A path that is away for a while, longer than leases last,
				// and heals. What it does to a run, it does within that.
				w.held.Go(func() {
					time.Sleep(5 * time.Minute)
					f.proxy.Block(true)
					time.Sleep(90 * time.Second)
					f.proxy.Block(false)
				})
				f.work(60, 11*time.Second, time.Hour)
				if all, none := f.proxy.Exchanges(), f.proxy.Happened(faultproxy.None); all-none < 20 {
					w.t.Errorf("only %d of %d exchanges had a fault", all-none, all)
				}
			}, func(s *setup) { s.MaxAttempts = 100 })
		})
	}
}

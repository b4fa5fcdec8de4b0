package faults

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/poller/faultproxy"
	"github.com/pullrun/pullrun/server"
	"github.com/pullrun/pullrun/server/store"
)

// A sim is a server on SQLite, real workers and clients in one bubble of
// simulated time, over a network in memory. The same seed makes the same
// choices; in which order goroutines run that are due at the same time is the
// scheduler's.
type sim struct {
	t       *testing.T
	seed    uint64
	dir     string
	log     *slog.Logger
	history *history
	work    *engine.Collection
	pipes   atomic.Pointer[faultproxy.Pipes] // to the server of now; nil while there is none
	healed  atomic.Bool
	paths   []*path
	faults  atomic.Int64 // that happened
}

func newSim(t *testing.T, seed uint64, dir string) *sim {
	s := &sim{t: t, seed: seed, dir: dir, log: quiet, history: newHistory()}
	if os.Getenv("PULLRUN_TEST_SEED") != "" { // somebody looks into an hour
		s.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s.work = s.pipelines()
	return s
}

func (s *sim) dice(who int) *rand.Rand { return rand.New(rand.NewPCG(s.seed, uint64(who))) }

// serve runs a server on the simulation's database until ctx ends.
func (s *sim) serve(ctx context.Context) {
	st, err := store.Open(context.Background(), "sqlite://"+filepath.Join(s.dir, "runs.db"), store.Options{Log: s.log, Timing: store.DefaultTiming()})
	if err != nil {
		s.t.Error(err)
		return
	}
	pipes := faultproxy.NewPipes()
	srv, err := server.New(server.Config{
		Listen: "127.0.0.1:0", Listener: pipes, Hold: 25 * time.Second, Lease: time.Minute, Renew: 15 * time.Second,
		MaxAttempts: 3, MaxBody: 1 << 20, MaxResult: 1 << 20, ShutdownTimeout: 5 * time.Second, Version: "test",
	}, st, s.log)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.pipes.Store(pipes)
	if err := srv.Run(ctx); err != nil {
		s.t.Error(err)
	}
	s.pipes.Store(nil)
	if err := st.Close(); err != nil {
		s.t.Error(err)
	}
}

// dial connects to the server of now.
func (s *sim) dial(ctx context.Context) (net.Conn, error) {
	if p := s.pipes.Load(); p != nil {
		return p.Dial(ctx, "", "")
	}
	return nil, &net.OpError{Op: "dial", Err: net.ErrClosed}
}

// A path is the network between one caller and the server.
type path struct {
	*sim
	pipes *faultproxy.Pipes
	proxy *faultproxy.Proxy
}

// newPath makes a path on which one exchange in so many has a fault.
func (s *sim) newPath(who, oneIn int) *path {
	p := &path{sim: s, pipes: faultproxy.NewPipes()}
	choose := faultproxy.Mixed(s.seed<<8+uint64(who), oneIn)
	p.proxy = faultproxy.New(faultproxy.Config{Listener: p.pipes, Dial: s.dial, Fault: func(e faultproxy.Exchange) faultproxy.Fault {
		f := choose(e)
		if s.healed.Load() {
			return faultproxy.Fault{}
		}
		if f.Kind != faultproxy.None {
			s.faults.Add(1)
		}
		return f
	}})
	s.paths = append(s.paths, p)
	return p
}

// client makes a client at the end of the path, whose calls for a person are
// sent once.
func (p *path) client() *client.Client {
	c, err := client.New(client.Config{
		URL: "http://sim", Timeout: 20 * time.Second,
		Transport: client.Transport{Dial: p.pipes.Dial},
		Wrap:      func(next http.RoundTripper) http.RoundTripper { return counting{next} },
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// sleep lets simulated time pass, and reports whether ctx is alive after it.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// simulate lets the time pass with everything at work, and then heals the
// network and waits until every run has ended.
func (s *sim) simulate(long time.Duration, clients, workers int) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	trouble, over := context.WithCancel(ctx)
	var servers, all, callers sync.WaitGroup
	servers.Go(func() { s.restarting(trouble, ctx) })
	for i := range workers {
		w := &simWorker{sim: s, name: fmt.Sprint("w", i), path: s.newPath(i, 12)}
		all.Go(func() { w.lives(trouble, ctx, s.dice(100+i)) })
	}
	load := &load{t: s.t, seed: s.seed, history: s.history}
	everybody := make([]*caller, clients)
	for i := range everybody {
		c := s.newPath(50+i, 12).client()
		everybody[i] = &caller{load: load, client: c, rand: s.dice(i), name: fmt.Sprint("c", i), twice: true}
		callers.Go(func() {
			defer c.Close()
			s.visit(trouble, everybody[i])
		})
	}
	s.outages(trouble)
	sleep(trouble, long)
	over()
	callers.Wait()
	s.healed.Store(true)
	s.settle(ctx, load, everybody)
	stop()
	all.Wait()
	servers.Wait()
	for _, p := range s.paths {
		p.proxy.Close()
	}
}

// restarting has a server there, which is started again a few times before
// trouble ends, until ctx does.
func (s *sim) restarting(trouble, ctx context.Context) {
	dice := s.dice(1)
	for ctx.Err() == nil {
		life, end := context.WithCancel(ctx)
		var serving sync.WaitGroup
		serving.Go(func() { s.serve(life) })
		if !sleep(trouble, time.Duration(dice.Int64N(int64(40*time.Minute)))) {
			<-ctx.Done()
		}
		end()
		serving.Wait()
		sleep(ctx, time.Duration(dice.Int64N(int64(90*time.Second))))
	}
}

// lives has a worker there, which is ended and started again now and then.
func (w *simWorker) lives(trouble, ctx context.Context, dice *rand.Rand) {
	for ctx.Err() == nil {
		life, end := context.WithCancel(ctx)
		var living sync.WaitGroup
		patience := time.Duration(dice.Int64N(int64(20 * time.Second)))
		living.Go(func() { w.live(life, patience) })
		if !sleep(trouble, time.Duration(dice.Int64N(int64(40*time.Minute)))) {
			<-ctx.Done()
		}
		end()
		living.Wait()
		sleep(trouble, time.Duration(dice.Int64N(int64(2*time.Minute))))
	}
}

// outages make whole paths black holes for a while, some longer than leases
// last.
func (s *sim) outages(trouble context.Context) {
	for i, p := range s.paths {
		dice := s.dice(200 + i)
		go func() {
			for sleep(trouble, time.Duration(dice.Int64N(int64(30*time.Minute)))) {
				p.proxy.Block(true)
				sleep(trouble, time.Duration(dice.Int64N(int64(3*time.Minute))))
				p.proxy.Block(false)
			}
		}()
	}
}

// visit is a client that comes back every minute or so.
func (s *sim) visit(ctx context.Context, c *caller) {
	for sleep(ctx, time.Duration(c.rand.Int64N(int64(90*time.Second)))) {
		if len(c.mine) == 0 || c.rand.IntN(3) > 0 {
			s.order(ctx, c)
			continue
		}
		i := max(0, len(c.mine)-1-c.rand.IntN(6))
		switch c.rand.IntN(5) {
		case 0:
			c.submit(ctx, c.wants[i])
		case 1:
			other := c.wants[i]
			other.Variables = []byte(`{"other":true}`)
			c.submit(ctx, other)
		case 2:
			c.cancel(ctx, c.mine[i])
		default:
			c.get(ctx, c.mine[i], 10*time.Second)
		}
	}
}

// order submits a new run until it is accepted.
func (s *sim) order(ctx context.Context, c *caller) {
	in := api.Submit{Pipeline: "work", Cookie: fmt.Sprint(c.name, "-", len(c.mine)), MaxAttempts: 20}
	seconds, fail := c.rand.IntN(40), false
	switch c.rand.IntN(8) {
	case 0:
		in.Delivery, in.MaxAttempts = api.AtMostOnce, 3
	case 1:
		in.MaxAttempts = 1 + c.rand.IntN(2)
	case 2:
		soon := time.Now().Add(time.Duration(c.rand.IntN(120)) * time.Second).Truncate(time.Microsecond)
		in.NotBefore = &soon
	case 3:
		in.Concurrency = &api.Concurrency{Key: c.name, Limit: 1}
	case 4:
		in.Retry, fail = &api.Retry{Max: 2, BackoffMS: 1000, MaxBackoffMS: 20_000, On: []api.RetryCode{api.RetryProcessorException}}, true
	case 5:
		fail = true
	case 6:
		seconds = 90 + c.rand.IntN(60) // longer than a lease
	}
	in.Variables = fmt.Appendf(nil, `{"cookie":%q,"seconds":%d,"fail":%v,"once":%v}`, in.Cookie, seconds, fail, in.Delivery == api.AtMostOnce)
	c.mine, c.wants = append(c.mine, in.Cookie), append(c.wants, in)
	for !c.submit(ctx, in) && sleep(ctx, time.Second) {
	}
	if c.rand.IntN(6) == 0 && sleep(ctx, time.Duration(c.rand.IntN(30))*time.Second) {
		c.cancel(ctx, in.Cookie)
	}
}

// settle waits until each run has ended, and reads all of them again.
func (s *sim) settle(ctx context.Context, l *load, callers []*caller) {
	c := s.newPath(99, 1).client()
	defer c.Close()
	reader := &caller{load: l, client: c, rand: s.dice(99)}
	within, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	for range 2 {
		for _, caller := range callers {
			for _, cookie := range caller.mine {
				for within.Err() == nil && !reader.ended(within, cookie) {
				}
			}
		}
	}
}

// simDir is a place for the files of simulations where writing takes no real
// time, if there is one.
func simDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "pullrun-sim-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

package poller_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/poller"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What the scripted server asks for, unless a test says otherwise.
const (
	holdTime  = 25 * time.Second
	leaseTime = 60 * time.Second
	renewTime = 15 * time.Second
)

// A server answers the n-th call of each kind, from 0, as its script says, or
// as a server that has nothing to say.
type server struct {
	register  func(n int, in api.Register) (api.Registered, error)
	poll      func(ctx context.Context, n int, in api.Poll) ([]api.Packet, error)
	heartbeat func(ctx context.Context, n int, in api.Heartbeat) (api.Beat, error)
	leave     func(ctx context.Context) error

	mu        sync.Mutex
	registers []api.Register
	polls     []seen[api.Poll]
	beats     []seen[api.Heartbeat]
	left      []string
}

type seen[T any] struct {
	at time.Time
	in T
}

func (s *server) Register(ctx context.Context, in api.Register) (api.Registered, error) {
	s.mu.Lock()
	n := len(s.registers)
	s.registers = append(s.registers, in)
	s.mu.Unlock()
	if ctx.Err() != nil {
		return api.Registered{}, ctx.Err()
	}
	if s.register != nil {
		return s.register(n, in)
	}
	return registered(n), nil
}

func registered(n int) api.Registered {
	return api.Registered{
		WorkerID: "w", Session: fmt.Sprint("s", n),
		HoldMS: holdTime.Milliseconds(), LeaseMS: leaseTime.Milliseconds(), RenewMS: renewTime.Milliseconds(),
	}
}

func (s *server) Poll(ctx context.Context, worker string, in api.Poll) ([]api.Packet, error) {
	s.mu.Lock()
	n := len(s.polls)
	s.polls = append(s.polls, seen[api.Poll]{time.Now(), in})
	s.mu.Unlock()
	if s.poll != nil {
		return s.poll(ctx, n, in)
	}
	return nothing(ctx, in)
}

// nothing holds a poll for its time.
func nothing(ctx context.Context, in api.Poll) ([]api.Packet, error) {
	return nil, pass(ctx, hold(in))
}

func hold(in api.Poll) time.Duration { return time.Duration(in.HoldMS) * time.Millisecond }

// pass lets time go by, unless ctx ends first.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (s *server) Heartbeat(ctx context.Context, worker string, in api.Heartbeat) (api.Beat, error) {
	s.mu.Lock()
	n := len(s.beats)
	s.beats = append(s.beats, seen[api.Heartbeat]{time.Now(), in})
	s.mu.Unlock()
	if ctx.Err() != nil {
		return api.Beat{}, ctx.Err()
	}
	if s.heartbeat != nil {
		return s.heartbeat(ctx, n, in)
	}
	return api.Beat{}, nil
}

func (s *server) Leave(ctx context.Context, worker, session string) error {
	s.mu.Lock()
	s.left = append(s.left, worker+" "+session)
	s.mu.Unlock()
	if s.leave != nil {
		return s.leave(ctx)
	}
	return nil
}

// counts are the calls so far.
func (s *server) counts() (registers, polls, beats int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.registers), len(s.polls), len(s.beats)
}

// A worker holds what it is sent, until it is told that a lease is lost.
type worker struct {
	mu      sync.Mutex
	held    []api.Held
	pause   time.Duration // of the next call of Holding
	packets []string
	lost    []seen[string]
	claimed []seen[string]
}

func (w *worker) Handle(p api.Packet) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packets = append(w.packets, strings.TrimSpace(string(p.PacketType)+" "+p.Cookie))
	if p.PacketType == api.PacketRun {
		w.held = append(w.held, api.Held{Cookie: p.Cookie, Fence: p.Fence, Claim: p.Delivery == api.AtMostOnce})
	}
	return !strings.HasPrefix(p.Cookie, "refused")
}

func (w *worker) Holding() []api.Held {
	w.mu.Lock()
	pause, held := w.pause, slices.Clone(w.held)
	w.pause = 0
	w.mu.Unlock()
	time.Sleep(pause)
	return held
}

// Leases notes what is lost. The leases stay held, as those of a run that has
// not ended yet do.
func (w *worker) Leases(lost, claimed []api.Held) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range lost {
		w.lost = append(w.lost, seen[string]{time.Now(), h.Cookie})
	}
	for _, h := range claimed {
		w.claimed = append(w.claimed, seen[string]{time.Now(), h.Cookie})
	}
}

// A journal keeps the lines of a log above debug.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j *journal) WithGroup(string) slog.Handler            { return j }

func (j *journal) Handle(_ context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "took" || a.Key == "hold" && r.Level == slog.LevelWarn {
			line += fmt.Sprintf(" %s=%s", a.Key, a.Value)
		}
		return true
	})
	if r.Level > slog.LevelDebug {
		j.lines = append(j.lines, line)
	}
	return nil
}

// A test is a poller at work in a bubble of its own.
type test struct {
	*server
	*worker
	*journal
	p    *poller.Poller
	stop context.CancelFunc
	done chan error
}

func start(t *testing.T, s *server, held ...api.Held) *test {
	t.Helper()
	w := &test{server: s, worker: &worker{held: held}, journal: &journal{}, done: make(chan error, 1)}
	w.p = poller.New(poller.Config{Register: api.Register{Name: "w", Capacity: 4}}, w.server, w.worker, slog.New(w.journal))
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	go func() { w.done <- w.p.Run(ctx) }()
	t.Cleanup(stop)
	return w
}

// end stops the poller and returns what Run returned.
func (w *test) end() error {
	w.stop()
	return <-w.done
}

// logged compares the lines above debug.
func (w *test) logged(t *testing.T, want ...string) {
	t.Helper()
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	if !slices.Equal(w.lines, want) {
		t.Errorf("logged\n got %q\nwant %q", w.lines, want)
	}
}

// bubble runs f where time is simulated.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

var (
	errRefused = fmt.Errorf("server: %w", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED})
	errCut     = fmt.Errorf("server: %w", io.EOF)
	run        = api.Packet{PacketType: api.PacketRun, Cookie: "a", Fence: 7}
	heldRun    = api.Held{Cookie: "a", Fence: 7}
)

// Package poller is the long-poll transport of a worker: it turns the server's
// answers into packets and hands them to a handler.
//
// The one idea: the next poll is the acknowledgement. Each poll names the
// leases that the handler holds, so whatever was lost on the way, an answer cut
// by a proxy or a poll that never arrived, is put right one round trip later.
// A full worker goes on polling, for CANCEL and SHUTDOWN come the same way.
//
// A [Poller] keeps one session with the server: it registers, polls, and renews
// the leases by heartbeats while something is held. It waits out every outage
// and registers again when the server has forgotten it. It ends when its
// context does, when the server refuses it, or when a newer worker of the same
// name takes over.
package poller

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pullrun/pullrun/api"
)

// A Server is what the poller calls. [client.Client] is one.
//
// [client.Client]: https://pkg.go.dev/github.com/pullrun/pullrun/api/client
type Server interface {
	Register(ctx context.Context, in api.Register) (api.Registered, error)
	Poll(ctx context.Context, worker string, in api.Poll) ([]api.Packet, error)
	Heartbeat(ctx context.Context, worker string, in api.Heartbeat) (api.Beat, error)
	Leave(ctx context.Context, worker, session string) error
}

// A Handler receives packets and knows which leases are held. Its methods are
// called from several goroutines and must not block.
type Handler interface {
	// Handle obeys one packet, and reports whether that changed anything.
	// Packets of one answer come in their order.
	Handle(packet api.Packet) bool
	// Holding names every lease whose result the server has not judged.
	Holding() []api.Held
	// Leases says which leases are no longer held, and which at-most-once
	// runs the server has recorded as started.
	Leases(lost, claimed []api.Held)
}

// ErrSuperseded ends a poller when another worker registered under its name.
var ErrSuperseded = errors.New("another worker has registered under this name")

// Config says who the worker is and how patient it is.
type Config struct {
	// Register is sent to open each session, until Announce changes it.
	Register api.Register
	// Hold bounds how long a poll may be held. Zero is the server's hold.
	// It is lowered when something on the path cuts polls earlier.
	Hold time.Duration
	// RetryMin and RetryMax bound the wait after a failed call: full jitter,
	// doubling. Zero is 200 ms and 30 s.
	RetryMin, RetryMax time.Duration
	// Opened is called after each registration, before the first poll, with
	// what the server answered. It must not block. Nil does nothing.
	Opened func(api.Registered)
	// Paused says why the worker wants no more runs for the time being, or
	// nothing when it wants some. It is asked every few seconds, and must not
	// block. Nil says nothing.
	Paused func() string
	// Room is how many more runs the worker takes, or -1 for as many as it has
	// slots. Nil is always -1.
	Room func() int
	// Run is the cookie of the only run that the worker takes. Empty takes any.
	Run string
	// Judged returns a channel that is closed when the server judges results the
	// next time. Nil polls again at once after every answer.
	Judged func() <-chan struct{}
}

// A Poller polls one server for one worker.
type Poller struct {
	cfg     Config
	server  Server
	handler Handler
	log     *slog.Logger

	process string // names this poller among all there ever were
	opens   int    // registrations that were sent; Run's alone

	presented atomic.Pointer[presentation] // the latest
	again     chan struct{}                // tells of a new one; has room for one
	session   atomic.Pointer[session]
	draining  atomic.Bool
	late      atomic.Int64 // when the answer to the poll is late, in Unix nanoseconds; zero between polls
	contact   contact
	hold      hold
	counts    counts
	turns     turns
}

// New makes a poller. It does nothing before Run.
func New(cfg Config, server Server, handler Handler, log *slog.Logger) *Poller {
	if cfg.RetryMin <= 0 {
		cfg.RetryMin = 200 * time.Millisecond
	}
	if cfg.RetryMax <= 0 {
		cfg.RetryMax = 30 * time.Second
	}
	if cfg.Opened == nil {
		cfg.Opened = func(api.Registered) {}
	}
	if cfg.Paused == nil {
		cfg.Paused = func() string { return "" }
	}
	if cfg.Room == nil {
		cfg.Room = func() int { return -1 }
	}
	p := &Poller{process: rand.Text(), cfg: cfg, server: server, handler: handler, log: log.With("component", "poller"), again: make(chan struct{}, 1)}
	p.presented.Store(&presentation{Register: cfg.Register})
	return p
}

// A session is what the server agreed to at REGISTER.
type session struct {
	worker, id   string
	lease, renew time.Duration
	hold         time.Duration
	body         int64         // size in bytes of the largest run
	presented    *presentation // what the server knows of the worker
	beat         chan struct{} // asks for a heartbeat now; has room for one
}

// LostFor is how long contact with the server has been lost. Zero while there is
// contact, or before the first call has failed.
func (p *Poller) LostFor() time.Duration {
	_, lost := p.contact.heardAndLost()
	if lost.IsZero() {
		return 0
	}
	return time.Since(lost)
}

// Session names the worker and its current session for calls that others
// make. Both are empty before the first registration.
func (p *Poller) Session() (worker, session string) {
	if s := p.session.Load(); s != nil {
		return s.worker, s.id
	}
	return "", ""
}

// Run polls until ctx is done, or a session is left that holds nothing, which are
// no errors, or until the server refuses this worker or has another of its name,
// which are. Every packet it received has been handed to the handler by the time
// it returns.
func (p *Poller) Run(ctx context.Context) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	watched, unwatch := context.WithCancel(ctx)
	defer unwatch()
	watching.Go(func() { p.leases(watched) })
	var wait backoff
	defer p.turns.over("poll")
	for {
		s, err := p.open(ctx)
		opened := time.Now()
		if err == nil {
			err = p.serve(ctx, s)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errAnnounced):
		case forgotten(err) && p.draining.Load() && len(p.handler.Holding()) == 0:
			return nil // it has been left
		case forgotten(err):
			if time.Since(opened) > p.cfg.RetryMax {
				wait = backoff{}
			}
			wait.next(p.cfg, nil)
			p.log.InfoContext(ctx, "session is unknown to the server, registering again", "retry_in", wait.wait)
			wait.sleep(ctx)
		case api.CodeOf(err) == api.CodeSessionSuperseded:
			p.handler.Leases(p.handler.Holding(), nil) // they went with the session
			return fmt.Errorf("worker %q: %w", p.cfg.Register.Name, ErrSuperseded)
		default:
			return err
		}
	}
}

// serve polls and sends heartbeats until the session or ctx ends. The first of
// the loops to fail stops the others.
func (p *Poller) serve(ctx context.Context, s *session) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	var once sync.Once
	var first error
	for _, loop := range []func(context.Context, *session) error{p.poll, p.heartbeat, p.announced} {
		all.Go(func() {
			err := loop(ctx, s)
			once.Do(func() { first = err })
			stop(err)
		})
	}
	all.Wait()
	return first
}

// poll is the loop of polls.
func (p *Poller) poll(ctx context.Context, s *session) error {
	var wait backoff
	away := false // the server was not reached
	for ctx.Err() == nil {
		asked := p.hold.under(s.hold)
		if away {
			asked = 0 // so that the end of the outage is noticed when it comes
		}
		began := time.Now()
		p.turns.within("poll", asked+holdMargin+api.Carry(api.MaxOffered+s.body))
		arrived := p.awaits(s, asked)
		packets, err := p.polled(ctx, s, p.ask(s, asked))
		arrived()
		if errors.Is(err, errPause) {
			continue
		}
		took := time.Since(began)
		away = unreached(took, p.hold.under(s.hold), err)
		switch {
		case err == nil:
			p.contact.made(ctx, p.log, "poll", began)
			p.hold.answered(took, asked)
			p.counts.answered(len(packets))
			if p.deliver(s, packets) || len(packets) == 0 && took >= asked/2 {
				p.gather(ctx, packets)
				wait = backoff{}
				continue
			}
			// Released before its time, for nothing, or with nothing that was
			// taken up. Once is as it should be when the server ends, or has not
			// heard yet what the worker has; it must not become a loop without a
			// pause.
			wait.next(p.cfg, nil)
			wait.wait = min(wait.wait, s.renew) // so that polls keep renewing the session
			wait.sleep(ctx)
		case ctx.Err() != nil:
			return nil
		case ended(err):
			return err
		case p.hold.cut(took, asked, err):
			p.counts.cut.Add(1)
			p.cut(ctx, s, asked, err)
		default:
			p.hold.failed()
			p.counts.failed.Add(1)
			p.failed(ctx, "poll", err, wait.next(p.cfg, err))
			p.turns.within("poll", wait.wait)
			wait.sleep(ctx)
		}
	}
	return nil
}

// ask is the next poll.
func (p *Poller) ask(s *session, hold time.Duration) api.Poll {
	in := api.Poll{
		Session: s.id, HoldMS: hold.Milliseconds(), Holding: p.handler.Holding(), Run: p.cfg.Run,
		Draining: p.draining.Load(), Paused: p.cfg.Paused(),
	}
	room := p.cfg.Room()
	if in.Paused != "" {
		room = 0 // for servers that do not know of pauses
	}
	if room >= 0 {
		in.MaxRuns = &room
	}
	return in
}

// cut notes that something on the way ended a poll early. It is as good as an
// empty answer: what the server may have sent, it sends again.
func (p *Poller) cut(ctx context.Context, s *session, asked time.Duration, err error) {
	if now := p.hold.under(s.hold); now < asked && !p.contact.isLost() {
		p.log.WarnContext(ctx, "polls are cut on the way, holding them shorter", "hold", now, "err", err)
		return
	}
	p.log.DebugContext(ctx, "poll was cut on the way", "hold", asked, "err", err)
}

// deliver hands packets over, in order. It asks for a heartbeat when one of
// them may only start once the server has recorded it, or when the poll that
// brought a run was held so long that its lease is due. It reports whether any of
// them changed anything.
func (p *Poller) deliver(s *session, packets []api.Packet) (changed bool) {
	beat := false
	due := time.Until(p.deadline(s)) < s.renew*6/5
	for _, packet := range packets {
		taken := p.handler.Handle(packet)
		changed = changed || taken
		beat = beat || taken && packet.PacketType == api.PacketRun && (due || packet.Delivery == api.AtMostOnce)
		if packet.PacketType == api.PacketShutdown {
			p.draining.Store(true) // so that it is not sent again
		}
	}
	if beat {
		s.askBeat()
	}
	return changed
}

func (p *Poller) failed(ctx context.Context, call string, err error, retry time.Duration) {
	if p.contact.lost(call) {
		p.log.WarnContext(ctx, "contact with the server is lost", "call", call, "err", err, "retry_in", retry)
		return
	}
	p.log.DebugContext(ctx, "call failed", "call", call, "err", err, "retry_in", retry)
}

// refused reports whether the server will not have this worker, so that asking
// again is useless until somebody changes something.
func refused(err error) bool {
	switch api.CodeOf(err) {
	case api.CodeUnauthorized, api.CodeForbidden, api.CodeInvalidRequest, api.CodeCookieNotFound, api.CodeRunEnded:
		return true
	}
	return false
}

// forgotten reports whether the server does not know the session.
func forgotten(err error) bool {
	switch api.CodeOf(err) {
	case api.CodeSessionNotFound, api.CodeWorkerNotFound:
		return true
	}
	return false
}

// ended reports whether the session is over.
func ended(err error) bool {
	return forgotten(err) || refused(err) || api.CodeOf(err) == api.CodeSessionSuperseded
}

// Package manager takes a worker's packets and answers each RUN with a result.
//
// It holds the worker's capacity: it runs pipelines side by side up to a
// number of slots, stops the one that a CANCEL names, and posts every result
// until the server has judged it. Whatever the server sends, the worker lives
// on: a RUN beyond capacity, a malformed one or a known cookie is answered
// with a result code.
//
// The one idea: a run is held from the moment its packet arrives until its
// result has been judged, and [Manager.Holding] says so to the server with
// every poll. Nothing is held twice, and nothing is forgotten in between: with
// an [Outbox], not even by the end of the process.
//
// A manager only reacts. It starts nothing of its own and ends by
// [Manager.Drain], which takes nothing more, waits for what is running, and
// hands back what does not finish in time.
package manager

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager/feed"
	"github.com/pullrun/pullrun/manager/outbox"
	"github.com/pullrun/pullrun/otel/meter"
	"github.com/pullrun/pullrun/otel/span"
)

// An Engine runs pipelines. [engine.Collection] is one. Run must return soon
// after its context is done.
type Engine interface {
	Run(ctx context.Context, in engine.Input) (engine.Output, error)
}

// A Reporter posts results and returns the server's verdicts, one for each in
// their order. It waits out outages; an error means that the server will not
// have the results as they are, or that ctx is done.
type Reporter func(ctx context.Context, results []api.Result) ([]api.Verdict, error)

// An Outbox keeps finished results until the server has judged them, across
// restarts. [outbox.Outbox] is one.
type Outbox interface {
	// Put returns when the entry is safe, or says why it is not.
	Put(outbox.Entry) error
	// Judged drops entries.
	Judged(...outbox.Key)
	// SetAside moves entries that the server does not know to a file, whose
	// name it returns. After an error they are where they were.
	SetAside(...outbox.Key) (file string, err error)
	// Entries are those that an earlier process left, and later ones.
	Entries() []outbox.Entry
	// Full reports whether the worker should finish no more.
	Full() bool
	// Stats says how much waits there.
	Stats() outbox.Stats
}

// A Redactor takes secrets out of what leaves the worker.
type Redactor interface {
	// Learn adds a secret, which a pipeline names.
	Learn(secret string)
	// String cleans the text of an error.
	String(text string) string
	// JSON cleans a result.
	JSON(document []byte) []byte
}

// Config is what a manager keeps to.
type Config struct {
	// Worker names this worker in traces.
	Worker string
	// Capacity is how many pipelines run at the same time. At least 1.
	Capacity int
	// Grace is how long a run that was told to stop may take before it is
	// abandoned and its slot freed. Zero abandons it at once.
	Grace time.Duration
	// MaxRuns is how many runs are begun in all; further leases of a run count
	// once. Zero is no limit.
	MaxRuns int
	// MaxResult is the size, in bytes, beyond which a pipeline's result is
	// replaced by an error that says so, as one is that the server does not
	// take: see [Manager.Takes].
	MaxResult int
	// Outbox keeps the results of runs. A slot is free when its result is
	// there. Nil keeps results in memory alone.
	Outbox Outbox
	// Redactor takes secrets out of results. Nil leaves them as they are.
	Redactor Redactor
	// Feed tells the server what runs log and where they are. Nil tells nothing.
	Feed *feed.Feed
	// Meter measures runs, their tasks and their results. Nil measures nothing.
	Meter *meter.RunMeter
	// Admit says why a RUN is not one that this worker takes, whatever the
	// server thinks. It is handed back, for another worker may take it. Nil
	// takes all.
	Admit func(api.Packet) error
	// Tight reports whether the machine has no room for more runs. It must not
	// block. Nil never does.
	Tight func() bool
	// OnShutdown is called, once, when the server asks the worker to end. It
	// must not block.
	OnShutdown func(reason string)
}

// Limits are what of a Config can be changed later, by Adjust.
type Limits struct {
	Capacity  int
	Grace     time.Duration
	MaxResult int
}

// A Manager runs pipelines for one worker. Its methods may be called
// concurrently.
type Manager struct {
	cfg    Config
	engine Engine
	report Reporter
	log    *slog.Logger
	seldom *slog.Logger // for what concerns no run that is held
	limits atomic.Pointer[Limits]
	takes  atomic.Int64 // bytes of a result, the server; not above zero while that is not known

	spans   span.Keep       // of what runs do
	running context.Context // of every run
	stop    context.CancelCauseFunc
	posting context.Context // of every report
	giveUp  context.CancelCauseFunc

	mu sync.Mutex
	// Guarded by mu.
	runs     map[string]*run // by cookie, until the result is judged
	busy     int             // slots in use
	early    tombstones      // CANCELs that came before their RUN
	late     lateResults     // that may be asked for again
	finished []answer        // not posted yet, in the order they ended
	reporter bool            // somebody is posting finished
	judging  chan struct{}   // closed when results are judged; nil if nobody waits for that
	refused  int             // answers that refuse a packet, until they are judged
	unposted int             // results that were given up
	left     int             // of these, those that wait in the outbox
	unkept   int             // results that the outbox would not take yet
	begun    int             // runs
	store    string          // the server's database; empty while that is not known
	idle     time.Time       // since when there has been nothing to do; zero while there is
	draining bool
	shutdown bool          // OnShutdown has been called
	empty    chan struct{} // closed when draining and no run is held
	drained  chan struct{} // closed when draining and nothing is left
	through  chan struct{} // closed when MaxRuns have begun and nothing is left
}

// New makes a manager that runs pipelines with engine and posts their results
// with report. What an earlier process left in the outbox is held from now on,
// and posted after [Manager.Resume].
func New(cfg Config, engine Engine, report Reporter, log *slog.Logger) *Manager {
	m := &Manager{
		cfg: cfg, engine: engine, report: report, log: log.With("component", "manager"),
		runs: make(map[string]*run), empty: make(chan struct{}), drained: make(chan struct{}), through: make(chan struct{}),
	}
	m.seldom = slog.New(&seldom{Handler: m.log.Handler(), said: make(map[string]*saying)})
	m.Adjust(Limits{cfg.Capacity, cfg.Grace, cfg.MaxResult})
	m.running, m.stop = context.WithCancelCause(context.Background())
	m.posting, m.giveUp = context.WithCancelCause(context.Background())
	m.takeOver()
	return m
}

// Handle obeys one packet, and reports whether that changed anything. It does
// not block: a run goes on after it returns.
func (m *Manager) Handle(p api.Packet) bool {
	var bad *api.PacketError
	if err := p.Validate(); errors.As(err, &bad) {
		m.refuse(p, bad)
		return false
	}
	switch p.PacketType {
	case api.PacketRun:
		if bad := m.admit(p); bad != nil {
			m.refuse(p, bad)
			return false
		}
		return m.run(p)
	case api.PacketCancel:
		return m.cancel(p)
	case api.PacketShutdown:
		return m.askedToEnd(p.Reason)
	}
	return false
}

// Holding names every lease whose result the server has not judged. It is
// what polls and heartbeats tell the server.
func (m *Manager) Holding() []api.Held {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := make([]api.Held, 0, len(m.runs))
	for _, r := range m.runs {
		h := r.lease()
		h.Cancelling, h.Claim, h.TraceParent = r.cancelling, r.waiting, r.trace
		held = append(held, h)
	}
	return held
}

// Leases is told which leases are lost, so that their runs stop, and which
// at-most-once runs the server has recorded, so that they start.
func (m *Manager) Leases(lost, claimed []api.Held) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range lost {
		if r := m.held(h.Cookie, h.Fence); r != nil && r.result == nil {
			m.log.WarnContext(inTrace(r.packet), "lease is lost, stopping the run", "cookie", h.Cookie, "fence", h.Fence, "pipeline", r.packet.Pipeline)
			r.stop(errLeaseLost)
		}
	}
	for _, h := range claimed {
		if r := m.held(h.Cookie, h.Fence); r != nil && r.waiting {
			r.waiting = false
			close(r.claimed)
		}
	}
}

// Judged returns a channel that is closed when the server has judged results the
// next time, and their leases are no longer held.
func (m *Manager) Judged() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.judging == nil {
		m.judging = make(chan struct{})
	}
	return m.judging
}

// Adjust changes the limits. Runs in hand go on, also those beyond a capacity
// that has become less.
func (m *Manager) Adjust(l Limits) { m.limits.Store(&l) }

// Registered notes what the server says when the worker registers: the largest
// result that it takes, and which database it has. Runs that are taken from now
// on are of that, and results of another's are not posted to it.
func (m *Manager) Registered(r api.Registered) {
	m.takes.Store(r.Limits.ResultBytes)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.store = r.Store
}

// another reports whether a run's database is known not to be the server's. The
// caller has locked mu.
func (m *Manager) another(store string) bool {
	return store != "" && m.store != "" && store != m.store
}

// InUse is how many slots are taken now.
func (m *Manager) InUse() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.busy
}

// held is the run of exactly this lease, if it is held. The caller has locked
// mu.
func (m *Manager) held(cookie string, fence int64) *run {
	if r := m.runs[cookie]; r != nil && r.packet.Fence == fence {
		return r
	}
	return nil
}

// admit asks the worker's own settings.
func (m *Manager) admit(p api.Packet) *api.PacketError {
	if m.cfg.Admit == nil {
		return nil
	}
	if err := m.cfg.Admit(p); err != nil {
		return &api.PacketError{RC: api.RCNoCapacity, Message: err.Error()}
	}
	return nil
}

// refuse answers a packet that cannot be obeyed, if an answer would not end a
// run: what names a lease that is held is not the lease's end.
func (m *Manager) refuse(p api.Packet, bad *api.PacketError) {
	m.mu.Lock()
	held := m.held(p.Cookie, p.Fence) != nil
	m.mu.Unlock()
	if held || !api.ValidCookie(p.Cookie) || p.Fence < 1 {
		p = essence(p)
		log := m.seldom
		log.WarnContext(inTrace(p), "packet cannot be obeyed", "cookie", p.Cookie, "packet_type", p.PacketType, "err", short(bad.Message, maxRefusal))
		return
	}
	m.answer(p, bad.RC, bad.Message)
}

// askedToEnd passes the server's SHUTDOWN on, the first time.
func (m *Manager) askedToEnd(reason string) (first bool) {
	m.mu.Lock()
	first = !m.shutdown
	m.shutdown = true
	m.mu.Unlock()
	if first && m.cfg.OnShutdown != nil {
		m.log.Info("the server asks this worker to end", "reason", cmp.Or(reason, "none is given"))
		m.cfg.OnShutdown(reason)
	}
	return first
}

package store

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// maxBatch bounds how many operations share one commit, and so how long the
// first of them waits for the last.
const maxBatch = 256

// operation is a caller's work on the writer's connection. It may run twice, if
// the batch that it was in is taken back for another's sake, so it has no effect
// but through its tx and what it returns.
type operation struct {
	ctx  context.Context
	now  time.Time
	adds bool // to the database, for somebody who can be refused
	// workers are whose runs it is about. Their sessions are locked before any
	// run is, and in order, so that servers do not wait for each other in turn.
	workers []string
	work    func(*tx) error
	// ahead is run before the work of any operation of the batch, if there are
	// several, so that what it asks for is written with what the others ask for.
	// It may be nil. If it has run, work is too.
	ahead func(*tx, *earlySubmits) error
	done  chan error // the writer sends once; room for one
}

// writer owns the only connection that writes. While one batch is being synced
// the next collects, so the more callers there are the less a commit costs each.
type writer struct {
	conn    conn
	dialect dialect
	log     *slog.Logger
	timing  Timing
	aging   time.Duration
	tell    func(took time.Duration, operations int) // of a commit
	routes  *routes
	// offerings are what workers offer, as far as it is known; used by the loop
	// alone.
	offerings map[string]*offering
	backlog   backlog // used by the loop alone
	rumours   rumours // of what others have queued
	recall    recall  // used by the loop alone
	pending   pending // of the batch under way; used by the loop alone, as are the next three
	points    points
	low       atomic.Bool // the disk is full, and the reserve given up
	restock   time.Time   // when it is asked for again

	ops    chan operation // callers send, the loop receives
	failed chan struct{}  // closed by the loop when err is set
	done   chan struct{}  // closed by the loop when it ends
	err    error          // why no write is possible; read after failed is closed

	mu     sync.RWMutex // held to send on ops, so that closing it waits for senders
	closed bool
}

func newWriter(c conn, d dialect, o Options) *writer {
	_, shared := d.(*postgres)
	w := &writer{
		conn: c, dialect: d, log: o.Log, timing: o.Timing, aging: o.Aging, tell: o.Committed, routes: newRoutes(), offerings: map[string]*offering{},
		backlog: backlog{limit: o.MaxQueued, shared: shared}, recall: newRecall(shared),
		points: points{probe: o.Probe}, ops: make(chan operation, maxBatch), failed: make(chan struct{}), done: make(chan struct{}),
	}
	if err := d.restock(); err != nil {
		w.low.Store(true)
		w.log.Error("disk is full: what is new is refused, results are still taken", "err", err)
	}
	go w.loop()
	return w
}

// write runs work in a transaction and returns what it made once that is
// committed and synced. A ctx that ends before work has begun prevents it; later
// it has no effect, because nobody could say what became of the commit.
func write[T any](ctx context.Context, w *writer, now time.Time, work func(*tx) (T, error)) (T, error) {
	return do(ctx, w, operation{now: now}, work)
}

// writeFor is write for what workers do.
func writeFor[T any](ctx context.Context, w *writer, now time.Time, workers []string, work func(*tx) (T, error)) (T, error) {
	return do(ctx, w, operation{now: now, workers: workers}, work)
}

// add is write for what only adds to the database. It is refused with ErrFull
// while the disk is full.
func add[T any](ctx context.Context, w *writer, now time.Time, work func(*tx) (T, error)) (T, error) {
	return do(ctx, w, operation{now: now, adds: true}, work)
}

func do[T any](ctx context.Context, w *writer, op operation, work func(*tx) (T, error)) (T, error) {
	return begin(ctx, w, op, work)()
}

// begin is do in two steps: when it returns, the operation has its turn, and
// what it returns waits for the rest.
func begin[T any](ctx context.Context, w *writer, op operation, work func(*tx) (T, error)) func() (T, error) {
	var out, none T
	op.ctx, op.now, op.done = ctx, op.now.UTC().Truncate(time.Microsecond), make(chan error, 1)
	op.work = func(t *tx) (err error) {
		out, err = work(t)
		return err
	}
	if err := w.send(op); err != nil {
		return func() (T, error) { return none, err }
	}
	return func() (T, error) {
		if err := <-op.done; err != nil {
			return none, err
		}
		return out, nil
	}
}

func (w *writer) send(op operation) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	if op.ctx.Err() != nil {
		return context.Cause(op.ctx)
	}
	select {
	case w.ops <- op:
		return nil
	case <-op.ctx.Done():
		return context.Cause(op.ctx)
	}
}

// close lets what was accepted finish, refuses the rest, and returns when the
// loop has ended.
func (w *writer) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.ops)
	}
	w.mu.Unlock()
	<-w.done
}

func (w *writer) loop() {
	defer close(w.done)
	batch := make([]operation, 0, maxBatch)
	for op := range w.ops {
		batch = w.collect(append(batch[:0], op))
		w.commit(batch)
		w.maintain(batch[len(batch)-1].now)
		clear(batch)
	}
}

// collect adds what waits already. Callers that are about to send come first: one
// commit for more of them is worth more than an early one.
func (w *writer) collect(batch []operation) []operation {
	runtime.Gosched()
	for len(batch) < maxBatch {
		select {
		case op, ok := <-w.ops:
			if !ok {
				return batch
			}
			batch = append(batch, op)
		default:
			return batch
		}
	}
	return batch
}

// tries is how often a transaction is begun that others were in the way of, or
// that a lost connection has ended before it could be committed.
const tries = 4

// commit runs the batch as one transaction. An operation that is refused before
// it has written anything fails alone. If one fails later, all is taken back and
// each runs in a transaction of its own, so that again it fails alone.
func (w *writer) commit(batch []operation) {
	for try := 1; ; try++ {
		errs, then := w.attempt(batch)
		if then == again && try < tries {
			continue
		}
		if then == apart && len(batch) > 1 {
			for i := range batch {
				w.commit(batch[i : i+1])
			}
			return
		}
		for i, op := range batch {
			op.done <- errs[i]
		}
		return
	}
}

// verdict is what is to become of a batch after an attempt to commit it.
type verdict int

const (
	settled verdict = iota // each operation has its error, or none
	apart                  // nothing was recorded, for the sake of one operation
	again                  // nothing was recorded, and it may succeed at once
)

// attempt runs the batch and commits it. errs has each operation's own error.
func (w *writer) attempt(batch []operation) (errs []error, _ verdict) {
	errs = make([]error, len(batch))
	if w.err != nil {
		return all(errs, w.refusal()), settled
	}
	began := time.Now()
	if err := w.conn.begin(); err != nil {
		_, err = w.judge(err)
		return all(errs, err), settled
	}
	w.rumours.tell(w.routes)
	w.points.reset()
	txs, err := w.begun(batch, errs)
	if err != nil {
		f, err := w.judge(err)
		w.rollback()
		return w.setback(all(errs, err), err, f)
	}
	for i, op := range batch {
		t := txs[i]
		if t == nil {
			continue
		}
		var f fault // a database may end the transaction when a statement fails
		f, errs[i] = w.judge(op.work(t))
		if errs[i] != nil && (f != faultNone || t.wrote) {
			w.rollback()
			return w.setback(errs, errs[i], f)
		}
		if errs[i] == nil {
			w.points.add(t.points)
		}
	}
	if err := w.pending.write(w.conn); err != nil {
		f, err := w.judge(err)
		w.rollback()
		return w.setback(all(errs, err), err, f)
	}
	w.points.before()
	if err := w.conn.commit(); err != nil {
		w.rollback()
		return w.judgeCommit(errs, err)
	}
	w.points.after()
	if w.tell != nil {
		w.tell(time.Since(began), len(batch))
	}
	return errs, settled
}

// setback says what is to become of a batch that was taken back after err.
func (w *writer) setback(errs []error, err error, f fault) ([]error, verdict) {
	switch {
	case f == faultFull && w.makeRoom():
		return all(errs, err), again
	case f == faultLost:
		return all(errs, err), again
	case f == faultConflict && len(errs) == 1:
		return errs, again
	}
	return errs, apart
}

// all gives every operation the same error.
func all(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// rollback ends the transaction and forgets what was learnt of routes inside it.
func (w *writer) rollback() {
	w.conn.rollback()
	w.pending.forget()
	w.recall.forget()
	w.routes.forget()
	w.backlog.forget()
}

// judge translates an operation's error, says what kind of failure it is, and
// stops all writing if the disk is not to be trusted any more.
func (w *writer) judge(err error) (fault, error) {
	f := w.dialect.fault(err)
	switch f {
	case faultFull:
		err = fmt.Errorf("%w: %w", ErrFull, err)
	case faultPage:
		w.log.Error("damaged page", "err", err)
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	case faultConflict, faultTimeout, faultLost:
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	case faultDisk:
		w.fail(err)
		err = w.refusal()
	}
	return f, err
}

// judgeCommit does the same for a commit. If that failed half way, nobody knows
// how much of it reached the disk.
func (w *writer) judgeCommit(errs []error, err error) ([]error, verdict) {
	f := w.dialect.fault(err)
	switch f {
	case faultFull:
		all(errs, fmt.Errorf("%w: %w", ErrFull, err))
		if w.makeRoom() {
			return errs, again
		}
		return errs, settled
	case faultLost:
		return all(errs, fmt.Errorf("%w: commit: %w", ErrUnavailable, err)), settled
	case faultConflict, faultTimeout:
		return w.setback(all(errs, fmt.Errorf("%w: %w", ErrUnavailable, err)), err, f)
	case faultRefused: // a statement that was sent with it
		return all(errs, err), apart
	case faultPage: // likewise: a commit itself reads nothing
		_, err = w.judge(err)
		return all(errs, err), apart
	}
	w.fail(err)
	return all(errs, fmt.Errorf("%w: commit: %w", ErrUnknown, err)), settled
}

func (w *writer) refusal() error { return fmt.Errorf("%w: %w", ErrFailed, w.err) }

// fail stops all writing. A failed sync is never repeated: the system may have
// dropped the pages and would report success.
func (w *writer) fail(err error) {
	if w.err != nil {
		return
	}
	w.err = err
	w.dialect.abandon(w.conn)
	close(w.failed)
	w.log.Error("writes stopped after a disk error; restart when the disk is sound", "err", err)
}

// makeRoom gives up the reserve, and reports whether there was one.
func (w *writer) makeRoom() bool {
	if w.low.Load() {
		return false
	}
	made, err := w.dialect.relieve()
	if err != nil {
		w.log.Error("disk is full", "err", err)
	}
	if made {
		w.restock = time.Time{}
		w.low.Store(true)
		w.log.Error("disk is full: what is new is refused, results are still taken")
	}
	return made
}

// refill takes the reserve again when the disk has room.
func (w *writer) refill(now time.Time) {
	if !w.low.Load() || now.Before(w.restock) {
		return
	}
	first := w.restock.IsZero()
	w.restock = now.Add(reserveRetry)
	if first || w.dialect.restock() != nil {
		return
	}
	w.low.Store(false)
	w.log.Info("disk has room again")
}

// maintain does what the database wants done between transactions.
func (w *writer) maintain(now time.Time) {
	if w.err != nil {
		return
	}
	w.refill(now)
	if err := w.dialect.maintain(w.conn); err != nil && w.dialect.fault(err) != faultFull {
		w.fail(err)
	}
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
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
	work func(*tx) error
	done chan error // the writer sends once; room for one
}

// writer owns the only connection that writes. While one batch is being synced
// the next collects, so the more callers there are the less a commit costs each.
type writer struct {
	conn    *sql.Conn
	dialect dialect
	log     *slog.Logger
	timing  Timing
	routes  *routes
	stmts   map[string]*sql.Stmt // prepared on conn; used by the loop alone
	points  points               // of the batch under way; used by the loop alone

	ops    chan operation // callers send, the loop receives
	failed chan struct{}  // closed by the loop when err is set
	done   chan struct{}  // closed by the loop when it ends
	err    error          // why no write is possible; read after failed is closed

	mu     sync.RWMutex // held to send on ops, so that closing it waits for senders
	closed bool
}

func newWriter(conn *sql.Conn, d dialect, o Options) *writer {
	w := &writer{
		conn: conn, dialect: d, log: o.Log, timing: o.Timing, routes: newRoutes(), stmts: map[string]*sql.Stmt{},
		points: points{probe: o.Probe}, ops: make(chan operation, maxBatch), failed: make(chan struct{}), done: make(chan struct{}),
	}
	go w.loop()
	return w
}

// write runs work in a transaction and returns what it made once that is
// committed and synced. A ctx that ends before work has begun prevents it; later
// it has no effect, because nobody could say what became of the commit.
func write[T any](ctx context.Context, w *writer, now time.Time, work func(*tx) (T, error)) (T, error) {
	var out, none T
	op := operation{ctx: ctx, now: now.UTC().Truncate(time.Microsecond), done: make(chan error, 1)}
	op.work = func(t *tx) (err error) {
		out, err = work(t)
		return err
	}
	if err := w.send(op); err != nil {
		return none, err
	}
	if err := <-op.done; err != nil {
		return none, err
	}
	return out, nil
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
		clear(batch)
		w.maintain()
	}
	for _, s := range w.stmts {
		_ = s.Close() // the connection is closed next, and with it every statement
	}
}

// collect adds what waits already, and drops what nobody waits for any more.
func (w *writer) collect(batch []operation) []operation {
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

// commit runs the batch as one transaction. An operation that is refused before
// it has written anything fails alone. If one fails later, all is taken back and
// each runs in a transaction of its own, so that again it fails alone.
func (w *writer) commit(batch []operation) {
	errs, err := w.attempt(batch)
	if errors.Is(err, errTakenBack) && len(batch) > 1 {
		for i := range batch {
			w.commit(batch[i : i+1])
		}
		return
	}
	for i, op := range batch {
		switch {
		case errs == nil:
			op.done <- err
		default:
			op.done <- errs[i]
		}
	}
}

// errTakenBack says that the transaction was rolled back for the sake of one
// operation.
var errTakenBack = errors.New("transaction taken back")

// attempt runs the batch and commits it. errs has each operation's own error; if
// it is nil, err is for all of them.
func (w *writer) attempt(batch []operation) (errs []error, err error) {
	if w.err != nil {
		return nil, w.refusal()
	}
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		_, err = w.judge(err)
		return nil, err
	}
	w.points.reset()
	errs = make([]error, len(batch))
	for i, op := range batch {
		if op.ctx.Err() != nil {
			errs[i] = context.Cause(op.ctx)
			continue
		}
		t := &tx{w: w, now: op.now}
		var broken bool // a database may end the transaction when a statement fails
		broken, errs[i] = w.judge(op.work(t))
		if errs[i] != nil && (broken || t.wrote) {
			w.rollback()
			return errs, errTakenBack
		}
		if errs[i] == nil {
			w.points.add(t.points)
		}
	}
	w.points.before()
	if err := w.exec("COMMIT"); err != nil {
		w.rollback()
		return nil, w.judgeCommit(err)
	}
	w.points.after()
	return errs, nil
}

func (w *writer) exec(query string) error {
	s, err := w.prepare(query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(context.Background())
	return err
}

func (w *writer) prepare(query string) (*sql.Stmt, error) {
	if s, ok := w.stmts[query]; ok {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	w.stmts[query] = s
	return s, nil
}

// rollback ends the transaction, which the database may have done already, and
// forgets what was learnt of routes inside it.
func (w *writer) rollback() {
	_ = w.exec("ROLLBACK") // fails if there is no transaction left, which is what is wanted
	w.routes.forget()
}

// judge translates an operation's error, says whether it came from the database,
// and stops all writing if the disk is not to be trusted any more.
func (w *writer) judge(err error) (broken bool, _ error) {
	switch w.dialect.fault(err) {
	case faultNone:
		return false, err
	case faultFull:
		err = fmt.Errorf("%w: %w", ErrFull, err)
	case faultPage:
		w.log.Error("damaged page", "err", err)
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	case faultDisk:
		w.fail(err)
		err = w.refusal()
	}
	return true, err
}

// judgeCommit does the same for a commit, after which nobody knows how much of
// it reached the disk, unless there was no room for it.
func (w *writer) judgeCommit(err error) error {
	if w.dialect.fault(err) == faultFull {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	w.fail(err)
	return fmt.Errorf("%w: commit: %w", ErrUnknown, err)
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

// maintain does what the database wants done between transactions.
func (w *writer) maintain() {
	if w.err != nil {
		return
	}
	if err := w.dialect.maintain(w.conn); err != nil && w.dialect.fault(err) != faultFull {
		w.fail(err)
	}
}

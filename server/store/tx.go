package store

import "time"

// tx is one operation's share of the writer's transaction.
type tx struct {
	w      *writer
	now    time.Time // in UTC and whole microseconds, as it will be read back
	wrote  bool
	moved  []Moved
	points []string

	early   *early          // of a submit whose run was written ahead
	fetched map[string]*Run // that were read and locked ahead of their moves, by cookie
}

// exec runs a statement that writes. It may be sent later, with the next one
// whose answer is waited for; an error then takes back the whole transaction.
func (t *tx) exec(query string, args ...any) error {
	t.wrote = true
	return t.w.conn.exec(query, anyRows, args)
}

// one is exec of a statement that has to write exactly one row.
func (t *tx) one(query string, args ...any) error {
	t.wrote = true
	return t.w.conn.exec(query, 1, args)
}

// count runs a statement at once and returns how many rows it wrote.
func (t *tx) count(query string, args ...any) (int64, error) {
	t.wrote = true
	if err := t.w.pending.write(t.w.conn); err != nil {
		return 0, err
	}
	return t.w.conn.count(query, args)
}

// rows calls scan for each row of the answer. Within it no other statement runs.
func (t *tx) rows(query string, scan func(scanner) error, args ...any) error {
	if err := t.w.pending.write(t.w.conn); err != nil {
		return err
	}
	return t.w.conn.query(query, scan, args)
}

// ask is rows for an answer that is not needed before the next one.
func (t *tx) ask(query string, scan func(scanner) error, args ...any) error {
	return t.w.conn.ask(query, scan, args)
}

// row scans the only row of the answer and reports whether there is one.
func (t *tx) row(query string, dest []any, args ...any) (found bool, err error) {
	err = t.rows(query, func(row scanner) error {
		found = true
		return row.Scan(dest...)
	}, args...)
	return found && err == nil, err
}

// move does to r what the state machine says, writes it, and keeps a record of
// the move for the caller. When it frees a slot of the run's key or changes the
// line for one, free slots go on to those that wait. It reports whether anything
// changed.
func (t *tx) move(r *Run, e event) (_ bool, err error) {
	now := r.notBefore(t.now)
	after, ended, changed := next(*r, e, now, t.w.timing)
	if !changed {
		return false, nil
	}
	after.version++
	t.point(e.kind.String())
	p := &t.w.pending
	t.wrote = true
	p.move(r, &after)
	t.w.recall.left(&after, ended)
	if ended != nil && !after.endedBy(ended) {
		p.attempts = append(p.attempts, ended.row(r.Seq))
	}
	if after.State.Terminal() && after.hasResult() {
		p.results = append(p.results, []any{after.Seq, after.Error, after.Stacktrace, after.Result})
	}
	if after.State == Queued && !after.Blocked {
		t.w.routes.wake(after.route, after.Seq, after.QueuedAt)
	} else {
		t.w.routes.left(after.route, after.Seq)
	}
	t.w.backlog.add(after.Queue, int(boolean(after.waits())-boolean(r.waits())))
	// A run that is given a slot leaves the line too, but giveSlots goes on by itself.
	freed, line := r.holdsSlot() && !after.holdsSlot(), r.Blocked != after.Blocked && e.kind != evGrant
	if after.State != r.State || after.Blocked != r.Blocked || !after.CancelAt.Equal(r.CancelAt) {
		bare := after
		bare.Variables = nil
		if !after.State.Terminal() { // a result that it is tried again after
			bare.Stacktrace, bare.Result = "", nil
		}
		t.moved = append(t.moved, Moved{
			From: r.State, To: after.State, At: now, Since: r.QueuedAt, Blocked: r.Blocked, Worker: r.Worker, Attempt: ended, Run: bare,
		})
	}
	*r = after
	if freed || line {
		err = t.giveSlots(r.Concurrency.Key)
	}
	return true, err
}

// moveNow reads a run and moves it. What was read of it before may be old: a
// move of another run of its key may have given it a slot.
func (t *tx) moveNow(seq int64, e event) error {
	r, found, err := t.run(`WHERE r.seq = ?1`, seq)
	if err == nil && found {
		_, err = t.move(&r, e)
	}
	return err
}

package store

import (
	"context"
	"slices"
)

// begun returns each operation's share of the transaction, and does what is to be
// done ahead. It leaves out operations that have failed already.
func (w *writer) begun(batch []operation, errs []error) ([]*tx, error) {
	w.lockSessions(batch)
	txs := make([]*tx, len(batch))
	var submits earlySubmits
	for i, op := range batch {
		switch {
		case op.ctx.Err() != nil:
			errs[i] = context.Cause(op.ctx)
			continue
		case op.adds && w.low.Load():
			errs[i] = ErrFull
			continue
		}
		txs[i] = &tx{w: w, now: op.now}
		if op.ahead == nil || len(batch) == 1 {
			continue
		}
		if err := op.ahead(txs[i], &submits); err != nil {
			return nil, err
		}
	}
	return txs, submits.write()
}

// lockSessions locks those that the batch is about.
func (w *writer) lockSessions(batch []operation) {
	var workers []string
	for _, op := range batch {
		workers = append(workers, op.workers...)
	}
	if len(workers) > 0 {
		slices.Sort(workers)
		w.conn.lock(slices.Compact(workers))
	}
}

// early is a run whose row is written before the writer comes to its submit.
type early struct {
	run      Run
	inserted bool
}

// earlySubmits are those of a batch whose runs are written together. No two have
// the same cookie, by which their answers are told apart.
type earlySubmits struct {
	txs      []*tx
	rows     [][]any
	byCookie map[string]*early
}

// write writes the runs and completes them. An operation that comes before their
// submits sees them already, and a poll may take them.
func (s *earlySubmits) write() error {
	if len(s.txs) == 0 {
		return nil
	}
	c := s.txs[0].w.conn
	err := c.askAll(insertRun, s.rows, func(row scanner) error {
		var seq int64
		var cookie string
		err := row.Scan(&seq, &cookie)
		if e := s.byCookie[cookie]; e != nil {
			e.inserted, e.run.Seq = true, seq
		}
		return err
	})
	if err == nil {
		err = c.flush()
	}
	if err != nil {
		return err
	}
	for _, t := range s.txs {
		if !t.early.inserted {
			continue
		}
		if err := t.furnish(&t.early.run); err != nil {
			return err
		}
	}
	return nil
}

// submitEarly has the row of a new run written together with those of the other
// submits of the batch, if nothing has to be known before.
func (t *tx) submitEarly(n NewRun, submits *earlySubmits) error {
	labels, err := jsonObject(n.Labels)
	if err != nil {
		return err
	}
	route := t.w.routes.byKey[keyOf(&n, labels)]
	if route == nil || !route.inUse(t.now) || n.Concurrency.Key != "" || !t.w.backlog.open(n.Queue) ||
		submits.byCookie[n.Cookie] != nil {
		return nil
	}
	e := &early{run: start(n, t.now)}
	e.run.route = route.id
	row, err := e.run.insertRow()
	if err != nil {
		return err
	}
	t.early = e
	t.w.backlog.add(n.Queue, 1)
	if submits.byCookie == nil {
		submits.byCookie = map[string]*early{}
	}
	submits.byCookie[n.Cookie] = e
	submits.txs, submits.rows = append(submits.txs, t), append(submits.rows, row)
	return nil
}

// submitted goes on where submitEarly has stopped.
func (t *tx) submitted(n NewRun) (Run, bool, error) {
	if t.early.inserted {
		t.wrote = true
		return t.early.run, true, nil
	}
	t.early = nil
	t.w.backlog.add(n.Queue, -1)
	return t.repeated(n)
}

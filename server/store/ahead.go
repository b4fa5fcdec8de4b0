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
	asked := false
	for i, op := range batch {
		switch {
		case op.ctx.Err() != nil:
			errs[i] = context.Cause(op.ctx)
			continue
		case op.adds && w.low:
			errs[i] = ErrFull
			continue
		}
		txs[i] = &tx{w: w, now: op.now}
		if op.ahead == nil || len(batch) == 1 {
			continue
		}
		asked = true
		if err := op.ahead(txs[i]); err != nil {
			return nil, err
		}
	}
	if !asked {
		return txs, nil
	}
	if err := w.conn.flush(); err != nil {
		return nil, err
	}
	return txs, furnishEarly(txs)
}

// furnishEarly completes the runs that were written ahead. An operation that
// comes before their submits sees them already, and a poll may take them.
func furnishEarly(txs []*tx) error {
	for _, t := range txs {
		if t == nil || t.early == nil || !t.early.inserted {
			continue
		}
		if err := t.furnish(&t.early.run); err != nil {
			return err
		}
	}
	return nil
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
	inserted bool // once that is answered
}

// submitEarly has the row of a new run written together with those of the other
// submits of the batch, if nothing has to be known before.
func (t *tx) submitEarly(n NewRun) error {
	labels, err := jsonObject(n.Labels)
	if err != nil {
		return err
	}
	route := t.w.routes.byKey[keyOf(&n, labels)]
	if route == nil || !route.inUse(t.now) || n.Concurrency.Key != "" || !t.w.backlog.open(n.Queue) {
		return nil
	}
	e := &early{run: start(n, t.now)}
	e.run.route = route.id
	args, err := insertArgs(&e.run)
	if err != nil {
		return err
	}
	t.early = e
	t.w.backlog.add(n.Queue, 1)
	return t.ask(insertRun, func(row scanner) error {
		e.inserted = true
		return row.Scan(&e.run.Seq)
	}, args...)
}

// submitted goes on where submitEarly has stopped.
func (t *tx) submitted(n NewRun) (Run, bool, error) {
	if !t.early.inserted {
		t.w.backlog.add(n.Queue, -1)
		r, _, err := t.known(n)
		return r, false, err
	}
	t.wrote = true
	return t.early.run, true, nil
}

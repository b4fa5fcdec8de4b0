package store

// Concurrency bounds how many runs of one key are worked on at the same time. A
// run of a key needs one of its slots to be offered. It is given one while it
// is queued, the oldest submit first, and has it until it ends or waits for a
// time again.
type Concurrency struct {
	Key    string // empty is no bound
	Limit  int    // slots, as far as this run is concerned; at least 1
	Policy Policy
}

// Policy says what a submit does that finds no slot.
type Policy int

const (
	// Wait queues the run until it is given a slot.
	Wait Policy = iota
	// Reject refuses the submit.
	Reject
	// CancelOlder cancels the oldest runs of the key, so that no more than Limit
	// are left with this one.
	CancelOlder
)

// holdsSlot reports whether the run has a slot of its key.
func (r *Run) holdsSlot() bool {
	return r.Concurrency.Key != "" && !r.Blocked && (r.State == Queued || r.State.Leased())
}

// lockKey makes the transaction the only one that gives out slots of a key. The
// update that changes nothing takes the row's lock, where a database has such,
// and what is read after it is what others have committed. It leaves nothing
// that would have to be taken back, so it does not count as having written.
func (t *tx) lockKey(key string) error {
	var name string
	_, err := t.row(`
		INSERT INTO concurrency (name, used_at) VALUES (?1, ?2)
		ON CONFLICT (name) DO UPDATE SET used_at = excluded.used_at RETURNING name`, []any{&name}, key, micros(t.now))
	return err
}

// slotsHeld counts the slots of a key that runs have. The key is locked.
func (t *tx) slotsHeld(key string) (n int, err error) {
	_, err = t.row(`
		SELECT count(*) FROM runs WHERE concurrency_key = ?1 AND blocked = 0
			AND concurrency_key <> '' AND state < 4 AND state IN (1, 2, 3)`, []any{&n}, key)
	return n, err
}

// firstBlocked finds the run that is next to be given a slot of a key.
func (t *tx) firstBlocked(key string) (seq int64, found bool, err error) {
	found, err = t.row(`
		SELECT seq FROM runs WHERE concurrency_key = ?1 AND blocked = 1 AND state = 1
			AND concurrency_key <> '' AND state < 4 ORDER BY seq LIMIT 1`, []any{&seq}, key)
	return seq, found, err
}

// noSlot returns ErrNoSlot if a new run would have to wait for a slot.
func (t *tx) noSlot(c Concurrency) error {
	if err := t.lockKey(c.Key); err != nil {
		return err
	}
	held, err := t.slotsHeld(c.Key)
	if err != nil {
		return err
	}
	_, waits, err := t.firstBlocked(c.Key)
	if err == nil && (waits || held >= c.Limit) {
		err = ErrNoSlot
	}
	return err
}

// giveSlots gives what slots of a key are free to the runs that wait for them.
func (t *tx) giveSlots(key string) error {
	if err := t.lockKey(key); err != nil {
		return err
	}
	held, err := t.slotsHeld(key)
	if err != nil {
		return err
	}
	for {
		seq, found, err := t.firstBlocked(key)
		if err != nil || !found {
			return err
		}
		r, found, err := t.run(`WHERE r.seq = ?1`, seq)
		if err != nil {
			return err
		}
		if !found || !r.Blocked { // another transaction has ended it meanwhile
			continue
		}
		if given, err := t.move(&r, event{kind: evGrant, held: held}); err != nil || !given {
			return err
		}
		held++
	}
}

// cancelOlder cancels the oldest live runs of a new run's key, so that they are
// fewer than its limit.
func (t *tx) cancelOlder(r *Run) error {
	if err := t.lockKey(r.Concurrency.Key); err != nil {
		return err
	}
	var live []int64
	var cookies []string
	err := t.rows(`SELECT seq, cookie FROM runs WHERE concurrency_key = ?1 AND concurrency_key <> '' AND state < 4
		AND cancel_at = 0 AND seq <> ?2 ORDER BY seq DESC`, func(row scanner) error {
		var seq int64
		var cookie string
		err := row.Scan(&seq, &cookie)
		live, cookies = append(live, seq), append(cookies, cookie)
		return err
	}, r.Concurrency.Key, r.Seq)
	if err != nil {
		return err
	}
	// The newest is the first to be cancelled, so that a slot that one leaves is
	// not given to another that is to be cancelled too.
	e := event{kind: evCancel, by: r.Submitter, reason: "superseded by run " + r.Cookie}
	for i := min(len(live), r.Concurrency.Limit-1); i < len(live); i++ {
		if err := t.moveNow(live[i], e); err != nil {
			return err
		}
		if err := t.audit(r.Submitter, ActionCancel, cookies[i], e.reason); err != nil {
			return err
		}
	}
	return nil
}

package store

// pending are rows that the transaction under way is to write. They are written
// together, before it reads anything or ends, so that a run which moves twice
// meanwhile is written once.
type pending struct {
	place    map[int64]int // of a run in moves
	moves    [][]any
	attempts [][]any
	results  [][]any
}

// move has after written in the place of before.
func (p *pending) move(before, after *Run) {
	i, again := p.place[before.Seq]
	if !again {
		if p.place == nil {
			p.place = map[int64]int{}
		}
		i = len(p.moves)
		p.place[before.Seq] = i
		p.moves = append(p.moves, []any{before.Seq, before.version})
	}
	stored := p.moves[i] // of which the condition stays, for what is stored is older than before
	p.moves[i] = after.moveRow(stored, len(stored) > len(updateLease.kinds) || !before.sameBut(after))
}

// forget drops everything.
func (p *pending) forget() {
	clear(p.place)
	for _, rows := range []*[][]any{&p.moves, &p.attempts, &p.results} {
		clear(*rows)
		*rows = (*rows)[:0]
	}
}

// write has the connection write what is pending.
func (p *pending) write(c conn) error {
	defer p.forget()
	var usual, whole [][]any
	for _, row := range p.moves {
		if len(row) == len(updateLease.kinds) {
			usual = append(usual, row)
		} else {
			whole = append(whole, row)
		}
	}
	for _, part := range []struct {
		statement *bulk
		rows      [][]any
	}{{updateLease, usual}, {updateRun, whole}, {insertAttempt, p.attempts}, {insertResult, p.results}} {
		if len(part.rows) == 0 {
			continue
		}
		if err := c.writeAll(part.statement, part.rows); err != nil {
			return err
		}
	}
	return nil
}

// updateRun writes a run that has to be as it was read: the statement that read it
// has locked it. updateLease writes what changes in the usual life of a run, which
// is half of it.
var (
	updateLease = newBulk(`UPDATE runs AS r SET `+leaseColumns+` FROM given WHERE r.seq = :seq AND r.version = :old_version`, leaseKinds...)
	updateRun   = newBulk(`UPDATE runs AS r SET `+leaseColumns+`,
		queued_at = :queued_at, claimed_at = :claimed_at, cancel_at = :cancel_at, cancel_by = :cancel_by, cancel_reason = :cancel_reason,
		cancel_told_at = :cancel_told_at, cancel_heeded_at = :cancel_heeded_at, stop = :stop, blocked = :blocked, retries = :retries FROM given
	WHERE r.seq = :seq AND r.version = :old_version`, append(leaseKinds,
		"queued_at bigint", "claimed_at bigint", "cancel_at bigint", "cancel_by text", "cancel_reason text",
		"cancel_told_at bigint", "cancel_heeded_at bigint", "stop text", "blocked bigint", "retries bigint")...)
)

const leaseColumns = `
		version = :version, state = :state, fence = :fence, attempts = :attempts, worker = :worker, session = :session, span = :span,
		offered_at = :offered_at, accepted_at = :accepted_at, finished_at = :finished_at, due = :due, rc = :rc, worker_digest = :worker_digest`

var leaseKinds = []string{
	"seq bigint", "old_version bigint",
	"version bigint", "state bigint", "fence bigint", "attempts bigint", "worker text", "session text", "span text",
	"offered_at bigint", "accepted_at bigint", "finished_at bigint", "due bigint", "rc text", "worker_digest text",
}

// moveRow is a row of updateLease with the condition of another, or the whole row
// of updateRun.
func (r *Run) moveRow(condition []any, whole bool) []any {
	size := len(updateLease.kinds)
	if whole {
		size = len(updateRun.kinds)
	}
	row := append(make([]any, 0, size), condition[:2]...)
	row = append(row,
		r.version, int64(r.State), r.Fence, int64(r.Attempts), r.Worker, r.Session, r.Span,
		micros(r.OfferedAt), micros(r.AcceptedAt), micros(r.FinishedAt), micros(r.Due), r.RC, r.WorkerDigest)
	if !whole {
		return row
	}
	return append(row,
		micros(r.QueuedAt), micros(r.ClaimedAt), micros(r.CancelAt), r.CancelBy, r.CancelReason,
		micros(r.CancelToldAt), micros(r.CancelHeededAt), string(r.Stop), boolean(r.Blocked), int64(r.Retries))
}

// sameBut reports whether a run differs only in what updateLease writes.
func (r *Run) sameBut(o *Run) bool {
	return r.QueuedAt.Equal(o.QueuedAt) && r.ClaimedAt.Equal(o.ClaimedAt) &&
		r.CancelAt.Equal(o.CancelAt) && r.CancelBy == o.CancelBy && r.CancelReason == o.CancelReason &&
		r.CancelToldAt.Equal(o.CancelToldAt) && r.CancelHeededAt.Equal(o.CancelHeededAt) && r.Stop == o.Stop &&
		r.Blocked == o.Blocked && r.Retries == o.Retries
}

var insertAttempt = newBulk(`
	INSERT INTO attempts (run, fence, number, worker, session, span, digest, queued_at, offered_at, accepted_at,
		claimed_at, ended_at, outcome, rc, reason)
	SELECT :run, :fence, :number, :worker, :session, :span, :digest, :queued_at, :offered_at, :accepted_at,
		:claimed_at, :ended_at, :outcome, :rc, :reason FROM given WHERE true`,
	"run bigint", "fence bigint", "number bigint", "worker text", "session text", "span text", "digest text",
	"queued_at bigint", "offered_at bigint", "accepted_at bigint",
	"claimed_at bigint", "ended_at bigint", "outcome text", "rc text", "reason text")

// row is a row of insertAttempt.
func (a *Attempt) row(seq int64) []any {
	return []any{
		seq, a.Fence, int64(a.Number), a.Worker, a.Session, a.Span, a.Digest, micros(a.QueuedAt), micros(a.OfferedAt), micros(a.AcceptedAt),
		micros(a.ClaimedAt), micros(a.EndedAt), string(a.Outcome), a.RC, a.Reason,
	}
}

var insertResult = newBulk(`
	INSERT INTO results (run, error, stacktrace, result)
	SELECT :run, :error, :stacktrace, :result FROM given WHERE true`,
	"run bigint", "error text", "stacktrace text", "result bytea")

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
	row := after.moveRow()
	if i, again := p.place[before.Seq]; again { // what is stored is older than before
		p.moves[i] = append(row, p.moves[i][len(row):]...)
		return
	}
	if p.place == nil {
		p.place = map[int64]int{}
	}
	p.place[before.Seq] = len(p.moves)
	p.moves = append(p.moves, append(row, before.Seq, before.version))
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
	for _, part := range []struct {
		statement *bulk
		rows      [][]any
	}{{updateRun, p.moves}, {insertAttempt, p.attempts}, {insertResult, p.results}} {
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
// has locked it.
var updateRun = newBulk(`
	UPDATE runs AS r SET
		version = :version, state = :state, fence = :fence, attempts = :attempts, worker = :worker, session = :session, span = :span,
		queued_at = :queued_at, offered_at = :offered_at, accepted_at = :accepted_at, claimed_at = :claimed_at,
		finished_at = :finished_at, cancel_at = :cancel_at, cancel_by = :cancel_by, cancel_reason = :cancel_reason,
		cancel_told_at = :cancel_told_at, cancel_heeded_at = :cancel_heeded_at, stop = :stop,
		due = :due, rc = :rc, blocked = :blocked, retries = :retries,
		worker_digest = :worker_digest FROM given
	WHERE r.seq = :seq AND r.version = :old_version`,
	"version bigint", "state bigint", "fence bigint", "attempts bigint", "worker text", "session text", "span text",
	"queued_at bigint", "offered_at bigint", "accepted_at bigint", "claimed_at bigint",
	"finished_at bigint", "cancel_at bigint", "cancel_by text", "cancel_reason text",
	"cancel_told_at bigint", "cancel_heeded_at bigint", "stop text",
	"due bigint", "rc text", "blocked bigint", "retries bigint", "worker_digest text",
	"seq bigint", "old_version bigint")

// moveRow is a row of updateRun without the condition.
func (r *Run) moveRow() []any {
	row := make([]any, 0, len(updateRun.kinds))
	return append(row,
		r.version, int64(r.State), r.Fence, int64(r.Attempts), r.Worker, r.Session, r.Span,
		micros(r.QueuedAt), micros(r.OfferedAt), micros(r.AcceptedAt), micros(r.ClaimedAt),
		micros(r.FinishedAt), micros(r.CancelAt), r.CancelBy, r.CancelReason,
		micros(r.CancelToldAt), micros(r.CancelHeededAt), string(r.Stop),
		micros(r.Due), r.RC, boolean(r.Blocked), int64(r.Retries), r.WorkerDigest)
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

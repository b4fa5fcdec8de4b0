package store

import (
	"context"
	"time"
)

// AuditEntry is one change that a person or a program made, other than a worker
// at its work, or a backup, which takes all there is away.
type AuditEntry struct {
	At     time.Time
	Actor  string // name of the token
	Action Action
	Target string // a run's cookie, a worker's name, a token's id, or TargetDatabase
	Detail string
}

// Action is what an actor did.
type Action string

const (
	ActionSubmit   Action = "submit" // a run; its row is its entry
	ActionCancel   Action = "cancel" // a run
	ActionRequeue  Action = "requeue"
	ActionShutdown Action = "shutdown" // a worker
	ActionBackup   Action = "backup"   // the database

	ActionTokenCreate Action = "token_create"
	ActionTokenRevoke Action = "token_revoke"
	ActionEnrol       Action = "enrol" // a worker
)

// TargetDatabase is the target of a backup.
const TargetDatabase = "database"

// audit records a change in the transaction that makes it.
func (t *tx) audit(actor string, action Action, target, detail string) error {
	return t.exec(`INSERT INTO audit (at, actor, action, target, detail) VALUES (?1, ?2, ?3, ?4, ?5)`,
		micros(t.now), actor, string(action), target, brief(detail))
}

// AuditFilter selects entries. What is left empty does not restrict.
type AuditFilter struct {
	Actor  string
	Action Action
	Target string
	Since  time.Time // then or later
}

// AuditCursor is a place in the audit. The zero one is before the newest entry.
type AuditCursor struct {
	Entry int64 // all entries from this number on were returned
	Run   int64 // likewise the submits
}

// Audit returns up to limit entries, the newest first, from a cursor on. next is
// zero after the last page. Submits are read from the runs, so they are there for
// as long as these.
func (s *Store) Audit(ctx context.Context, f AuditFilter, from AuditCursor, limit int) (list []AuditEntry, next AuditCursor, _ error) {
	changes, err := s.changes(ctx, f, from.Entry, limit+1)
	if err != nil {
		return nil, next, err
	}
	submits, err := s.submits(ctx, f, from.Run, limit+1)
	if err != nil {
		return nil, next, err
	}
	next = from
	for len(list) < limit && len(changes)+len(submits) > 0 {
		if len(submits) == 0 || len(changes) > 0 && !changes[0].At.Before(submits[0].At) {
			list, next.Entry, changes = append(list, changes[0].AuditEntry), changes[0].number, changes[1:]
			continue
		}
		one := submits[0]
		if one.Detail != "" {
			one.Detail = "requeued from " + one.Detail
		}
		list, next.Run, submits = append(list, one.AuditEntry), one.number, submits[1:]
	}
	if len(changes)+len(submits) == 0 {
		next = AuditCursor{}
	}
	return list, next, nil
}

// placed is an entry with its number among those of its table.
type placed struct {
	AuditEntry
	number int64
}

// changes reads up to limit entries that have rows of their own.
func (s *Store) changes(ctx context.Context, f AuditFilter, before int64, limit int) ([]placed, error) {
	q := selection{from: `SELECT id, at, actor, action, target, detail FROM audit`}
	q.numbersBy("actor", f.Actor, "id", 0, before)
	q.text("action", string(f.Action))
	q.text("target", f.Target)
	q.times("at", f.Since, time.Time{})
	return s.placed(ctx, &q, limit)
}

// submits reads up to limit entries that are runs.
func (s *Store) submits(ctx context.Context, f AuditFilter, before int64, limit int) ([]placed, error) {
	if f.Action != "" && f.Action != ActionSubmit {
		return nil, nil
	}
	first, _, err := s.between(ctx, f.Since, time.Time{})
	if err != nil {
		return nil, err
	}
	q := selection{from: `SELECT seq, submitted_at, submitter, 'submit', cookie, requeued_from FROM runs`}
	q.numbersBy("submitter", f.Actor, "seq", first, before)
	q.text("cookie", f.Target)
	q.times("submitted_at", f.Since, time.Time{})
	return s.placed(ctx, &q, limit)
}

func (s *Store) placed(ctx context.Context, q *selection, limit int) (found []placed, _ error) {
	return found, s.query(ctx, numbered(q.page(limit)), func(row scanner) error {
		var p placed
		err := row.Scan(&p.number, stamp{&p.At}, &p.Actor, &p.Action, &p.Target, &p.Detail)
		found = append(found, p)
		return err
	}, q.args...)
}

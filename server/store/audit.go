package store

import (
	"context"
	"fmt"
	"time"
)

// AuditEntry is one change that a person or a program made, other than a worker
// at its work.
type AuditEntry struct {
	At     time.Time
	Actor  string // name of the token
	Action Action
	Target string // a run's cookie or a worker's name
	Detail string
}

// Action is what an actor did.
type Action string

const (
	ActionSubmit   Action = "submit" // a run; its row is its entry
	ActionCancel   Action = "cancel" // a run
	ActionRequeue  Action = "requeue"
	ActionShutdown Action = "shutdown" // a worker
)

// audit records a change in the transaction that makes it.
func (t *tx) audit(actor string, action Action, target, detail string) error {
	return t.exec(`INSERT INTO audit (at, actor, action, target, detail) VALUES (?1, ?2, ?3, ?4, ?5)`,
		micros(t.now), actor, string(action), target, brief(detail))
}

// AuditFilter selects entries. What is left empty does not restrict.
type AuditFilter struct {
	Actor  string
	Target string
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
	read := func(query string, before int64) (found []placed, _ error) {
		if before == 0 {
			before = noRun
		}
		return found, s.query(ctx, query, func(row scanner) error {
			var p placed
			err := row.Scan(&p.number, stamp{&p.At}, &p.Actor, &p.Action, &p.Target, &p.Detail)
			found = append(found, p)
			return err
		}, f.args(before, limit+1)...)
	}
	changes, err := read(`SELECT id, at, actor, action, target, detail FROM audit WHERE id < ?1`+f.where("actor", "target")+
		` ORDER BY id DESC LIMIT ?2`, from.Entry)
	if err != nil {
		return nil, next, err
	}
	submits, err := read(`SELECT seq, submitted_at, submitter, 'submit', cookie, requeued_from FROM runs WHERE seq < ?1`+
		f.where("submitter", "cookie")+` ORDER BY seq DESC LIMIT ?2`, from.Run)
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

func (f AuditFilter) where(actor, target string) string {
	out, n := "", 3 // after the place and the limit
	for _, c := range []struct{ column, value string }{{actor, f.Actor}, {target, f.Target}} {
		if c.value != "" {
			out += fmt.Sprintf(" AND %s = ?%d", c.column, n)
			n++
		}
	}
	return out
}

func (f AuditFilter) args(before int64, limit int) []any {
	args := []any{before, limit}
	for _, value := range []string{f.Actor, f.Target} {
		if value != "" {
			args = append(args, value)
		}
	}
	return args
}

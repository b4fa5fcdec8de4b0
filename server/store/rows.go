package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// micros is how a time stands in a table.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// stamp scans a time.
type stamp struct{ to *time.Time }

func (s stamp) Scan(v any) error {
	us, ok := v.(int64)
	if !ok {
		return fmt.Errorf("time is a %T", v)
	}
	*s.to = time.Time{}
	if us != 0 {
		*s.to = time.UnixMicro(us).UTC()
	}
	return nil
}

// length scans a duration.
type length struct{ to *time.Duration }

func (s length) Scan(v any) error {
	us, ok := v.(int64)
	if !ok {
		return fmt.Errorf("duration is a %T", v)
	}
	*s.to = time.Duration(us) * time.Microsecond
	return nil
}

// flag scans a truth value.
type flag struct{ to *bool }

func (f flag) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("truth value is a %T", v)
	}
	*f.to = n != 0
	return nil
}

// object scans JSON text into what to points to. An empty object leaves a nil
// map, as most runs have neither labels nor tags.
type object struct{ to any }

func (o object) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("JSON is a %T", v)
	}
	if text == "{}" {
		return nil
	}
	return json.Unmarshal([]byte(text), o.to)
}

// objectOrNull is object where an empty one is not the same as none.
type objectOrNull struct{ to any }

func (o objectOrNull) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("JSON is a %T", v)
	}
	return json.Unmarshal([]byte(text), o.to)
}

// runColumns are what scanRun reads, with runs as r and their routes as q.
const runColumns = `
	r.seq, r.version, r.cookie, r.digest, r.route, r.pipeline, q.digest, q.queue, q.labels, q.priority,
	r.delivery, r.max_attempts, r.not_before, r.queue_timeout, r.run_timeout, r.detach,
	r.idempotency_key, r.submitter, r.tags, r.send_parent, r.send_state, r.request_parent, r.request_state,
	r.submitted_at, r.state, r.fence, r.attempts, r.worker, r.session, r.span, r.worker_digest,
	r.queued_at, r.offered_at, r.accepted_at, r.claimed_at, r.finished_at,
	r.cancel_at, r.cancel_by, r.cancel_reason, r.cancel_told_at, r.cancel_heeded_at, r.stop, r.due, r.rc,
	r.concurrency_key, r.concurrency_limit, r.concurrency_policy, r.blocked, r.retry, r.retries,
	r.requeued_from, r.requeued_as`

const selectRun = `SELECT ` + runColumns + ` FROM runs r JOIN routes q ON q.id = r.route `

// dest returns where the columns of runColumns go.
func (r *Run) dest() []any {
	return []any{
		&r.Seq, &r.version, &r.Cookie, &r.Digest, &r.route, &r.Pipeline, &r.PipelineDigest, &r.Queue, object{&r.Labels}, &r.Priority,
		&r.Delivery, &r.MaxAttempts, stamp{&r.NotBefore}, length{&r.QueueTimeout}, length{&r.RunTimeout}, flag{&r.Detach},
		&r.IdempotencyKey, &r.Submitter, object{&r.Tags},
		&r.Trace.Send.TraceParent, &r.Trace.Send.TraceState, &r.Trace.Request.TraceParent, &r.Trace.Request.TraceState,
		stamp{&r.SubmittedAt}, &r.State, &r.Fence, &r.Attempts, &r.Worker, &r.Session, &r.Span, &r.WorkerDigest,
		stamp{&r.QueuedAt}, stamp{&r.OfferedAt}, stamp{&r.AcceptedAt}, stamp{&r.ClaimedAt}, stamp{&r.FinishedAt},
		stamp{&r.CancelAt}, &r.CancelBy, &r.CancelReason, stamp{&r.CancelToldAt}, stamp{&r.CancelHeededAt}, &r.Stop, stamp{&r.Due}, &r.RC,
		&r.Concurrency.Key, &r.Concurrency.Limit, &r.Concurrency.Policy, flag{&r.Blocked}, object{&r.Retry}, &r.Retries,
		&r.RequeuedFrom, &r.RequeuedAs,
	}
}

// run reads a run by a condition on it, without variables and result, and locks
// it, so that it may be moved.
func (t *tx) run(where string, args ...any) (r Run, found bool, err error) {
	return t.peek(where+` FOR UPDATE OF r`, args...)
}

// runsIn is run for all runs of which a column has one of the values, in order.
// seq + 0 keeps a planner from walking the whole table in that order.
func (t *tx) runsIn(column string, values []any) (runs []Run, _ error) {
	places := list(&values)
	err := t.rows(selectRun+`WHERE r.`+column+` IN `+places+` ORDER BY r.seq + 0 FOR UPDATE OF r`, func(row scanner) error {
		var r Run
		err := row.Scan(r.dest()...)
		runs = append(runs, r)
		return err
	}, values...)
	return runs, err
}

// list is a list of as many arguments as there are, made up to a power of two
// by repeating the last, so that few statements are ever prepared.
func list(args *[]any) string {
	for n := len(*args); n&(n-1) != 0; n++ {
		*args = append(*args, (*args)[n-1])
	}
	text := "(?1"
	for i := range (*args)[1:] {
		text += fmt.Sprintf(", ?%d", i+2)
	}
	return text + ")"
}

// peek is run without the lock.
func (t *tx) peek(where string, args ...any) (r Run, found bool, err error) {
	found, err = t.row(selectRun+where, r.dest(), args...)
	return r, found, err
}

// plain returns text as every database keeps it: without NUL, and in UTF-8.
func plain(text string) string {
	if strings.IndexByte(text, 0) < 0 && utf8.ValidString(text) {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// jsonText is the canonical JSON of a list or an object, whose keys are sorted.
func jsonText(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

// jsonObject is jsonText of a map, of which nil is the empty one.
func jsonObject(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "{}", nil
	}
	return jsonText(m)
}

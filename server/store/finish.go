package store

import (
	"bytes"
	"context"
	"time"
)

// What is kept of late results: so many of a run, and of each no more than so
// many bytes of its result, and a few thousand of its error and its stacktrace.
const (
	maxLate       = 16
	maxLateResult = 64 << 10
)

// Result is what a worker sends when it is through with a run, or, with Release,
// when it hands the run back.
type Result struct {
	Cookie     string
	Fence      int64
	Worker     string
	RC         string
	Error      string
	Stacktrace string
	Result     []byte // nil is absent
	Stop       Stop   // of a run that was cancelled
	Release    bool
	Reason     string // of the release
	LastEvent  int64  // number of the attempt's last event; 0 is none
}

// Verdict says what became of a result.
type Verdict int

const (
	// Accepted means that the run ended with this result, is tried again after it,
	// or was handed back.
	Accepted Verdict = iota
	// Duplicate means that the run has ended with just this result before.
	Duplicate
	// Stale means that the lease is gone or that the run ended otherwise. The
	// result is kept as evidence.
	Stale
	// Unknown means that there is no such run, or no longer.
	Unknown
)

func (v Verdict) String() string { return [...]string{"accepted", "duplicate", "stale", "unknown"}[v] }

// Finish records results. The first with the current fence ends its run and
// never changes. Verdicts come in the order of the results.
func (s *Store) Finish(ctx context.Context, now time.Time, results []Result) ([]Verdict, []Moved, error) {
	type outcome struct {
		verdicts []Verdict
		moved    []Moved
	}
	workers, cookies := make([]string, len(results)), make([]string, len(results))
	for i := range results {
		workers[i], cookies[i] = results[i].Worker, results[i].Cookie
	}
	out, err := writeFor(ctx, s.writer, now, workers, func(t *tx) (outcome, error) {
		t.point("finish")
		o := outcome{verdicts: make([]Verdict, len(results))}
		runs, err := t.runsOf(cookies)
		if err != nil {
			return outcome{}, err
		}
		for i, res := range results {
			res.Error, res.Stacktrace = plain(res.Error), plain(res.Stacktrace) // as a repeat will find them
			r, found := runs[res.Cookie]
			if !found {
				o.verdicts[i] = Unknown
				continue
			}
			if o.verdicts[i], err = t.finish(r, &res); err != nil {
				return outcome{}, err
			}
		}
		o.moved = t.moved
		return o, nil
	})
	return out.verdicts, out.moved, err
}

func (t *tx) finish(r *Run, res *Result) (Verdict, error) {
	if r.Worker == res.Worker {
		e := event{kind: evFinish, fence: res.Fence, rc: res.RC, errText: res.Error, stop: res.Stop}
		if res.Release {
			e = event{kind: evRelease, fence: res.Fence, reason: res.Reason}
		} else {
			r.Stacktrace, r.Result = res.Stacktrace, res.Result
		}
		if accepted, err := t.move(r, e); accepted || err != nil {
			if err == nil && res.LastEvent > 0 {
				err = t.lastEvent(r.Seq, number(res.Fence, res.LastEvent))
			}
			return Accepted, err
		}
	}
	if same, err := t.sameResult(r, res); same || err != nil {
		return Duplicate, err
	}
	if res.Release { // says nothing that is worth keeping
		return Stale, nil
	}
	return Stale, t.insertLate(r.Seq, res)
}

// sameResult reports whether the run, or an attempt, ended by this very result.
func (t *tx) sameResult(r *Run, res *Result) (bool, error) {
	if res.Release {
		var n int
		return t.row(`SELECT 1 FROM attempts WHERE run = ?1 AND fence = ?2 AND worker = ?3 AND outcome = 'released'`,
			[]any{&n}, r.Seq, res.Fence, res.Worker)
	}
	if r.State.Terminal() && r.Fence == res.Fence && r.RC == res.RC {
		var errText, stacktrace string
		var result []byte
		_, err := t.row(`SELECT error, stacktrace, result FROM results WHERE run = ?1`,
			[]any{&errText, &stacktrace, &result}, r.Seq)
		if err != nil || errText == res.Error {
			same := stacktrace == res.Stacktrace && bytes.Equal(result, res.Result) && (result == nil) == (res.Result == nil)
			return same, err
		}
	}
	var n int // it may be one that the run was to be tried again after
	return t.row(`SELECT 1 FROM attempts WHERE run = ?1 AND fence = ?2 AND worker = ?3
		AND outcome = 'settled' AND rc = ?4 AND reason = ?5`, []any{&n}, r.Seq, res.Fence, res.Worker, res.RC, brief(res.Error))
}

func (t *tx) insertLate(seq int64, res *Result) error {
	kept := res.Result
	if len(kept) > maxLateResult {
		kept = nil
	}
	return t.exec(`
		INSERT INTO late (run, n, at, worker, fence, rc, error, stacktrace, result, size)
		SELECT ?1, count(*) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM late WHERE run = ?1 HAVING count(*) < ?10`,
		seq, micros(t.now), res.Worker, res.Fence, res.RC, brief(res.Error), brief(res.Stacktrace), kept, len(res.Result), maxLate)
}

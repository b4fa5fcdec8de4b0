package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Requeue makes a new run with the body of one that ended without success, and
// links the two. A run is requeued once: again returns the run that was made of
// it, with created false. It returns ErrNotFound, and ErrNotRequeueable for a
// run that has not ended or has succeeded.
func (s *Store) Requeue(ctx context.Context, now time.Time, cookie, by string, trace Trace) (_ Submitted, created bool, _ error) {
	type outcome struct {
		Submitted
		created bool
	}
	out, err := add(ctx, s.writer, now, func(t *tx) (o outcome, err error) {
		o.Run, o.created, err = t.requeue(cookie, by, trace)
		o.Moved = t.moved
		return o, err
	})
	return out.Submitted, out.created, err
}

func (t *tx) requeue(cookie, by string, trace Trace) (Run, bool, error) {
	t.point("requeue")
	old, found, err := t.run(`WHERE r.cookie = ?1`, cookie)
	switch {
	case err != nil:
		return Run{}, false, err
	case !found:
		return Run{}, false, ErrNotFound
	case !old.State.Requeueable():
		return Run{}, false, ErrNotRequeueable
	}
	n := old.NewRun
	n.Cookie, n.RequeuedFrom = RequeuedCookie(cookie), cookie
	n.NotBefore, n.IdempotencyKey, n.Submitter, n.Trace = time.Time{}, "", by, trace
	if _, err := t.row(`SELECT body FROM variables WHERE run = ?1`, []any{&n.Variables}, old.Seq); err != nil {
		return Run{}, false, err
	}
	r, created, err := t.submit(n)
	if err != nil || !created {
		return r, created, err
	}
	if err := t.one(`UPDATE runs SET requeued_as = ?1, version = version + 1 WHERE seq = ?2`, n.Cookie, old.Seq); err != nil {
		return Run{}, false, err
	}
	return r, true, t.audit(by, ActionRequeue, cookie, "as "+n.Cookie)
}

// Requeueable reports whether a run in this state can be requeued.
func (s State) Requeueable() bool { return s.Terminal() && s != Succeeded }

const (
	requeueMark    = ".requeue-"
	longestRequeue = 128 // bytes of a cookie
)

// RequeuedCookie is the cookie of the run that is made of another: the first
// requeue of "a" is "a.requeue-1", whose own is "a.requeue-2".
func RequeuedCookie(cookie string) string {
	base, last := cookie, 0
	if i := strings.LastIndex(cookie, requeueMark); i > 0 {
		if n, err := strconv.Atoi(cookie[i+len(requeueMark):]); err == nil && n > 0 && n < 1<<30 {
			base, last = cookie[:i], n
		}
	}
	mark := requeueMark + strconv.Itoa(last+1)
	if len(base)+len(mark) > longestRequeue {
		sum := sha256.Sum256([]byte(base))
		digest := "." + hex.EncodeToString(sum[:8])
		base = base[:longestRequeue-len(mark)-len(digest)] + digest
	}
	return base + mark
}

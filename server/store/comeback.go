package store

import "slices"

// comeBack offers runs again to the worker that lost them by its silence, and
// returns those that it has lost for good.
func (t *tx) comeBack(n NewSession, lost []Held) (gone []Held, _ error) {
	for part := range slices.Chunk(lost, maxList) {
		held := newHolding(part)
		cookies := make([]any, len(part))
		for i, h := range part {
			cookies[i] = h.Cookie
		}
		runs, err := t.runsIn("cookie", cookies)
		if err != nil {
			return nil, err
		}
		for i := range runs {
			r := &runs[i]
			back, err := t.comesBack(n, r, held[r.Cookie].Fence)
			if err != nil {
				return nil, err
			}
			if back {
				delete(held, r.Cookie)
			}
		}
		for _, h := range part {
			if _, is := held[h.Cookie]; is {
				gone = append(gone, h)
			}
		}
	}
	return gone, nil
}

// comesBack offers one run again, if this worker was the last to have it and was
// not heard of.
func (t *tx) comesBack(n NewSession, r *Run, fence int64) (bool, error) {
	if r.Fence != fence || r.State != Queued && r.State != Scheduled {
		return false, nil
	}
	var digest string // of what it works on, whatever it says that it has now
	silent, err := t.row(`SELECT digest FROM attempts WHERE run = ?1 AND fence = ?2 AND worker = ?3 AND outcome = 'expired'`,
		[]any{&digest}, r.Seq, fence, n.Worker)
	if err != nil || !silent {
		return false, err
	}
	return t.move(r, event{kind: evReturn, worker: n.Worker, session: n.Session, digest: digest, fence: fence})
}

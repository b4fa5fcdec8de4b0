package store

// claimFor offers up to n runs to a worker: any that it takes, or only the one
// with a certain cookie.
func (t *tx) claimFor(s *session, only string, to *offers, n int) error {
	if only == "" {
		return t.claim(s, to, n)
	}
	if n == 0 { // it has the run already
		return nil
	}
	r, found, err := t.run(`WHERE r.cookie = ?1`, only)
	switch {
	case err != nil:
		return err
	case !found:
		return ErrNotFound
	case r.State.Terminal():
		return ErrRunEnded
	}
	o, err := t.offering(s)
	if err != nil {
		return err
	}
	if !o.pipelines.Has(r.Pipeline, r.PipelineDigest) {
		return ErrNoPipeline
	}
	offered, err := t.move(&r, event{kind: evOffer, worker: s.worker, session: s.id, digest: o.pipelines[r.Pipeline]})
	if err != nil || !offered { // it waits for its time, or another worker has it
		return err
	}
	return t.give(r, to)
}

package store

// claimFor offers up to n runs to a worker: any that it takes, or only the one
// with a certain cookie.
func (t *tx) claimFor(s *session, only string, n int) ([]Offer, error) {
	if only == "" {
		return t.claim(s, n)
	}
	if n == 0 { // it has the run already
		return nil, nil
	}
	r, found, err := t.run(`WHERE r.cookie = ?1`, only)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, ErrNotFound
	case r.State.Terminal():
		return nil, ErrRunEnded
	}
	o, err := t.offering(s)
	if err != nil {
		return nil, err
	}
	if !o.pipelines.Has(r.Pipeline, r.PipelineDigest) {
		return nil, ErrNoPipeline
	}
	offered, err := t.move(&r, event{kind: evOffer, worker: s.worker, session: s.id, digest: o.pipelines[r.Pipeline]})
	if err != nil || !offered { // it waits for its time, or another worker has it
		return nil, err
	}
	if _, err := t.row(`SELECT body FROM variables WHERE run = ?1`, []any{&r.Variables}, r.Seq); err != nil {
		return nil, err
	}
	return []Offer{{Run: r}}, nil
}

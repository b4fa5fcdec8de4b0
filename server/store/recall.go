package store

// recall is what the writer remembers of runs, so that it need not read again
// what it has written itself. On a database that no other server uses, a run is
// as it is remembered. On one that is shared it is so if its version is.
type recall struct {
	shared  bool             // there may be other servers
	runs    map[string]*Run  // that have not ended, as the writer left them, by cookie
	settled map[string]int64 // fences of leases that ended by their result, by cookie
}

// maxRecall bounds how many runs are remembered.
const maxRecall = 8192

func newRecall(shared bool) recall {
	return recall{shared: shared, runs: map[string]*Run{}, settled: map[string]int64{}}
}

// forget drops everything, after a transaction that did not happen.
func (c *recall) forget() {
	clear(c.runs)
	clear(c.settled)
}

// left notes how a run was left, as it would be read again.
func (c *recall) left(r *Run, ended *Attempt) {
	if ended != nil && ended.Outcome == Settled {
		if len(c.settled) >= maxRecall {
			clear(c.settled)
		}
		c.settled[r.Cookie] = ended.Fence
	}
	if r.State.Terminal() {
		delete(c.runs, r.Cookie)
		return
	}
	known := c.runs[r.Cookie]
	if known == nil {
		if len(c.runs) >= maxRecall { // most wait, and it will be long before they are asked for
			clear(c.runs)
		}
		known = &Run{}
		c.runs[r.Cookie] = known
	}
	*known = *r
	known.Variables, known.Stacktrace, known.Result = nil, "", nil
}

// runsOf locks the runs of cookies and returns those that there are, without
// variables and results. It reads those that it does not remember.
func (t *tx) runsOf(cookies []string) (map[string]*Run, error) {
	c := &t.w.recall
	known := make(map[string]*Run, len(cookies))
	for _, cookie := range cookies {
		if r := c.runs[cookie]; r != nil {
			known[cookie] = new(*r)
		}
	}
	if c.shared && len(known) > 0 {
		if err := t.dropChanged(known); err != nil {
			return nil, err
		}
	}
	var unknown []any
	for _, cookie := range cookies {
		if known[cookie] == nil {
			unknown = append(unknown, cookie)
		}
	}
	if len(unknown) == 0 {
		return known, nil
	}
	read, err := t.runsIn("cookie", unknown)
	for i := range read {
		known[read[i].Cookie] = &read[i]
	}
	return known, err
}

// dropChanged locks runs and deletes those that another server has changed.
func (t *tx) dropChanged(known map[string]*Run) error {
	args := make([]any, 0, len(known))
	versions := make(map[int64]int64, len(known))
	for _, r := range known {
		args = append(args, r.Seq)
	}
	places := list(&args)
	err := t.rows(`SELECT seq, version FROM runs WHERE seq IN `+places+` ORDER BY seq + 0 FOR UPDATE`, func(row scanner) error {
		var seq, version int64
		err := row.Scan(&seq, &version)
		versions[seq] = version
		return err
	}, args...)
	for cookie, r := range known {
		if version, there := versions[r.Seq]; !there || version != r.version {
			delete(known, cookie)
		}
	}
	return err
}

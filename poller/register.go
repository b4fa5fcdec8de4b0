package poller

import (
	"context"
	"fmt"
	"time"

	"github.com/pullrun/pullrun/api"
)

// open opens a session, waiting out every outage. Where the server refuses what
// was announced, it is the session before, or a new one that is like it if that
// may have been superseded by what had no answer.
func (p *Poller) open(ctx context.Context) (*session, error) {
	var wait backoff
	before, unanswered := p.session.Load(), false
	for {
		presented := p.presented.Load()
		in := presented.Register
		in.Holding = p.handler.Holding()
		// One that is delivered late, after the next, must not supersede that.
		p.opens++
		in.Session = fmt.Sprintf("%s.%d", p.process, p.opens)
		began := time.Now()
		p.turns.within("poll", 0)
		out, err := p.server.Register(ctx, in)
		if err == nil {
			p.contact.made(ctx, p.log, "register", began)
			defer presented.judge(nil)
			return p.opened(ctx, presented, out), nil
		}
		final := refused(err)
		if api.CodeOf(err) == api.CodeBodyTooLarge { // as it will be the next time
			err, final = fmt.Errorf("the server takes no registration with %d pipelines and %d leases: %w", len(in.Pipelines), len(in.Holding), err), true
		}
		switch {
		case final && before != nil && before.presented != presented:
			p.keep(before, presented, err)
			if unanswered {
				continue
			}
			return before, nil
		case ctx.Err() != nil || final:
			return nil, err
		}
		unanswered = true
		p.failed(ctx, "register", err, wait.next(p.cfg, err))
		p.turns.within("poll", wait.wait)
		if !wait.sleep(ctx) {
			return nil, context.Cause(ctx)
		}
	}
}

func (p *Poller) opened(ctx context.Context, presented *presentation, r api.Registered) *session {
	s := &session{
		worker: r.WorkerID, id: r.Session, presented: presented, beat: make(chan struct{}, 1),
		lease: within(r.LeaseMS),
		renew: within(r.RenewMS),
		hold:  within(r.HoldMS),
		body:  min(r.Limits.BodyBytes, maxRun),
	}
	if p.cfg.Hold > 0 {
		s.hold = min(s.hold, p.cfg.Hold)
	}
	p.session.Store(s)
	if len(r.Lost) > 0 {
		p.handler.Leases(r.Lost, nil)
	}
	p.log.InfoContext(ctx, "registered", "worker", s.worker, "capacity", presented.Capacity, "pipelines", len(presented.Pipelines), "hold", s.hold, "lease", s.lease, "store", r.Store)
	p.cfg.Opened(r)
	return s
}

// maxRun bounds the size of a run, in bytes, that a worker waits for, whatever the
// server says: it is as much as the client reads.
const maxRun = 64 << 20

// within is a time that the server asks for, as far as that makes sense: a worker
// does not call without a pause, nor wait for ever.
func within(ms int64) time.Duration {
	return min(max(api.Milliseconds(ms), 100*time.Millisecond), 24*time.Hour)
}

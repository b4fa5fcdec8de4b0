package poller

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/pullrun/pullrun/api"
)

// heartbeat renews the leases while any is held, and gives them up when the
// server has not been heard of for so long that it may have leased the runs to
// somebody else. Polls renew the leases too, so a worker that holds nothing
// sends no heartbeat.
func (p *Poller) heartbeat(ctx context.Context, s *session) error {
	wait := s.untilRenewal()
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.beat:
		case <-timer.C:
		}
		timer.Stop()
		err := p.renew(ctx, s)
		left := time.Until(p.deadline(s))
		switch {
		case err == nil:
			wait = s.untilRenewal()
		case ctx.Err() != nil:
			return nil
		case ended(err):
			return err
		case left > 0:
			wait = min(left, s.untilRenewal()/10)
			p.failed(ctx, "heartbeat", err, wait)
		default:
			wait = s.untilRenewal()
			held := p.handler.Holding()
			p.log.WarnContext(ctx, "no contact for as long as leases last, giving them up", "leases", len(held), "lease", s.lease, "err", err)
			p.handler.Leases(held, nil)
		}
	}
}

// untilRenewal spreads the heartbeats of many workers: renew, give or take a
// fifth.
func (s *session) untilRenewal() time.Duration {
	return s.renew*4/5 + rand.N(s.renew*2/5+1)
}

// renew sends one heartbeat, if there is a lease to renew. It takes no longer
// than the leases last.
func (p *Poller) renew(ctx context.Context, s *session) error {
	held := p.handler.Holding()
	if len(held) == 0 {
		return nil
	}
	began := time.Now()
	bounded, cancel := context.WithDeadline(ctx, p.deadline(s))
	defer cancel()
	beat, err := p.server.Heartbeat(bounded, s.worker, api.Heartbeat{Session: s.id, Holding: held, Draining: p.draining.Load()})
	if err != nil {
		return err
	}
	p.contact.made(ctx, p.log, began)
	if len(beat.Lost)+len(beat.Claimed) > 0 {
		p.handler.Leases(beat.Lost, beat.Claimed)
	}
	p.deliver(s, beat.Packets)
	return nil
}

// deadline is when the leases must be taken as lost: a margin before the
// server would take them back, counted on the monotonic clock from before the
// last request that it answered.
func (p *Poller) deadline(s *session) time.Time {
	return p.contact.last().Add(s.lease - min(5*time.Second, s.lease/10))
}

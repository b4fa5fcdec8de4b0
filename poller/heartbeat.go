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
	var wait backoff
	var silence time.Time // the contact after which the leases were given up
	next := s.untilRenewal()
	defer p.turns.over("heartbeat")
	for {
		p.turns.within("heartbeat", next)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.beat:
		case <-timer.C:
		}
		timer.Stop()

		next = s.untilRenewal()
		held := p.handler.Holding()
		if len(held) == 0 {
			p.contact.rests(ctx, p.log, "heartbeat")
			continue
		}
		silence = p.expire(ctx, s, held, silence)
		p.turns.within("heartbeat", s.lease)
		err := p.renew(ctx, s, held)
		switch {
		case err == nil:
			wait = backoff{}
		case ctx.Err() != nil:
			return nil
		case ended(err):
			return err
		default:
			next = min(next, wait.next(p.cfg, err))
			p.failed(ctx, "heartbeat", err, next)
			silence = p.expire(ctx, s, held, silence)
		}
		if left := time.Until(p.deadline(s)); left > 0 {
			next = min(next, left)
		}
	}
}

// untilRenewal spreads the heartbeats of many workers: renew, give or take a
// fifth.
func (s *session) untilRenewal() time.Duration {
	return s.renew*4/5 + rand.N(s.renew*2/5+1)
}

// renew sends one heartbeat. It takes no longer than the leases last; once
// they are given up, it asks all the same, for the end of the outage.
func (p *Poller) renew(ctx context.Context, s *session, held []api.Held) error {
	began := time.Now()
	within, cancel := p.whileLeased(ctx, s)
	defer cancel()
	beat, err := p.server.Heartbeat(within, s.worker, api.Heartbeat{Session: s.id, Holding: held, Draining: p.draining.Load()})
	if err != nil {
		return err
	}
	p.contact.made(ctx, p.log, "heartbeat", began)
	if len(beat.Lost)+len(beat.Claimed) > 0 {
		p.handler.Leases(beat.Lost, beat.Claimed)
	}
	p.deliver(s, beat.Packets)
	return nil
}

// whileLeased ends when the leases do, unless that is past.
func (p *Poller) whileLeased(ctx context.Context, s *session) (context.Context, context.CancelFunc) {
	if deadline := p.deadline(s); deadline.After(time.Now()) {
		return context.WithDeadline(ctx, deadline)
	}
	return context.WithCancel(ctx)
}

// expire gives the leases up when their time is over, once for each silence of
// the server. A silence is known by the contact before it.
func (p *Poller) expire(ctx context.Context, s *session, held []api.Held, silence time.Time) time.Time {
	last := p.contact.last()
	if time.Now().Before(p.deadline(s)) || last.Equal(silence) {
		return silence
	}
	p.log.WarnContext(ctx, "no contact for as long as leases last, giving them up", "leases", len(held), "lease", s.lease)
	p.handler.Leases(held, nil)
	return last
}

// LeasesEnd is when the leases that are held must be taken as lost, unless they
// are renewed. It is zero before the first registration.
func (p *Poller) LeasesEnd() time.Time {
	if s := p.session.Load(); s != nil {
		return p.deadline(s)
	}
	return time.Time{}
}

// deadline is when the leases must be taken as lost: a margin before the
// server would take them back, counted on the monotonic clock from before the
// last request that it answered.
func (p *Poller) deadline(s *session) time.Time {
	return p.contact.last().Add(s.lease - min(5*time.Second, s.lease/10))
}

package poller

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/pullrun/pullrun/api"
)

// heartbeat renews the leases while any is held. Polls renew them too, so a worker
// that holds nothing sends no heartbeat, unless a large answer to its poll takes
// longer than the session lasts. Once the leases are given up it asks all the same,
// for the end of the outage.
func (p *Poller) heartbeat(ctx context.Context, s *session) error {
	var wait backoff
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
		if len(held) == 0 && !p.isLate() {
			p.contact.rests(ctx, p.log, "heartbeat")
			continue
		}
		p.turns.within("heartbeat", s.lease)
		err := p.renew(ctx, s, held)
		switch {
		case err == nil:
			wait = backoff{}
		case ctx.Err() != nil:
			return nil
		case ended(err):
			return err
		case len(held) == 0: // the poll tells of an outage
		default:
			next = min(next, wait.next(p.cfg, err))
			p.failed(ctx, "heartbeat", err, next)
		}
	}
}

// awaits notes that a poll is sent, and asks for a heartbeat when its answer is late.
// Call arrived when that has come.
func (p *Poller) awaits(s *session, hold time.Duration) (arrived func()) {
	wait := hold + max(0, min(holdMargin/2, (s.lease-hold)/4))
	p.late.Store(time.Now().Add(wait).UnixNano())
	ask := time.AfterFunc(wait, s.askBeat)
	return func() {
		ask.Stop()
		p.late.Store(0)
	}
}

func (p *Poller) isLate() bool {
	late := p.late.Load()
	return late != 0 && time.Now().UnixNano() >= late
}

// askBeat asks for a heartbeat now.
func (s *session) askBeat() {
	select {
	case s.beat <- struct{}{}:
	default:
	}
}

// untilRenewal spreads the heartbeats of many workers: renew, give or take a
// fifth.
func (s *session) untilRenewal() time.Duration {
	return s.renew*4/5 + rand.N(s.renew*2/5+1)
}

// renew sends one heartbeat.
func (p *Poller) renew(ctx context.Context, s *session, held []api.Held) error {
	began := time.Now()
	beat, err := p.server.Heartbeat(ctx, s.worker, api.Heartbeat{Session: s.id, Holding: held, Draining: p.draining.Load()})
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

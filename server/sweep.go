package server

import (
	"context"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

const sweepEvery = time.Second

// sweep does what time brings, until ctx ends: leases expire, offers lapse,
// and scheduled runs become ready.
func (s *Server) sweep(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			now := time.Now()
			s.turned.Store(&now)
			timer.Reset(s.sweepOnce(ctx))
		}
	}
}

// sweepOnce returns when to sweep again.
func (s *Server) sweepOnce(ctx context.Context) time.Duration {
	out, err := s.store.Sweep(ctx, s.store.Now())
	s.moved(out.Moved)
	lost := map[string]int{}
	for i := range out.Moved {
		if m := &out.Moved[i]; m.Attempt != nil && m.Attempt.Outcome == store.Expired {
			lost[m.Worker]++
		}
	}
	for _, worker := range out.Expired {
		s.log.WarnContext(ctx, "worker has gone away, its leases are over", "worker", worker, "runs", lost[worker])
		s.forget(worker)
	}
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "sweep of the store failed", "err", err)
		}
		return sweepEvery
	}
	if out.NextDue.IsZero() {
		return sweepEvery
	}
	return max(0, min(out.NextDue.Sub(s.store.Now()), sweepEvery))
}

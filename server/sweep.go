package server

import (
	"context"
	"time"
)

const (
	sweepEvery = time.Second
	purgeEvery = time.Minute
	purgeStep  = 256 // runs that are deleted in one transaction
)

// sweep does what time brings, until ctx ends: leases expire, offers lapse,
// scheduled runs become ready, and old ones are deleted.
func (s *Server) sweep(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	purge := time.NewTicker(purgeEvery)
	defer purge.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-purge.C:
			s.purge(ctx)
		case <-timer.C:
			timer.Reset(s.sweepOnce(ctx))
		}
	}
}

// sweepOnce returns when to sweep again.
func (s *Server) sweepOnce(ctx context.Context) time.Duration {
	out, err := s.store.Sweep(ctx, s.store.Now())
	s.moved(out.Moved)
	for _, worker := range out.Expired {
		s.log.WarnContext(ctx, "worker has gone away, its runs are queued again", "worker", worker)
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

// purge deletes runs that are older than the retention, in steps that let
// others in between.
func (s *Server) purge(ctx context.Context) {
	if s.cfg.Retention <= 0 {
		return
	}
	before := s.store.Now().Add(-s.cfg.Retention)
	total := 0
	for ctx.Err() == nil {
		n, err := s.store.Purge(ctx, before, purgeStep)
		if err != nil {
			s.log.ErrorContext(ctx, "deleting old runs failed", "err", err)
			return
		}
		if total += n; n < purgeStep {
			break
		}
	}
	if total > 0 {
		s.log.InfoContext(ctx, "old runs are deleted", "runs", total, "ended_before", before.UTC())
	}
}

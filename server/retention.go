package server

import (
	"context"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

const (
	purgeEvery = time.Minute
	purgeStep  = 64 // runs that are deleted in one transaction
)

// retain deletes what need not be kept any more, until ctx ends.
func (s *Server) retain(ctx context.Context) {
	every := time.NewTicker(purgeEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		deleted, err := s.purge(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "deleting what is old failed", "err", err)
		}
		if deleted.Any() {
			s.log.InfoContext(ctx, "what is old is deleted", "runs", deleted.Runs, "routes", deleted.Routes, "keys", deleted.Keys, "audit", deleted.Audit)
		}
	}
}

// purge deletes in steps. Between them it leaves the store to others for as long
// as it has had it.
func (s *Server) purge(ctx context.Context) (total store.Purged, _ error) {
	old, err := s.store.Outdated(ctx, s.store.Now(), s.cfg().Retention)
	if err != nil || old == nil {
		return total, err
	}
	for {
		began := time.Now()
		step, err := s.store.Purge(ctx, s.store.Now(), old, purgeStep)
		total.Add(step)
		if err != nil || !step.Any() {
			return total, err
		}
		select {
		case <-ctx.Done():
			return total, nil
		case <-time.After(time.Since(began)):
		}
	}
}

package main

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnIdleWorkerGivesMemoryBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		busyUntil := began.Add(150 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
		defer cancel()
		var at []time.Duration
		rest(ctx, func() time.Duration { return max(time.Since(busyUntil), 0) }, func() { at = append(at, time.Since(began)) })
		want := []time.Duration{210 * time.Second, 270 * time.Second, 330 * time.Second}
		if !slices.Equal(at, want) {
			t.Errorf("memory is given back at %v of a worker that is busy for 2m30s, want %v", at, want)
		}
	})
}

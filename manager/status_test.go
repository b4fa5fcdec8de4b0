package manager_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
)

// TestStatusShowsWhereARunIs runs a real pipeline's worth of calls through the
// observer that the manager gives to its engine.
func TestStatusShowsWhereARunIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now()
		counts := &engine.LoopCounts{}
		set := pipelines{"nested": func(ctx context.Context, in engine.Input) (engine.Output, error) {
			ctx, end := in.Observer.Task(ctx, engine.TaskInfo{Pipeline: "nested", Number: 2, Name: "each", Kind: engine.KindTasks, Loop: true, Counts: counts})
			defer end(nil)
			_, done := in.Observer.Task(ctx, engine.TaskInfo{Pipeline: "<taskset>", Number: 1, Kind: engine.KindChip})
			done(nil)
			time.Sleep(time.Second)
			ctx, end = in.Observer.Task(ctx, engine.TaskInfo{Pipeline: "<taskset>", Number: 2, Kind: engine.KindChip})
			defer end(nil)
			_, end = in.Observer.Chip(ctx, engine.ChipInfo{Chip: "http.get", Pipeline: "<taskset>", Number: 2})
			defer end(nil)
			<-ctx.Done()
			return engine.Output{}, context.Cause(ctx)
		}}
		s := &server{}
		m := start(t, set, s)
		m.Handle(api.Packet{PacketType: api.PacketRun, Cookie: "c", Fence: 2, Pipeline: "nested", Queue: "q", Attempt: 1})
		m.Handle(api.Packet{PacketType: api.PacketRun, Cookie: "d", Fence: 1, Pipeline: "nested", Delivery: api.AtMostOnce})
		time.Sleep(time.Minute)
		got := m.Status()
		want := []api.RunInHand{
			{Cookie: "c", Fence: 2, Pipeline: "nested", Queue: "q", Attempt: 1, State: api.HandRunning, Since: at, Tasks: []api.TaskInHand{
				{Pipeline: "nested", Number: 2, Name: "each", Kind: "tasks", Since: at},
				{Pipeline: "<taskset>", Number: 2, Kind: "chip", Chip: "http.get", Since: at.Add(time.Second)},
			}},
			{Cookie: "d", Fence: 1, Pipeline: "nested", State: api.HandWaiting, Since: at},
		}
		if diff := cmp.Diff(want, got.Runs); diff != "" {
			t.Errorf("Status().Runs (-want +got)\n%s", diff)
		}
		if got.Slots != (api.Slots{Used: 2, Limit: capacity}) || got.Draining || got.Paused != "" || got.Outbox != nil {
			t.Errorf("Status() = %+v", got)
		}
		m.Handle(api.Packet{PacketType: api.PacketCancel, Cookie: "c", Fence: 2})
		if got := m.Status().Runs[0].State; got != api.HandCancelling {
			t.Errorf("a run that is told to stop is %q, want %q", got, api.HandCancelling)
		}
		giveUp(m)
	})
}

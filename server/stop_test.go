package server_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
)

// A worker that is connected hears of a cancellation at once, and the run keeps
// when it was told, when it stopped and how. How long that took is printed.
func TestACancellationLeavesItsProof(t *testing.T) {
	t.Parallel()
	const runs = 40
	stops := []api.Stop{api.StopCooperative, api.StopKilled, api.StopAbandoned}
	w := newWorld(t)
	wk := w.register("w", runs)
	for i := range runs {
		w.submit(api.Submit{Cookie: fmt.Sprint("r", i)})
	}
	held := make([]api.Held, 0, runs)
	for len(held) < runs {
		for _, p := range wk.poll(held...) {
			held = append(held, api.Held{Cookie: p.Cookie, Fence: p.Fence})
		}
	}
	wk.poll(held...)
	heard := make(chan struct{}) // closed when every CANCEL has arrived
	go func() {
		defer close(heard)
		for told := 0; told < runs; {
			a := w.call("POST", wk.path("/poll"), wk.asks(25*time.Second, held))
			if a.status != http.StatusOK {
				return
			}
			for _, p := range into[api.Packets](t, a).Packets {
				i := slices.IndexFunc(held, func(h api.Held) bool { return h.Cookie == p.Cookie })
				if !held[i].Cancelling {
					told++
				}
				held[i].Cancelling = true
			}
		}
	}()
	for i := range runs {
		w.want(http.StatusAccepted, "POST", fmt.Sprint("/v1/runs/r", i, "/cancel"), api.Cancel{})
	}
	<-heard
	wk.beat(held...) // it has told them all to stop
	for i, h := range held {
		wk.post(api.Result{Cookie: h.Cookie, Fence: h.Fence, RC: api.RCCancelled, Stop: stops[i%len(stops)]})
	}

	var took []time.Duration
	for i, h := range held {
		run := into[api.Run](t, w.want(http.StatusOK, "GET", "/v1/runs/"+h.Cookie, nil))
		if run.CancelDeliveredAt == nil || run.CancelStoppingAt == nil || run.CancelStoppedAt == nil {
			t.Fatalf("run = %+v, want when it was told and stopped", run)
		}
		steps := []time.Time{*run.CancelRequestedAt, *run.CancelDeliveredAt, *run.CancelStoppingAt, *run.CancelStoppedAt}
		if !slices.IsSortedFunc(steps, time.Time.Compare) {
			t.Errorf("steps %v, want them in order", steps)
		}
		if want := stops[i%len(stops)]; run.Stop != want {
			t.Errorf("stop = %q, want %q", run.Stop, want)
		}
		took = append(took, run.CancelDeliveredAt.Sub(*run.CancelRequestedAt))
	}
	slices.Sort(took)
	t.Logf("from request to delivery, of %d: median %s, p99 %s, longest %s", runs, took[runs/2], took[runs*99/100], took[runs-1])
}

// A way to stop that this server does not know says nothing.
func TestAStrangeStopIsIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "a"})
	held := wk.take()
	w.want(http.StatusAccepted, "POST", "/v1/runs/a/cancel", api.Cancel{})
	ctx := context.WithValue(t.Context(), badEntry{}, true)
	if _, err := w.send(w.request(ctx, "POST", wk.path("/results"), api.Results{Session: wk.session, Results: []api.Result{
		{Cookie: "a", Fence: held.Fence, RC: api.RCCancelled, Stop: "vaporised"},
	}})); err != nil {
		t.Fatal(err)
	}
	if run := into[api.Run](t, w.want(http.StatusOK, "GET", "/v1/runs/a", nil)); run.State != api.StateCancelled || run.Stop != "" {
		t.Errorf("run = %s, stop %q, want CANCELLED and none", run.State, run.Stop)
	}
}

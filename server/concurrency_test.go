package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

// of makes a run one of key "k".
func of(cookie string, policy api.ConcurrencyPolicy) api.Submit {
	return api.Submit{Pipeline: "p", Cookie: cookie, Concurrency: &api.Concurrency{Key: "k", Policy: policy}}
}

// A run whose slot has become free reaches a parked poll at once.
func TestFreeSlotWakesAPoll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.register("one", 1), w.register("two", 1)
	if got := w.submit(of("a", "")); got.Blocked {
		t.Errorf("the first run of a key = %+v, want it not blocked", got)
	}
	lease := one.take()
	got := w.submit(of("b", ""))
	if want := (&api.Concurrency{Key: "k", Limit: 1, Policy: api.ConcurrencyQueue}); !got.Blocked || cmp.Diff(want, got.Concurrency) != "" {
		t.Errorf("the second run of a key = %+v with %+v, want it blocked with %+v", got, got.Concurrency, want)
	}
	parked := two.park()
	w.parked(1)
	one.finish(lease)
	if got := runs(t, parked.packets()); cmp.Diff([]string{"b"}, got) != "" {
		t.Errorf("the parked poll has %q, want b", got)
	}
}

func TestConcurrencyRejects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.submit(of("a", api.ConcurrencyReject))
	w.refused(api.CodeConcurrencyLimit, "POST", "/v1/runs", of("b", api.ConcurrencyReject))
	w.want(http.StatusOK, "POST", "/v1/runs", of("a", api.ConcurrencyReject))
	batch := into[api.SubmitBatchResult](t, w.want(200, "POST", "/v1/runs/batch", api.SubmitBatch{
		Runs: []api.Submit{of("c", api.ConcurrencyReject), of("d", "")},
	}))
	if p := batch.Results[0].Problem; p == nil || p.Code != api.CodeConcurrencyLimit {
		t.Errorf("first of the batch = %+v, want it refused", batch.Results[0])
	}
	if r := batch.Results[1].Run; r == nil || !r.Blocked {
		t.Errorf("second of the batch = %+v, want it blocked", batch.Results[1])
	}
	later := of("e", api.ConcurrencyReject)
	at := time.Now().Add(time.Hour)
	later.NotBefore = &at
	w.refused(api.CodeInvalidRequest, "POST", "/v1/runs", later)
}

// The worker of an older run is told to cancel it, by its parked poll.
func TestConcurrencyCancelsOlder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 2)
	w.submit(of("old", ""))
	lease := wk.take()
	w.submit(of("waits", ""))
	parked := wk.park(lease)
	w.parked(1)
	w.submit(of("new", api.ConcurrencyCancelOlder))
	if got := parked.packets(); len(got) != 1 || got[0].PacketType != api.PacketCancel || got[0].Cookie != "old" {
		t.Fatalf("the parked poll has %+v, want CANCEL of old", got)
	}
	w.state(api.StateCancelled, "waits")
	lease.Cancelling = true
	parked = wk.park(lease)
	w.parked(1)
	wk.post(api.Result{Cookie: "old", Fence: 1, RC: api.RCCancelled})
	if got := runs(t, parked.packets()); cmp.Diff([]string{"new"}, got) != "" {
		t.Errorf("the parked poll has %q, want new", got)
	}
}

func TestQueuesCountWhatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(of("a", ""))
	wk.take()
	w.submit(of("b", ""))
	w.submit(api.Submit{Cookie: "c"})
	later := time.Now().Add(time.Hour)
	w.submit(api.Submit{Cookie: "d", NotBefore: &later})
	w.submit(api.Submit{Cookie: "e", Queue: "q2", NotBefore: &later})
	want := []api.QueueStats{
		{Queue: "default", Queued: 1, Blocked: 1, Scheduled: 1, Leased: 1, Demand: 2},
		{Queue: "q2", Scheduled: 1},
	}
	got := into[api.QueueList](t, w.want(200, "GET", "/v1/queues", nil)).Queues
	for i := range got {
		got[i].OldestAgeMS = 0 // it grows
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	one := into[api.QueueStats](t, w.want(200, "GET", "/v1/queues/q2", nil))
	if diff := cmp.Diff(want[1], one); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
}

package server_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

// The newest session of a name wins at once. The one before is told so
// wherever it asks, while its results count by their fence.
func TestSuperseded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.register("w", 2)
	w.submit(api.Submit{Cookie: "kept"})
	w.submit(api.Submit{Cookie: "lost"})
	got := old.poll()
	kept, lost := held(got[0]), held(got[1])
	parked := old.park(kept, lost)
	w.parked(1)

	wk, in := w.registered("w", 2, func(in *api.Register) {
		in.Holding = []api.Held{kept, {Cookie: "never", Fence: 1}}
	})
	if a := parked.await(); a.problem() != api.CodeSessionSuperseded {
		t.Errorf("the old session's parked poll = %d %s, want SESSION_SUPERSEDED", a.status, a.body)
	}
	if diff := cmp.Diff([]api.Held{{Cookie: "never", Fence: 1}}, in.Lost); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
	if in.HoldMS != 25000 || in.LeaseMS != 60000 || in.RenewMS != 15000 || in.Limits != (api.Limits{BodyBytes: 64 << 10, ResultBytes: 16 << 10}) {
		t.Errorf("registered is %+v, want the server's settings", in)
	}
	w.refused(api.CodeSessionSuperseded, "POST", old.path("/poll"), old.asks(0, nil))
	w.refused(api.CodeSessionSuperseded, "POST", old.path("/heartbeat"), api.Heartbeat{Session: old.session, Holding: []api.Held{}})
	w.refused(api.CodeSessionSuperseded, "DELETE", old.path("?session="+old.session), nil)

	if run := w.state(api.StateRunning, "kept"); run.Attempt != 1 {
		t.Errorf("what the new session goes on with is at attempt %d, want 1", run.Attempt)
	}
	w.state(api.StateQueued, "lost")
	if got := old.post(ok(kept)); got.Verdict != api.VerdictAccepted {
		t.Errorf("the old session's result with the current fence: %+v, want accepted", got)
	}
	if got := old.post(ok(lost)); got.Verdict != api.VerdictStale {
		t.Errorf("the old session's result with a lost fence: %+v, want stale", got)
	}
	if again := wk.take(); again.Cookie != "lost" || again.Fence != 2 {
		t.Errorf("the new session got %+v, want the lost run with fence 2", again)
	}
}

func TestSessionsThatAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := &worker{world: w, name: "w", session: "s"}
	w.refused(api.CodeSessionNotFound, "POST", wk.path("/poll"), wk.asks(0, nil))
	w.refused(api.CodeSessionNotFound, "POST", wk.path("/heartbeat"), api.Heartbeat{Session: "s", Holding: []api.Held{}})
	w.refused(api.CodeWorkerNotFound, "POST", wk.path("/shutdown"), nil)
	w.want(http.StatusNoContent, "DELETE", wk.path("?session=s"), nil)
	w.refused(api.CodeInvalidRequest, "DELETE", wk.path(""), nil)
	w.refused(api.CodeInvalidRequest, "POST", "/v1/workers/W/poll", wk.asks(0, nil))
	w.refused(api.CodeInvalidRequest, "POST", "/v1/workers/W/shutdown", nil)
	if got := wk.post(ok(api.Held{Cookie: "c", Fence: 1})); got.Verdict != api.VerdictRejected {
		t.Errorf("result of no run: %+v, want rejected", got)
	}
	wk.log(api.Held{Cookie: "c", Fence: 1}, 1, "dropped")
}

// A heartbeat renews all leases, and tells which are lost.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		wk := w.register("w", 2)
		w.submit(api.Submit{Cookie: "a"})
		w.submit(api.Submit{Cookie: "b"})
		got := wk.poll()
		a, b := held(got[0]), held(got[1])
		wk.poll(a, b)
		for range 8 {
			time.Sleep(15 * time.Second)
			if diff := cmp.Diff(api.Beat{Packets: []api.Packet{}}, wk.beat(a, b)); diff != "" {
				w.t.Errorf("heartbeat (-want +got):\n%s", diff)
			}
		}
		w.state(api.StateRunning, "a")
		ghost := api.Held{Cookie: "ghost", Fence: 3}
		if diff := cmp.Diff(api.Beat{Packets: []api.Packet{}, Lost: []api.Held{ghost}}, wk.beat(a, ghost)); diff != "" {
			w.t.Errorf("heartbeat (-want +got):\n%s", diff)
		}
		w.state(api.StateQueued, "b") // which the worker does not name any more
		if beat := wk.beat(a, b); len(beat.Lost) != 1 || beat.Lost[0] != b {
			w.t.Errorf("heartbeat = %+v, want b lost", beat)
		}
		if got := wk.poll(a, b); len(got) != 2 || got[0].PacketType != api.PacketCancel || held(got[0]) != b || got[0].Reason == "" || got[1].Fence != 2 {
			w.t.Errorf("poll = %+v, want CANCEL of the lost lease, and its run again", got)
		}
		b.Cancelling = true
		if got := runs(w.t, wk.poll(a, b)); len(got) != 1 {
			w.t.Errorf("poll that knows of the loss = %v, want the offer only", got)
		}
	})
}

// An at-most-once run starts when its claim is recorded, and never again.
func TestAtMostOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 2)
	w.submit(api.Submit{Cookie: "started", Delivery: api.AtMostOnce})
	w.submit(api.Submit{Cookie: "not-started", Delivery: api.AtMostOnce})
	got := wk.poll()
	started, other := held(got[0]), held(got[1])
	claim := started
	claim.Claim = true
	for range 2 {
		if beat := wk.beat(claim, other); len(beat.Claimed) != 1 || beat.Claimed[0] != started {
			t.Errorf("heartbeat with a claim = %+v, want it claimed", beat)
		}
	}
	claim.Fence = 9
	if beat := wk.beat(claim, other); len(beat.Claimed) != 0 || len(beat.Lost) != 1 {
		t.Errorf("claim of a lease that was never given = %+v, want it lost", beat)
	}
	w.register("w", 2) // the worker has died
	if run := w.state(api.StateDead, "started"); run.RC != api.RCWorkerWentAway {
		t.Errorf("what was claimed and lost ended with %s, want WORKER_WENT_AWAY", run.RC)
	}
	w.state(api.StateQueued, "not-started")
}

// A claim for a run that is to be cancelled is not granted.
func TestClaimOfACancelledRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c", Delivery: api.AtMostOnce})
	lease := wk.take()
	w.cancel("c")
	lease.Claim = true
	beat := wk.beat(lease)
	if len(beat.Claimed) != 0 || len(beat.Packets) != 1 || beat.Packets[0].PacketType != api.PacketCancel {
		t.Errorf("heartbeat = %+v, want CANCEL and no claim", beat)
	}
}

// SHUTDOWN is sent until the worker says that it drains, and nothing to run
// with it.
func TestShutdown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 2)
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	parked := wk.park(lease)
	w.parked(1)
	w.want(http.StatusAccepted, "POST", wk.path("/shutdown"), nil)
	shutdown := []api.Packet{{PacketType: api.PacketShutdown}}
	if diff := cmp.Diff(shutdown, parked.packets()); diff != "" {
		t.Errorf("the parked poll (-want +got):\n%s", diff)
	}
	w.submit(api.Submit{Cookie: "next"})
	if diff := cmp.Diff(shutdown, wk.poll(lease)); diff != "" {
		t.Errorf("the next poll (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(shutdown, wk.beat(lease).Packets); diff != "" {
		t.Errorf("heartbeat (-want +got):\n%s", diff)
	}
	draining := wk.asks(0, []api.Held{lease})
	draining.Draining = true
	if a := w.call("POST", wk.path("/poll"), draining); a.status != http.StatusNoContent {
		t.Errorf("poll of a worker that drains = %d %s, want nothing", a.status, a.body)
	}
	beat := into[api.Beat](t, w.want(200, "POST", wk.path("/heartbeat"), api.Heartbeat{Session: wk.session, Holding: []api.Held{lease}, Draining: true}))
	if len(beat.Packets) != 0 {
		t.Errorf("heartbeat of a worker that drains = %+v, want nothing", beat)
	}
	w.state(api.StateQueued, "next")
	wk.finish(lease)
}

// A worker that leaves gets nothing more: its parked poll is released, what it
// has not acknowledged goes back, and what it has is waited for.
func TestLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 3)
	w.submit(api.Submit{Cookie: "mine"})
	lease := wk.take()
	w.submit(api.Submit{Cookie: "offered"})
	if got := wk.poll(lease); len(got) != 1 {
		t.Fatalf("poll = %+v, want one RUN", got)
	}
	leave := func() { w.want(http.StatusNoContent, "DELETE", wk.path("?session="+wk.session), nil) }
	other := w.register("other", 1)
	waiting := other.park()
	w.parked(1)
	leave()
	if got := runs(t, waiting.packets()); len(got) != 1 || got[0] != "offered" {
		t.Errorf("another worker's parked poll = %v, want what went back", got)
	}
	parked := wk.park(lease)
	w.parked(1)
	w.submit(api.Submit{Cookie: "next"})
	leave()
	if got := parked.packets(); len(got) != 0 {
		t.Errorf("the parked poll = %+v, want nothing", got)
	}
	w.state(api.StateQueued, "next")
	if list := into[api.WorkerList](t, w.want(200, "GET", "/v1/workers", nil)).Workers; len(list) != 2 || !list[1].Draining || list[1].Holding != 1 {
		t.Errorf("workers are %+v, want one that drains and holds one run", list)
	}
	wk.finish(lease)
	leave()
	w.refused(api.CodeSessionNotFound, "POST", wk.path("/poll"), wk.asks(0, nil))
	leave()
}

// A draining worker's poll hands offers back that it did not get.
func TestDrainHandsOffersBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c"})
	if got := wk.poll(); len(got) != 1 {
		t.Fatalf("poll = %+v, want one RUN", got)
	}
	in := wk.asks(0, nil)
	in.Draining = true
	w.want(http.StatusNoContent, "POST", wk.path("/poll"), in)
	if run := w.state(api.StateQueued, "c"); run.Attempt != 0 {
		t.Errorf("attempt %d, want 0", run.Attempt)
	}
}

// A worker that reads its settings anew registers again, and is still to end if
// somebody has asked it to. One that was started anew is another.
func TestADrainOutlastsARegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	called := func(session string) func(*api.Register) {
		return func(in *api.Register) { in.Session = session }
	}
	seen := func() api.Worker {
		return into[api.WorkerList](t, w.want(200, "GET", "/v1/workers", nil)).Workers[0]
	}
	wk := w.register("w", 1, called("P.1"))
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	w.want(http.StatusAccepted, "POST", wk.path("/shutdown"), nil)
	again := w.register("w", 1, called("P.2"), func(in *api.Register) { in.Holding = []api.Held{lease} })
	if got := again.poll(lease); len(got) != 1 || got[0].PacketType != api.PacketShutdown {
		t.Errorf("the poll of the next session = %+v, want SHUTDOWN", got)
	}
	if got := seen(); !got.Draining || got.Process != "P" {
		t.Errorf("the worker is %+v, want process P, draining", got)
	}

	w.want(http.StatusNoContent, "DELETE", again.path("?session="+again.session), nil)
	w.register("w", 1, called("P.3"), func(in *api.Register) { in.Holding = []api.Held{lease} })
	if !seen().Draining {
		t.Error("a worker that has left while it was busy is not draining after another registration")
	}
	next := w.register("w", 1, called("Q.1"))
	if got := seen(); got.Draining || got.Process != "Q" {
		t.Errorf("the worker is %+v, want process Q, which nobody has asked to end", got)
	}
	if got := next.take(); got.Cookie != "c" {
		t.Errorf("the new process got %+v, want c", got)
	}
}

// A worker that is paused gets no runs, and what it did not get goes to others. It
// can be asked to end all the same.
func TestAWorkerThatIsPaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 2)
	seen := func() api.Worker {
		list := into[api.WorkerList](t, w.want(200, "GET", "/v1/workers", nil)).Workers
		return list[slices.IndexFunc(list, func(w api.Worker) bool { return w.ID == "w" })]
	}
	w.submit(api.Submit{Cookie: "c"})
	if got := wk.poll(); len(got) != 1 {
		t.Fatalf("poll = %+v, want one RUN", got)
	}
	wk.pauses("memory is short\x00") // the offer was lost on its way
	w.state(api.StateQueued, "c")
	if got := seen(); got.Paused != "memory is short\uFFFD" || got.Draining {
		t.Errorf("the worker is %+v, want it paused and not draining", got)
	}

	in := wk.asks(time.Hour, nil)
	in.Paused = "memory is short"
	parked := wk.hold(wk.request(t.Context(), "POST", wk.path("/poll"), in))
	w.parked(1)
	other := w.register("other", 1)
	waits := other.park()
	if got := runs(t, waits.packets()); len(got) != 1 || got[0] != "c" {
		t.Errorf("the other worker got %v, want c", got)
	}
	w.submit(api.Submit{Cookie: "d"})
	if got := w.Parked(); got != 1 {
		t.Errorf("%d polls are parked, want that of the worker that is paused", got)
	}
	w.want(http.StatusAccepted, "POST", wk.path("/shutdown"), nil)
	if got := parked.packets(); len(got) != 1 || got[0].PacketType != api.PacketShutdown {
		t.Errorf("the poll of a worker that is paused = %+v, want SHUTDOWN", got)
	}

	wk = w.register("w", 1)
	if got := seen(); got.Paused != "" {
		t.Errorf("the worker is %+v, want its new session to say anew whether it is paused", got)
	}
	wk.pauses("memory is short")
	if got := wk.take(); got.Cookie != "d" || seen().Paused != "" {
		t.Errorf("the worker got %+v and is %+v, want d, and it paused no more", got, seen())
	}
}

func TestWorkersAndQueues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 3, func(in *api.Register) {
		in.Queues, in.Labels, in.Version = []string{"q", "r"}, map[string]string{"a": "b"}, "v1"
		in.Pipelines = []api.PipelineInfo{{Name: "p", Digest: "sha256:0"}}
	})
	w.register("a", 1)
	w.submit(api.Submit{Cookie: "one", Queue: "q"})
	w.submit(api.Submit{Cookie: "two", Queue: "q"})
	w.submit(api.Submit{Cookie: "three", Queue: "never-served"})
	w.submit(api.Submit{Cookie: "four", Queue: "over"})
	w.cancel("four")
	got := wk.poll()
	w.submit(api.Submit{Cookie: "five", Queue: "q"})

	list := into[api.WorkerList](t, w.want(200, "GET", "/v1/workers", nil)).Workers
	if len(list) != 2 || list[0].ID != "a" {
		t.Fatalf("workers are %+v, want a and w", list)
	}
	first := list[1]
	want := api.Worker{
		ID: "w", Capacity: 3, Holding: 2, Queues: []string{"q", "r"}, Labels: map[string]string{"a": "b"},
		Pipelines: []api.PipelineInfo{{Name: "p", Digest: "sha256:0"}}, Version: "v1", Process: first.Process,
		RegisteredAt: first.RegisteredAt, SeenAt: first.SeenAt, ExpiresAt: first.SeenAt.Add(time.Minute),
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("worker (-want +got):\n%s", diff)
	}

	queues := into[api.QueueList](t, w.want(200, "GET", "/v1/queues", nil)).Queues
	for i := range queues {
		if queues[i].OldestAgeMS < 0 || queues[i].OldestAgeMS > 60_000 {
			t.Errorf("the oldest run of %s has waited %dms", queues[i].Queue, queues[i].OldestAgeMS)
		}
		queues[i].OldestAgeMS = 0
	}
	wantQueues := []api.QueueStats{{Queue: "never-served", Queued: 1, Demand: 1}, {Queue: "q", Queued: 1, Leased: 2, Demand: 3}}
	if diff := cmp.Diff(wantQueues, queues); diff != "" {
		t.Errorf("queues that have work (-want +got):\n%s", diff)
	}
	for _, p := range got {
		wk.finish(held(p))
	}
	for _, name := range []string{"over", "unheard-of"} {
		if diff := cmp.Diff(api.QueueStats{Queue: name}, into[api.QueueStats](t, w.want(200, "GET", "/v1/queues/"+name, nil))); diff != "" {
			t.Errorf("queue (-want +got):\n%s", diff)
		}
	}
	if got := into[api.QueueStats](t, w.want(200, "GET", "/v1/queues/q", nil)); got.Demand != 1 {
		t.Errorf("queue q is %+v, want one run in demand", got)
	}
	w.refused(api.CodeInvalidRequest, "GET", "/v1/queues/Q", nil)
}

// A hold that is not shorter than the lease would let the session of an idle
// worker end while its poll is parked.
func TestHoldIsShorterThanTheLease(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		wk, got := w.registered("w", 1)
		if want := (45 * time.Second).Milliseconds(); got.HoldMS != want {
			w.t.Errorf("the hold is %d ms, want %d", got.HoldMS, want)
		}
		for range 10 {
			began := time.Now()
			if got := wk.park().packets(); len(got) > 0 || time.Since(began) != 45*time.Second {
				w.t.Fatalf("poll = %v after %s, want nothing after 45s", got, time.Since(began))
			}
		}
	}, func(s *setup) { s.Hold, s.Lease = 110*time.Second, time.Minute })
}

package server_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// replicas starts two servers on one database.
func replicas(t *testing.T) (a, b *world) {
	t.Helper()
	storetest.Only(t, storetest.Postgres)
	t.Parallel()
	a = newWorld(t)
	return a, a.beside()
}

// beside starts another server on the same database.
func (w *world) beside() *world {
	w.t.Helper()
	return newWorld(w.t, func(s *setup) { s.store = w.setup.store })
}

// at is the worker with its calls going to another server.
func (wk *worker) at(w *world) *worker {
	return &worker{world: w, name: wk.name, session: wk.session}
}

// idle parks a poll and waits until it has found nothing, so that from then on
// only a signal can wake it.
func (wk *worker) idle(held ...api.Held) *pending {
	wk.t.Helper()
	before := wk.looks.Load()
	parked := wk.park(held...)
	wk.eventually("the poll has looked", func() bool { return wk.looks.Load() > before })
	return parked
}

func cookies(t testing.TB, want []string, got []api.Packet) {
	t.Helper()
	if diff := cmp.Diff(want, runs(t, got)); diff != "" {
		t.Errorf("the parked poll (-want +got):\n%s", diff)
	}
}

// A run may be submitted to one server, polled from another, finished through a
// third and waited for at a fourth.
func TestRunGoesThroughEveryServer(t *testing.T) {
	a, b := replicas(t)
	c, d := a.beside(), a.beside()
	wk := b.register("w", 1)
	parked := wk.idle()
	a.submit(api.Submit{Cookie: "r"})
	end := d.hold(d.request(t.Context(), "GET", "/v1/runs/r", nil, "Prefer", "wait=25"))
	got := parked.packets()
	cookies(t, []string{"r"}, got)
	wk.at(c).finish(held(got[0]))
	if run := into[api.Run](t, end.await()); run.State != api.StateSucceeded {
		t.Errorf("the run that was waited for is %s, want it succeeded", run.State)
	}
}

// A server whose list of routes is old hears of a new one.
func TestPollIsWokenForARunOfAnotherServer(t *testing.T) {
	a, b := replicas(t)
	wk := a.register("w", 1, func(in *api.Register) { in.Queues = []string{"q", "new"} })
	a.submit(api.Submit{Cookie: "before", Queue: "q"})
	wk.finish(wk.take())
	for _, queue := range []string{"q", "new"} {
		parked := wk.idle()
		b.submit(api.Submit{Cookie: queue, Queue: queue})
		got := parked.packets()
		cookies(t, []string{queue}, got)
		wk.finish(held(got[0]))
	}
}

// A poll is woken though its server knows the worker by what it took in an
// earlier session only.
func TestWorkerThatRegisteredElsewhereIsNotPassedOver(t *testing.T) {
	a, b := replicas(t)
	b.register("w", 1, func(in *api.Register) { in.Queues = []string{"old"} })
	wk := a.register("w", 1, func(in *api.Register) { in.Queues = []string{"new"} }).at(b)
	parked := wk.idle()
	b.submit(api.Submit{Cookie: "r", Queue: "new"})
	cookies(t, []string{"r"}, parked.packets())
}

func TestResultAtAnotherServerFreesTheSlot(t *testing.T) {
	a, b := replicas(t)
	wk := a.register("w", 1)
	a.submit(api.Submit{Cookie: "first"})
	lease := wk.take()
	a.submit(api.Submit{Cookie: "second"})
	parked := wk.idle(lease)
	wk.at(b).finish(lease)
	cookies(t, []string{"second"}, parked.packets())
}

func TestControlsReachAPollAtAnotherServer(t *testing.T) {
	a, b := replicas(t)
	wk := a.register("w", 2)
	a.submit(api.Submit{Cookie: "r"})
	lease := wk.take()
	for _, tt := range []struct {
		want api.PacketType
		do   func()
	}{
		{api.PacketCancel, func() { b.cancel("r") }},
		{api.PacketShutdown, func() { b.want(http.StatusAccepted, "POST", wk.path("/shutdown"), nil) }},
	} {
		parked := wk.idle(lease)
		tt.do()
		got := parked.packets()
		if !slices.ContainsFunc(got, func(p api.Packet) bool { return p.PacketType == tt.want }) {
			t.Errorf("the parked poll = %+v, want %s", got, tt.want)
		}
		lease.Cancelling = true // and is not told again
	}
}

func TestSessionAtAnotherServerSupersedes(t *testing.T) {
	a, b := replicas(t)
	parked := a.register("w", 1).idle()
	b.register("w", 1)
	if got := parked.await(); got.problem() != api.CodeSessionSuperseded {
		t.Errorf("the parked poll = %d %s, want %s", got.status, got.body, api.CodeSessionSuperseded)
	}
}

func TestWorkerThatLeavesThroughAnotherServerIsReleased(t *testing.T) {
	a, b := replicas(t)
	wk := a.register("w", 1)
	parked := wk.idle()
	b.want(http.StatusNoContent, "DELETE", wk.path("?session="+wk.session), nil)
	if got := parked.await(); got.status != http.StatusNoContent && got.problem() != api.CodeSessionNotFound {
		t.Errorf("the parked poll = %d %s, want it released", got.status, got.body)
	}
}

// The stream of a run shows what happens to it at another server.
func TestStreamOfARunAtAnotherServer(t *testing.T) {
	a, b := replicas(t)
	wk := a.register("w", 1)
	a.submit(api.Submit{Cookie: "r"})
	s := b.follow(t, "r", "")
	lease := wk.take()
	wk.finish(lease)
	if run := into[api.Run](t, answer{body: s.last().data}); run.State != api.StateSucceeded {
		t.Errorf("the stream ends with the run %s, want it succeeded", run.State)
	}
}

// A server that ends leaves the runs to the others, and one that starts does
// not take up what the others have in hand.
func TestServerEndsBesideAnother(t *testing.T) {
	a, b := replicas(t)
	wk := a.register("w", 1)
	a.submit(api.Submit{Cookie: "r"})
	lease := wk.take()
	parked := wk.idle(lease)
	a.end()
	if got := parked.await(); got.status != http.StatusNoContent {
		t.Errorf("the parked poll = %d %s, want it released", got.status, got.body)
	}
	wk = wk.at(b)
	if beat := wk.beat(lease); len(beat.Lost) > 0 {
		t.Errorf("heartbeat at the other server = %+v, want the lease kept", beat)
	}
	wk.finish(lease)
	b.state(api.StateSucceeded, "r")
}

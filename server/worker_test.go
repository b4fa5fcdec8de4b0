package server_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
)

// A worker is a session that a test plays.
type worker struct {
	*world
	name, session string
}

// register opens a session.
func (w *world) register(name string, capacity int, edit ...func(*api.Register)) *worker {
	w.t.Helper()
	wk, _ := w.registered(name, capacity, edit...)
	return wk
}

func (w *world) registered(name string, capacity int, edit ...func(*api.Register)) (*worker, api.Registered) {
	w.t.Helper()
	in := api.Register{Name: name, Capacity: capacity}
	for _, e := range edit {
		e(&in)
	}
	got := into[api.Registered](w.t, w.want(http.StatusCreated, "POST", "/v1/workers", in))
	return &worker{world: w, name: name, session: got.Session}, got
}

func (wk *worker) path(call string) string { return "/v1/workers/" + wk.name + call }

// poll asks for what there is now.
func (wk *worker) poll(held ...api.Held) []api.Packet {
	wk.t.Helper()
	return packets(wk.t, wk.call("POST", wk.path("/poll"), wk.asks(0, held)))
}

// pauses says why the worker takes nothing for the time being, and gets nothing.
func (wk *worker) pauses(why string, held ...api.Held) {
	wk.t.Helper()
	in := wk.asks(0, held)
	in.Paused = why
	if got := packets(wk.t, wk.call("POST", wk.path("/poll"), in)); len(got) > 0 {
		wk.t.Errorf("the poll of a worker that is paused = %+v, want nothing", got)
	}
}

func (wk *worker) asks(hold time.Duration, held []api.Held) api.Poll {
	if held == nil {
		held = []api.Held{}
	}
	return api.Poll{Session: wk.session, HoldMS: hold.Milliseconds(), Holding: held}
}

func packets(t testing.TB, a answer) []api.Packet {
	t.Helper()
	switch a.status {
	case http.StatusNoContent:
		return nil
	case http.StatusOK:
		return into[api.Packets](t, a).Packets
	}
	t.Fatalf("poll = %d %s", a.status, a.body)
	return nil
}

// A pending call is one that the server holds.
type pending struct {
	t    testing.TB
	done chan struct{} // closed when answer or err is there
	answer
	err error
}

// await returns the answer once it is there.
func (p *pending) await() answer {
	p.t.Helper()
	<-p.done
	if p.err != nil {
		p.t.Fatalf("the call that was held: %v", p.err)
	}
	return p.answer
}

// packets returns the answer of a poll.
func (p *pending) packets() []api.Packet {
	p.t.Helper()
	return packets(p.t, p.await())
}

// hold makes a call that the server holds.
func (w *world) hold(r *http.Request) *pending {
	p := &pending{t: w.t, done: make(chan struct{})}
	w.held.Go(func() {
		defer close(p.done)
		p.answer, p.err = w.send(r)
	})
	return p
}

// park polls for as long as the server lets it.
func (wk *worker) park(held ...api.Held) *pending {
	wk.t.Helper()
	return wk.parkIn(wk.t.Context(), held...)
}

func (wk *worker) parkIn(ctx context.Context, held ...api.Held) *pending {
	wk.t.Helper()
	return wk.hold(wk.request(ctx, "POST", wk.path("/poll"), wk.asks(time.Hour, held)))
}

func (wk *worker) beat(held ...api.Held) api.Beat {
	wk.t.Helper()
	in := api.Heartbeat{Session: wk.session, Holding: append([]api.Held{}, held...)}
	return into[api.Beat](wk.t, wk.want(http.StatusOK, "POST", wk.path("/heartbeat"), in))
}

// post posts a result and returns the verdict.
func (wk *worker) post(result api.Result) api.Verdict {
	wk.t.Helper()
	in := api.Results{Session: wk.session, Results: []api.Result{result}}
	return into[api.Verdicts](wk.t, wk.want(http.StatusOK, "POST", wk.path("/results"), in)).Verdicts[0]
}

// finish ends a run well.
func (wk *worker) finish(held api.Held) {
	wk.t.Helper()
	if got := wk.post(ok(held)); got.Verdict != api.VerdictAccepted {
		wk.t.Fatalf("result of %s: %+v, want accepted", held.Cookie, got)
	}
}

// take polls for one run and acknowledges it.
func (wk *worker) take(also ...api.Held) api.Held {
	wk.t.Helper()
	got := wk.poll(also...)
	if len(got) != 1 || got[0].PacketType != api.PacketRun {
		wk.t.Fatalf("poll = %+v, want one RUN", got)
	}
	lease := held(got[0])
	if again := wk.poll(append(also, lease)...); len(again) > 0 {
		wk.t.Fatalf("poll that acknowledges = %+v, want nothing", again)
	}
	return lease
}

// held names a packet's lease.
func held(p api.Packet) api.Held { return api.Held{Cookie: p.Cookie, Fence: p.Fence} }

// ok is a result without a value.
func ok(h api.Held) api.Result { return api.Result{Cookie: h.Cookie, Fence: h.Fence, RC: api.RCOK} }

// runs are the cookies of RUN packets. Other packets fail the test.
func runs(t testing.TB, list []api.Packet) []string {
	t.Helper()
	var out []string
	for _, p := range list {
		if p.PacketType != api.PacketRun {
			t.Fatalf("packets are %+v, want RUN only", list)
		}
		out = append(out, p.Cookie)
	}
	return out
}

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/api/client"
)

const capacity = 4

// A worker simulates what real ones do, on good days and bad ones. It loses
// offers, forgets its runs, registers anew with them or without, sends results
// twice, late, and others than before, and hands runs back.
type worker struct {
	load    *load
	client  *client.Client
	rand    *rand.Rand
	name    string
	id      int
	mortal  bool // dies with runs that it never finishes
	session string
	beaten  time.Time // when the last heartbeat was sent
	results int       // how many were made
	holding []*held
	zombies []*held // runs that are not its own any more, which it has not understood
	settled []*held // runs whose result was accepted
}

// held is a run that the worker has.
type held struct {
	api.Held
	once   bool
	begun  bool
	turns  int         // until its result is there
	result *api.Result // is sent again until it is judged
}

func (h *held) lease(worker string) lease { return lease{worker: worker, fence: h.Fence} }

func (w *worker) work(ctx context.Context) {
	for ctx.Err() == nil {
		w.turn(ctx)
	}
}

// rarely is true one time in n, until the worker has to be careful.
func (w *worker) rarely(n int) bool { return !w.load.careful.Load() && w.rand.IntN(n) == 0 }

func (w *worker) turn(ctx context.Context) {
	switch {
	case w.rarely(50):
		_ = w.client.Leave(ctx, w.name, w.session) // it may be gone already
		w.abandon()
	case w.rarely(20):
		w.abandon()
	case w.rarely(40):
		w.session = "" // and take the runs along
	case w.rarely(200):
		_ = w.client.Shutdown(ctx, w.name) // it may be gone already
	}
	if w.session == "" && !w.register(ctx) || !w.poll(ctx) {
		return
	}
	if time.Since(w.beaten) > 400*time.Millisecond || slices.ContainsFunc(w.holding, func(h *held) bool { return h.Claim }) {
		w.beat(ctx)
	}
	w.tell(ctx)
	w.settle(ctx)
}

// abandon forgets the session and the runs, which go on as zombies.
func (w *worker) abandon() {
	w.session = ""
	w.zombies = append(w.zombies, w.holding...)
	w.holding = nil
}

func (w *worker) names() []api.Held {
	list := []api.Held{}
	for _, h := range w.holding {
		list = append(list, h.Held)
	}
	return list
}

func (w *worker) register(ctx context.Context) bool {
	began := w.load.history.now()
	out, err := w.client.Register(ctx, api.Register{Name: w.name, Capacity: capacity, Holding: w.names()})
	if err != nil {
		pause(ctx, w.rand)
		return false
	}
	w.session, w.beaten = out.Session, time.Now()
	w.lose(began, out.Lost)
	return true
}

// failed deals with the error of a call that belongs to the session.
func (w *worker) failed(ctx context.Context, err error) {
	switch api.CodeOf(err) {
	case api.CodeSessionSuperseded:
		if w.rarely(2) {
			w.zombies = append(w.zombies, w.holding...)
			w.holding = nil
		}
		w.session = ""
		pause(ctx, w.rand) // its namesake shall have a turn as well
	case api.CodeSessionNotFound:
		w.session = ""
	default:
		pause(ctx, w.rand)
	}
}

func (w *worker) poll(ctx context.Context) bool {
	hold := int64(100)
	if len(w.holding) > 0 {
		hold = int64(w.rand.IntN(20))
	}
	began := w.load.history.now()
	packets, err := w.client.Poll(ctx, w.name, api.Poll{Session: w.session, HoldMS: hold, Holding: w.names()})
	ended := w.load.history.now()
	if err != nil {
		w.failed(ctx, err)
		return false
	}
	var ops []op
	for _, p := range packets {
		o := op{call: began, ret: ended, cookie: p.Cookie, lease: lease{worker: w.name, fence: p.Fence}}
		switch p.PacketType {
		case api.PacketRun:
			o.kind = opOffer
			ops = append(ops, o)
			w.take(p)
		case api.PacketCancel:
			if strings.Contains(p.Reason, "lost") {
				o.kind = opLost
				ops = append(ops, o)
			}
			w.stop(p)
		case api.PacketShutdown:
			_ = w.client.Leave(ctx, w.name, w.session) // it may be gone already
			w.abandon()
		}
	}
	w.load.history.add(false, ops...)
	return w.session != ""
}

func (w *worker) take(p api.Packet) {
	w.holding, _ = remove(w.holding, func(h *held) bool { return h.Cookie == p.Cookie })
	if w.rarely(8) {
		return // it was lost on the way
	}
	h := &held{Held: api.Held{Cookie: p.Cookie, Fence: p.Fence}, once: p.Delivery == api.AtMostOnce}
	h.Claim = h.once
	switch {
	case w.mortal && w.rarely(3):
		h.turns = 1 << 30
	case w.rarely(3):
		h.turns = 1 + w.rand.IntN(10)
	}
	w.holding = append(w.holding, h)
}

func (w *worker) stop(p api.Packet) {
	for _, h := range w.holding {
		if h.Cookie == p.Cookie && h.Fence == p.Fence && !w.rarely(3) { // or it does not listen
			h.Cancelling, h.Claim, h.turns = true, false, 0
		}
	}
	if strings.Contains(p.Reason, "lost") {
		w.drop(p.Cookie, p.Fence)
	}
}

// drop takes a run away from the worker, which may send its result all the same.
func (w *worker) drop(cookie string, fence int64) {
	kept, lost := remove(w.holding, func(h *held) bool { return h.Cookie == cookie && h.Fence == fence })
	w.holding = kept
	w.zombies = append(w.zombies, lost...)
}

func (w *worker) lose(began int64, lost []api.Held) {
	var ops []op
	for _, h := range lost {
		ops = append(ops, op{kind: opLost, cookie: h.Cookie, lease: lease{w.name, h.Fence}, call: began, ret: w.load.history.now()})
		w.drop(h.Cookie, h.Fence)
	}
	w.load.history.add(false, ops...)
}

func (w *worker) beat(ctx context.Context) {
	began := w.load.history.now()
	w.beaten = time.Now()
	out, err := w.client.Heartbeat(ctx, w.name, api.Heartbeat{Session: w.session, Holding: w.names()})
	_, unknown := told(err)
	var ops []op
	for _, h := range w.holding {
		if !h.Claim {
			continue
		}
		o := op{kind: opClaim, cookie: h.Cookie, lease: h.lease(w.name), call: began, ret: w.load.history.now(), unknown: unknown, code: "not claimed"}
		if slices.ContainsFunc(out.Claimed, func(c api.Held) bool { return c.Cookie == h.Cookie && c.Fence == h.Fence }) {
			o.code = ""
			h.Claim, h.begun = false, true
			w.load.history.start(h.Cookie)
		}
		ops = append(ops, o)
	}
	w.load.history.add(unknown, ops...)
	if err != nil {
		w.failed(ctx, err)
		return
	}
	w.lose(began, out.Lost)
	for _, p := range out.Packets {
		if p.PacketType == api.PacketCancel {
			w.stop(p)
		}
	}
}

// tell posts an event of a run now and then.
func (w *worker) tell(ctx context.Context) {
	if len(w.holding) == 0 || !w.rarely(10) {
		return
	}
	h := w.holding[0]
	_, _ = w.client.PostEvents(ctx, w.name, api.Events{Session: w.session, Events: []api.RunEvent{ // they may be lost
		{Cookie: h.Cookie, Fence: h.Fence, N: 1, At: time.Now(), Kind: "log"},
	}})
}

// settle posts the results that are there, and some that should not be.
func (w *worker) settle(ctx context.Context) {
	var ready []*held
	for _, h := range w.holding {
		switch {
		case h.turns > 0:
			h.turns--
		case h.once && !h.begun && !h.Cancelling:
		default:
			ready = append(ready, h)
		}
	}
	for _, h := range ready {
		if h.result == nil {
			h.result = w.made(h)
		}
	}
	if h := w.zombie(); h != nil {
		h.result = w.made(h)
		w.post(ctx, []*held{h})
	}
	w.post(ctx, ready)
	if n := len(w.settled); n > 0 && w.rarely(6) {
		h := w.settled[n-1]
		if w.rand.IntN(2) == 0 {
			h.result = w.made(h)
		}
		w.post(ctx, []*held{h})
	}
}

// zombie takes out a run whose result comes too late: best of all one that the
// worker has under a newer fence, or else now and then any.
func (w *worker) zombie() *held {
	for i, z := range w.zombies {
		again := slices.ContainsFunc(w.holding, func(h *held) bool { return h.Cookie == z.Cookie && h.Fence != z.Fence })
		if again || w.rand.IntN(20) == 0 {
			w.zombies = slices.Delete(w.zombies, i, i+1)
			return z
		}
	}
	return nil
}

// made is a result like no other.
func (w *worker) made(h *held) *api.Result {
	w.results++
	value := fmt.Sprintf("%s/%d/%d", w.name, w.id, w.results)
	r := &api.Result{Cookie: h.Cookie, Fence: h.Fence, RC: api.RCOK, Result: fmt.Appendf(nil, "%q", value)}
	switch {
	case h.Cancelling:
		r.RC, r.Result, r.Error = api.RCCancelled, nil, value
	case w.rarely(8):
		r.RC, r.Result, r.Error = api.RCException, nil, value
	case w.rarely(8):
		r.RC, r.Result, r.Error = api.RCWorkerWentAway, nil, "handed back"
	}
	return r
}

// post sends results until they are judged, or the worker loses patience.
func (w *worker) post(ctx context.Context, list []*held) {
	if len(list) == 0 {
		return
	}
	in := api.Results{Session: w.session}
	for _, h := range list {
		in.Results = append(in.Results, *h.result)
	}
	began := w.load.history.now()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	within, tries := counted(within)
	verdicts, err := w.client.PostResults(within, w.name, in)
	ops := make([]op, len(list))
	for i, h := range list {
		ops[i] = op{
			kind: opResult, cookie: h.Cookie, lease: h.lease(w.name), call: began, ret: w.load.history.now(),
			view: outcome(h.result), back: !h.result.RC.Ends(), tries: *tries, unknown: err != nil,
		}
		if err == nil {
			ops[i].code = string(verdicts[i].Verdict)
			w.judged(h, verdicts[i].Verdict)
		}
	}
	w.load.history.add(err != nil, ops...)
}

func (w *worker) judged(h *held, v api.VerdictCode) {
	w.holding, _ = remove(w.holding, func(have *held) bool { return have == h })
	if v == api.VerdictAccepted && h.result.RC.Ends() {
		w.settled = append(w.settled, h)
	}
}

// outcome is how a run looks that has ended with the result.
func outcome(r *api.Result) view {
	v := view{value: string(r.Result) + "|" + r.Error}
	switch r.RC {
	case api.RCOK:
		v.state = api.StateSucceeded
	case api.RCCancelled:
		v.state = api.StateCancelled
	default:
		v.state = api.StateFailed
	}
	return v
}

package faults

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/api"
)

// TestPromises holds the check itself against short histories, in which one
// operation ends before the next is called. Each rule is shown kept and broken.
func TestPromises(t *testing.T) {
	t.Parallel()
	w1, w2 := lease{"w1", 1}, lease{"w2", 2}
	queued, done := view{state: api.StateQueued}, view{state: api.StateSucceeded, value: `"1"|`}
	other := view{state: api.StateSucceeded, value: `"2"|`}
	ended := view{state: api.StateCancelled, value: `|cancelled by ""`}
	running := view{state: api.StateRunning}
	stopping := view{state: api.StateRunning, cancelling: true}
	dead := view{state: api.StateDead, value: "|lost"}
	failed := view{state: api.StateFailed, value: "|1"}
	ask := want{body: "{}", max: 2}

	submit := op{kind: opSubmit, want: ask, view: queued}
	lost := op{kind: opSubmit, want: ask, unknown: true}
	again := op{kind: opSubmit, want: want{body: "{}", max: 2, retries: 1}, view: queued}
	collision := op{kind: opSubmit, want: want{body: "other", max: 2}, code: string(api.CodeCookieCollision)}
	missing := op{kind: opGet, code: string(api.CodeCookieNotFound)}
	get := func(v view) op { return op{kind: opGet, view: v} }
	cancel := func(v view) op { return op{kind: opCancel, view: v} }
	offer := func(l lease) op { return op{kind: opOffer, lease: l} }
	claim := func(l lease) op { return op{kind: opClaim, lease: l} }
	result := func(l lease, v view, verdict api.VerdictCode) op {
		return op{kind: opResult, lease: l, view: v, code: string(verdict), tries: 1}
	}
	unknown := func(o op) op { o.unknown, o.code, o.view = true, "", queued; return o }
	sent := func(l lease, v view) op { return op{kind: opResult, lease: l, view: v, unknown: true, tries: 1} }
	back := func(l lease, verdict api.VerdictCode) op {
		return op{kind: opResult, lease: l, back: true, code: string(verdict), tries: 1}
	}

	for _, tt := range []struct {
		name   string
		ops    []op
		broken bool
	}{
		{"a run ends with its result", []op{submit, offer(w1), get(running), result(w1, done, "accepted"), get(done), get(done)}, false},
		{"a run ends with another result", []op{submit, offer(w1), result(w1, done, "accepted"), get(other)}, true},
		{"a result comes from nowhere", []op{submit, offer(w1), get(done)}, true},
		{"a result changes", []op{submit, offer(w1), sent(w1, done), sent(w1, other), get(done), get(other)}, true},
		{"a result without an answer may have come", []op{submit, offer(w1), sent(w1, done), get(done)}, false},
		{"a result without an answer may come later", []op{submit, offer(w1), sent(w1, done), get(running), get(done)}, false},
		{"a result is posted again", []op{submit, offer(w1), result(w1, done, "accepted"), result(w1, done, "duplicate"), get(done)}, false},
		{"another result is posted", []op{submit, offer(w1), result(w1, done, "accepted"), result(w1, other, "stale"), get(done)}, false},
		{"the result is called stale when it is posted again", []op{submit, offer(w1), result(w1, done, "accepted"), result(w1, done, "stale"), get(done)}, true},
		{"another result is called a duplicate", []op{submit, offer(w1), result(w1, done, "accepted"), result(w1, other, "duplicate"), get(done)}, true},
		{"two results are accepted", []op{submit, offer(w1), offer(w2), result(w2, done, "accepted"), result(w1, done, "accepted"), get(done)}, true},
		{"an old lease is refused", []op{submit, offer(w1), offer(w2), result(w1, other, "stale"), result(w2, done, "accepted"), get(done)}, false},
		{"an old lease is taken", []op{submit, offer(w1), offer(w2), result(w1, done, "accepted"), get(done)}, true},
		{"a lease that was handed back is taken", []op{submit, offer(w1), back(w1, "accepted"), result(w1, done, "accepted"), get(done)}, true},
		{"a run is offered again under its fence", []op{submit, offer(w1), offer(w1), result(w1, done, "accepted"), get(done)}, false},
		{"a fence is given to two workers", []op{submit, offer(w1), offer(lease{"w2", 1}), result(w1, done, "accepted"), get(done)}, true},
		{"a fence goes back", []op{submit, offer(w2), offer(w1), result(w1, done, "accepted"), get(done)}, true},
		{"a run that has ended is offered", []op{submit, offer(w1), result(w1, done, "accepted"), get(done), offer(w2), get(done)}, true},
		{"a submit is lost", []op{submit, missing}, true},
		{"a submit without an answer may be lost", []op{lost, missing}, false},
		{"a submit without an answer may have come", []op{lost, offer(w1), result(w1, done, "accepted"), get(done)}, false},
		{"a cookie is used for another run", []op{submit, collision, offer(w1), result(w1, done, "accepted"), get(done)}, false},
		{"a cookie collides with nothing", []op{collision, missing}, true},
		{"a cancellation ends a queued run", []op{submit, cancel(ended), get(ended)}, false},
		{"a cancellation leaves a queued run alone", []op{submit, cancel(queued), offer(w1), result(w1, done, "accepted"), get(done)}, true},
		{"a cancelled run is offered", []op{submit, cancel(ended), offer(w1), get(ended)}, true},
		{"a cancellation may come too late", []op{submit, offer(w1), cancel(stopping), result(w1, done, "accepted"), get(done)}, false},
		{"a cancellation is forgotten", []op{submit, offer(w1), cancel(stopping), get(running), result(w1, done, "accepted"), get(done)}, true},
		{"a run that is being cancelled is offered to another", []op{submit, offer(w1), cancel(stopping), offer(w2), get(ended)}, true},
		{"nobody has cancelled", []op{submit, offer(w1), get(ended)}, true},
		{"a cancellation without an answer may have come", []op{submit, unknown(cancel(ended)), get(ended)}, false},
		{"all attempts are lost", []op{submit, offer(w1), offer(w2), get(dead)}, false},
		{"one attempt of two is lost", []op{submit, offer(w1), get(dead)}, true},
		{"a claimed run is lost", []op{submit, offer(w1), claim(w1), get(dead)}, false},
		{"a claimed run is offered again", []op{submit, offer(w1), claim(w1), offer(w2), get(dead)}, true},
		{"a lost lease is claimed", []op{submit, offer(w1), offer(w2), claim(w1), get(dead)}, true},
		{"a failure is tried again", []op{again, offer(w1), result(w1, failed, "accepted"), result(w1, failed, "duplicate"), offer(w2), result(w2, done, "accepted"), get(done)}, false},
		{"a failure is tried again under its lease", []op{again, offer(w1), result(w1, failed, "accepted"), result(w1, done, "accepted"), get(done)}, true},
		{"a failure is tried again too often", []op{again, offer(w1), result(w1, failed, "accepted"), offer(w2), result(w2, failed, "accepted"), get(queued), get(failed)}, true},
		{"a failure is the end", []op{submit, offer(w1), result(w1, failed, "accepted"), offer(w2), result(w2, done, "accepted"), get(done)}, true},
		{"a run is stuck", []op{submit, offer(w1), get(running)}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHistory()
			for i, o := range tt.ops {
				o.cookie, o.call, o.ret = "c", int64(10*i), int64(10*i+5)
				h.add(o.unknown, o)
			}
			if problems := h.problems(); (len(problems) > 0) != tt.broken {
				t.Errorf("problems() = %s\nwant one: %v", strings.Join(problems, "\n"), tt.broken)
			}
		})
	}
	t.Run("runs of a key", func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			offers [2]int64 // when the runs were offered; each is worked on for 100
			broken bool
		}{{"one after the other", [2]int64{0, 200}, false}, {"at the same time", [2]int64{0, 50}, true}} {
			h := newHistory()
			for i, at := range tt.offers {
				cookie := fmt.Sprint(i)
				for _, o := range []op{
					{kind: opSubmit, want: want{key: "k", max: 1}, view: queued},
					{kind: opOffer, lease: w1, call: at, ret: at + 1},
					{kind: opResult, lease: w1, view: done, code: string(api.VerdictAccepted), tries: 1, call: at + 100, ret: at + 101},
					{kind: opGet, view: done, call: at + 102, ret: at + 103},
				} {
					o.cookie = cookie
					h.add(false, o)
				}
			}
			if problems := h.problems(); (len(problems) > 0) != tt.broken {
				t.Errorf("%s: problems() = %s\nwant one: %v", tt.name, strings.Join(problems, "\n"), tt.broken)
			}
		}
	})
	t.Run("an at-most-once run is begun twice", func(t *testing.T) {
		h := newHistory()
		h.add(false, op{kind: opSubmit, cookie: "c", want: ask, view: ended})
		h.start("c")
		h.start("c")
		if len(h.problems()) == 0 {
			t.Error("problems() finds nothing")
		}
	})
}

package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pullrun/pullrun/api"
)

// A kind of operation, as the model knows them.
type kind int

const (
	opSubmit kind = iota
	opGet
	opCancel
	opOffer  // a RUN packet that reached its worker
	opClaim  // a heartbeat that claims an at-most-once run
	opResult // a result, or the return of a run
	opLost   // the server told a worker that it has no lease any more
)

var kindNames = [...]string{"submit", "get", "cancel", "offer", "claim", "result", "lost"}

// An op is one operation on one run, with what its caller was told and when.
// One call over the wire may be several of them: a poll may bring many offers.
type op struct {
	call, ret int64 // nanoseconds of the history's clock
	kind      kind
	cookie    string

	want  want   // of a submit
	lease lease  // of what a worker does
	view  view   // what a result makes of its run, or what a read has shown
	back  bool   // the result hands the run back
	tries int    // how often a result was sent before this was the answer
	code  string // verdict of a result, code of a refusal; "" is success

	unknown bool // no answer came, so nobody knows whether it has happened
}

// want is what a submit asks for, as far as it matters here.
type want struct {
	body    string // tells submits of one cookie apart
	once    bool   // at most once
	max     int    // attempts
	retries int    // how often it is tried again when it has failed
	key     string // of which one run is worked on at a time; "" is none
}

// A lease is what a worker was offered.
type lease struct {
	worker string
	fence  int64
}

// A view is how a run looks.
type view struct {
	state      api.State
	value      string // result and error, once it has ended
	cancelling bool   // and has not ended
}

func viewOf(run api.Run) view {
	v := view{state: run.State, cancelling: run.CancelRequestedAt != nil}
	if run.State.Final() {
		v.value, v.cancelling = string(run.Result)+"|"+run.Error, false
	}
	return v
}

func (o op) String() string {
	s := fmt.Sprintf("%9.3f..%9.3f ms  %s %s", float64(o.call)/1e6, float64(o.ret)/1e6, o.cookie, kindNames[o.kind])
	switch o.kind {
	case opSubmit:
		s += fmt.Sprintf(" %+v", o.want)
	case opOffer, opClaim, opLost, opResult:
		s += fmt.Sprintf(" %s/%d", o.lease.worker, o.lease.fence)
	}
	switch {
	case o.kind == opResult && o.back:
		s += " handed back"
	case o.kind == opResult:
		s += fmt.Sprintf(" %s %q", o.view.state, o.view.value)
	}
	switch {
	case o.unknown:
		return s + " = unknown"
	case o.code != "":
		return s + " = " + o.code
	case o.kind == opResult || o.view.state == "":
		return s + " = ok"
	}
	return s + fmt.Sprintf(" = %s %q cancelling=%v", o.view.state, o.view.value, o.view.cancelling)
}

// A history is all that the clients and workers of a test did and were told.
// It may be used by many at a time.
type history struct {
	began time.Time
	last  atomic.Int64 // that now has returned

	mu     sync.Mutex
	ops    []op           // guarded by mu
	starts map[string]int // how often each at-most-once run was begun; guarded by mu
	calls  int            // calls over the wire; guarded by mu
	silent int            // of them that had no answer; guarded by mu
}

func newHistory() *history { return &history{began: time.Now(), starts: map[string]int{}} }

// now is the time on the history's clock, which is later each time it is asked,
// also where time is simulated and stands still.
func (h *history) now() int64 {
	for {
		last := h.last.Load()
		if now := max(last+1, int64(time.Since(h.began))); h.last.CompareAndSwap(last, now) {
			return now
		}
	}
}

// add records operations that one call has made.
func (h *history) add(unknown bool, ops ...op) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, ops...)
	h.calls++
	if unknown {
		h.silent++
	}
}

// start records that a worker begins an at-most-once run.
func (h *history) start(cookie string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.starts[cookie]++
}

// made is how many calls there have been.
func (h *history) made() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls
}

// byCookie returns the operations of each run in the order of their calls.
func (h *history) byCookie() map[string][]op {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string][]op{}
	for _, o := range h.ops {
		out[o.cookie] = append(out[o.cookie], o)
	}
	return out
}

// told sorts out the error of a call: refused for certain, with a code, or of
// unknown outcome.
func told(err error) (code string, unknown bool) {
	var answered *api.Error
	switch {
	case err == nil:
		return "", false
	case errors.As(err, &answered) && answered.Status < 500:
		return string(answered.Code), false
	}
	return "", true
}

// A triesKey is where a context counts how often a call was sent.
type triesKey struct{}

// counted returns a context whose calls are counted, by [counting].
func counted(ctx context.Context) (context.Context, *int) {
	n := new(int)
	return context.WithValue(ctx, triesKey{}, n), n
}

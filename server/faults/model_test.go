package faults

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pullrun/pullrun/api"
)

// A run is what the model knows of one run: not what the server has stored, but
// what follows from what callers were told. A lease that nobody was told of, or
// that ran out unseen, is not in it.
type run struct {
	there bool
	want  want

	newest    lease // that a worker was told of
	leases    int   // how many there were
	gone      int64 // leases up to this fence are over
	retries   int
	tried     string // results after which it was tried again
	claimed   bool
	cancelled bool // a cancellation was asked for

	end   api.State // "" while it has not ended
	value string
}

// step returns what the run may be after o, given what o's caller was told.
// None means that no server that keeps its promises would have said that.
func (r run) step(o op) []run {
	switch o.kind {
	case opSubmit:
		return r.submit(o)
	case opGet:
		return r.get(o)
	case opCancel:
		return r.cancel(o)
	case opOffer:
		return r.offer(o)
	case opClaim:
		return r.claim(o)
	case opResult:
		return r.result(o)
	case opLost:
		r.gone = max(r.gone, o.lease.fence)
		return []run{r}
	}
	return nil
}

func (r run) submit(o op) []run {
	fresh := run{there: true, want: o.want}
	switch {
	case o.unknown && !r.there:
		return []run{r, fresh}
	case o.unknown:
		return []run{r}
	case o.code == string(api.CodeCookieCollision):
		return only(r, r.there && r.want.body != o.want.body)
	case o.code != "":
		return nil
	case !r.there:
		return fresh.read(o.view)
	case r.want.body != o.want.body:
		return nil
	}
	return r.read(o.view)
}

func (r run) get(o op) []run {
	switch {
	case o.unknown:
		return []run{r}
	case o.code != "":
		return only(r, !r.there && o.code == string(api.CodeCookieNotFound))
	case !r.there:
		return nil
	}
	return r.read(o.view)
}

// read is what is known when somebody has seen the run as v.
func (r run) read(v view) []run {
	switch {
	case r.end != "":
		return only(r, r.end == v.state && r.value == v.value)
	case v.state.Final():
		if !r.mayEnd(v.state) {
			return nil
		}
		r.end, r.value = v.state, v.value
		return []run{r}
	case r.cancelled:
		return only(r, v.cancelling && leased(v.state))
	}
	return only(r, !v.cancelling)
}

// mayEnd reports whether the server may end the run like this by itself.
func (r run) mayEnd(s api.State) bool {
	switch s {
	case api.StateCancelled:
		return r.cancelled
	case api.StateDead:
		return !r.cancelled && (r.claimed || r.leases >= r.want.max)
	}
	return false
}

func leased(s api.State) bool { return s == api.StateOffered || s == api.StateRunning }

func (r run) cancel(o op) []run {
	asked := r
	asked.cancelled = true
	switch {
	case o.unknown && r.there && r.end == "":
		return []run{r, asked}
	case o.unknown:
		return []run{r}
	case o.code != "":
		return only(r, !r.there && o.code == string(api.CodeCookieNotFound))
	case !r.there:
		return nil
	case r.end != "":
		return r.read(o.view)
	case o.view.state.Final(): // it ends now, or has ended unseen
		return append(r.read(o.view), asked.read(o.view)...)
	}
	return asked.read(o.view)
}

func (r run) offer(o op) []run {
	if !r.there || r.end != "" || r.cancelled || r.claimed || o.lease.fence <= r.gone {
		return nil
	}
	if o.lease.fence > r.newest.fence {
		r.newest = o.lease
		r.leases++
	}
	return only(r, r.newest == o.lease) // else another has it, or had it after this
}

func (r run) claim(o op) []run {
	claimed := r
	claimed.claimed = true
	switch {
	case o.unknown && r.holds(o.lease) && !r.cancelled:
		return []run{r, claimed}
	case o.unknown || o.code != "": // it may be lost or cancelled
		return []run{r}
	}
	return only(claimed, r.holds(o.lease) && !r.cancelled)
}

// holds reports whether the lease may be the run's.
func (r run) holds(l lease) bool { return r.end == "" && r.newest == l && l.fence > r.gone }

func (r run) result(o op) []run {
	done := r.ended(o)
	known := r.end == o.view.state && r.value == o.view.value && r.newest == o.lease || strings.Contains(r.tried, tried(o))
	if o.back {
		known = o.lease.fence <= r.gone
	}
	over := r
	over.gone = max(r.gone, o.lease.fence)
	switch {
	case o.unknown && r.holds(o.lease):
		return []run{r, done}
	case o.unknown:
		return []run{r}
	case o.code == string(api.VerdictAccepted):
		return only(done, r.holds(o.lease))
	case o.code == string(api.VerdictDuplicate) && o.tries > 1 && r.holds(o.lease):
		return []run{done} // its first sending did it
	case o.code == string(api.VerdictDuplicate):
		return only(r, known)
	case o.code == string(api.VerdictStale):
		return only(over, r.there && (o.back || !known))
	}
	return only(r, !r.there)
}

// ended is the run after a result that was accepted.
func (r run) ended(o op) run {
	switch {
	case o.back:
		r.gone = o.lease.fence
	case o.view.state == api.StateFailed && r.retries < r.want.retries && !r.cancelled:
		r.gone, r.tried = o.lease.fence, r.tried+tried(o)
		r.retries++
	default:
		r.end, r.value = o.view.state, o.view.value
	}
	return r
}

// tried notes a result in a way that can be found again.
func tried(o op) string { return fmt.Sprintf("%s/%d %s;", o.lease.worker, o.lease.fence, o.view.value) }

func only(r run, ok bool) []run {
	if !ok {
		return nil
	}
	return []run{r}
}

// model is run.step for porcupine, which looks for an order of the operations
// that the model allows and that agrees with when they were called and answered.
var model = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{run{}} },
	Step: func(state, _, output any) []any {
		var out []any
		for _, next := range state.(run).step(output.(op)) {
			out = append(out, next)
		}
		return out
	},
}).ToModel()

// linearizable checks the operations of one run.
func linearizable(ops []op) porcupine.CheckResult {
	var last int64
	for _, o := range ops {
		last = max(last, o.ret)
	}
	var list []porcupine.Operation
	for _, o := range effective(ops) {
		if o.unknown { // it may happen at any time from now on
			o.ret = last + 1
		}
		list = append(list, porcupine.Operation{Call: o.call, Return: o.ret, Output: o})
	}
	return porcupine.CheckOperationsTimeout(model, list, time.Minute)
}

// effective leaves out what explains nothing, and would make the search for an
// order a long one: reads without an answer, and all but the first of what was
// tried again without one. Whatever a repetition does at any time, the first,
// which may still happen then, could have done.
func effective(ops []op) []op {
	ops = slices.Clone(ops)
	slices.SortFunc(ops, func(a, b op) int { return cmp.Compare(a.call, b.call) })
	tried := map[op]bool{}
	return slices.DeleteFunc(ops, func(o op) bool {
		if !o.unknown {
			return false
		}
		o.call, o.ret, o.tries = 0, 0, 0
		again := tried[o]
		tried[o] = true
		return again || o.kind == opGet
	})
}

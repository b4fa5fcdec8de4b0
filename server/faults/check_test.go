package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/pullrun/pullrun/api"
)

// problems checks a whole history, at whose end each run was read twice when
// nothing was at fault any more. It says what promise was broken, with all that
// happened to the run; none means that every promise was kept.
func (h *history) problems() []string {
	var out []string
	runs := h.byCookie()
	for _, cookie := range slices.Sorted(maps.Keys(runs)) {
		ops := runs[cookie]
		var broken []string
		for _, promise := range []func([]op) string{submitIsKept, oneResult, resultIsRead, ends, cancelIsKept, fencesGrow} {
			if b := promise(ops); b != "" {
				broken = append(broken, b)
			}
		}
		if n := h.starts[cookie]; n > 1 {
			broken = append(broken, fmt.Sprintf("at-most-once run was begun %d times", n))
		}
		switch linearizable(ops) {
		case porcupine.Illegal:
			broken = append(broken, "no order of the operations explains the answers")
		case porcupine.Unknown:
			broken = append(broken, "the search for an order of the operations took too long")
		}
		if broken != nil {
			out = append(out, fmt.Sprintf("run %s: %s\n%s", cookie, strings.Join(broken, "; "), lines(ops)))
		}
	}
	return append(out, oneOfAKey(runs)...)
}

// oneOfAKey: of the runs that share a key, one at a time has a worker.
func oneOfAKey(runs map[string][]op) []string {
	held := map[string][]op{} // by key: results, from when their lease was known until they were sent
	for _, ops := range runs {
		for _, s := range ops {
			if s.kind == opSubmit && s.done() && s.want.key != "" {
				held[s.want.key] = append(held[s.want.key], leasesSettled(ops)...)
				break
			}
		}
	}
	var out []string
	for key, list := range held {
		slices.SortFunc(list, func(a, b op) int { return int(a.call - b.call) })
		for i := range list[:max(0, len(list)-1)] {
			if a, b := list[i], list[i+1]; b.call < a.ret && a.cookie != b.cookie {
				out = append(out, fmt.Sprintf("runs %s and %s of key %q were worked on at the same time:\n%s", a.cookie, b.cookie, key, lines([]op{a, b})))
			}
		}
	}
	return out
}

// leasesSettled returns the accepted results of a run. Each begins when its
// lease had reached the worker and ends before it was sent: at least in between,
// the run was leased.
func leasesSettled(ops []op) []op {
	var out []op
	for _, o := range ops {
		if o.kind != opResult || o.code != string(api.VerdictAccepted) {
			continue
		}
		for _, offered := range ops {
			if offered.kind == opOffer && offered.lease == o.lease && offered.ret < o.call {
				settled := o
				settled.call, settled.ret = offered.ret, o.call
				out = append(out, settled)
				break
			}
		}
	}
	return out
}

func lines(ops []op) string {
	slices.SortFunc(ops, func(a, b op) int { return int(a.call - b.call) })
	var b strings.Builder
	for _, o := range ops {
		fmt.Fprintln(&b, "   ", o)
	}
	return b.String()
}

// done reports whether the operation was answered with success.
func (o op) done() bool { return !o.unknown && o.code == "" }

// reads are the answers that show the run, in order.
func reads(ops []op) []op {
	var out []op
	for _, o := range ops {
		if o.done() && (o.kind == opSubmit || o.kind == opGet || o.kind == opCancel) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b op) int { return int(a.ret - b.ret) })
	return out
}

// submitIsKept: no read that begins after a submit was acknowledged misses the
// run.
func submitIsKept(ops []op) string {
	for _, s := range ops {
		if s.kind != opSubmit || !s.done() {
			continue
		}
		for _, o := range ops {
			if o.kind == opGet && o.call > s.ret && o.code == string(api.CodeCookieNotFound) {
				return "an acknowledged submit is lost"
			}
		}
	}
	return ""
}

// triedAgain reports whether the run may go on after the result of an attempt.
func triedAgain(ops []op, result op) bool {
	return result.view.state == api.StateFailed && slices.ContainsFunc(ops, func(o op) bool { return o.want.retries > 0 })
}

// oneResult: of all results of a run one at most is accepted, but for failures
// that it was tried again after.
func oneResult(ops []op) string {
	var leases []string
	for _, o := range ops {
		if o.kind == opResult && !o.back && o.code == string(api.VerdictAccepted) && !triedAgain(ops, o) {
			leases = append(leases, fmt.Sprintf("%s/%d", o.lease.worker, o.lease.fence))
		}
	}
	if len(leases) > 1 {
		return fmt.Sprintf("results of %s were accepted", strings.Join(leases, ", "))
	}
	return ""
}

// resultIsRead: what was accepted is what everybody reads, always.
func resultIsRead(ops []op) string {
	var ended *op
	for _, o := range reads(ops) {
		if ended != nil && (o.view.state != ended.view.state || o.view.value != ended.view.value) && o.call > ended.ret {
			return fmt.Sprintf("was read as %s %q, then as %s %q", ended.view.state, ended.view.value, o.view.state, o.view.value)
		}
		if o.view.state.Final() {
			ended = &o
		}
	}
	for _, o := range ops {
		accepted := o.kind == opResult && !o.back && o.code == string(api.VerdictAccepted) && !triedAgain(ops, o)
		if accepted && ended != nil && o.view != ended.view {
			return fmt.Sprintf("%s %q was accepted, %s %q is read", o.view.state, o.view.value, ended.view.state, ended.view.value)
		}
	}
	return ""
}

// ends: the last read finds the run at an end, if it is there at all.
func ends(ops []op) string {
	list := reads(ops)
	if len(list) > 0 && !list[len(list)-1].view.state.Final() {
		return "is stuck"
	}
	return ""
}

// cancelIsKept: a run that was cancelled is not offered afterwards.
func cancelIsKept(ops []op) string {
	for _, c := range ops {
		if c.kind != opCancel || !c.done() {
			continue
		}
		if c.view.state != api.StateCancelled && !c.view.cancelling && !c.view.state.Final() {
			return fmt.Sprintf("a cancellation was acknowledged and the run left %s", c.view.state)
		}
		for _, o := range ops {
			if o.kind == opOffer && o.call > c.ret {
				return fmt.Sprintf("was offered to %s under fence %d after it was cancelled", o.lease.worker, o.lease.fence)
			}
		}
	}
	return ""
}

// fencesGrow: a fence belongs to one worker, and no later lease has a lower one.
func fencesGrow(ops []op) string {
	owner := map[int64]string{}
	for _, o := range ops {
		if o.kind != opOffer {
			continue
		}
		if w, ok := owner[o.lease.fence]; ok && w != o.lease.worker {
			return fmt.Sprintf("fence %d was given to %s and to %s", o.lease.fence, w, o.lease.worker)
		}
		owner[o.lease.fence] = o.lease.worker
		for _, before := range ops {
			if before.kind == opOffer && before.ret < o.call && before.lease.fence > o.lease.fence {
				return fmt.Sprintf("fence %d was offered after fence %d", o.lease.fence, before.lease.fence)
			}
		}
	}
	return ""
}

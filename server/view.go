package server

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

// The functions here turn what the store keeps into what the wire carries, and
// back.

func (s *Server) viewRun(r store.Run) api.Run {
	run := api.Run{
		Cookie: r.Cookie, Pipeline: r.Pipeline, Digest: r.PipelineDigest, State: api.State(r.State.String()),
		Queue: r.Queue, Labels: r.Labels, Tags: r.Tags, Priority: r.Priority,
		Delivery: viewDelivery(r.Delivery), Attempt: r.Attempts, MaxAttempts: r.MaxAttempts,
		Blocked: r.Blocked, Worker: r.Worker, TraceID: carrier(r.Trace.Send).TraceID(),
		CreatedAt: r.SubmittedAt, NotBefore: optional(r.NotBefore),
		StartedAt: optional(r.AcceptedAt), FinishedAt: optional(r.FinishedAt), CancelRequestedAt: optional(r.CancelAt),
		RC: api.RC(r.RC), Error: r.Error, Stacktrace: r.Stacktrace, Result: r.Result,
	}
	run.CancelDeliveredAt, run.CancelStoppingAt, run.Stop = optional(r.CancelToldAt), optional(r.CancelHeededAt), api.Stop(r.Stop)
	if run.Stop != "" {
		run.CancelStoppedAt = run.FinishedAt
	}
	run.RequeuedFrom, run.RequeuedAs = r.RequeuedFrom, r.RequeuedAs
	run.Retry, run.Retries = viewRetry(r.Retry), r.Retries
	if c := r.Concurrency; c.Key != "" {
		run.Concurrency = &api.Concurrency{Key: c.Key, Limit: c.Limit, Policy: policies[c.Policy]}
	}
	if s.cfg().TraceURL != "" && run.TraceID != "" {
		run.TraceURL = strings.ReplaceAll(s.cfg().TraceURL, "{trace}", run.TraceID)
	}
	return run
}

var policies = [...]api.ConcurrencyPolicy{
	store.Wait: api.ConcurrencyQueue, store.Reject: api.ConcurrencyReject, store.CancelOlder: api.ConcurrencyCancelOlder,
}

// concurrencyIn is what a valid submit says of its key.
func concurrencyIn(c api.Concurrency) store.Concurrency {
	policy := max(0, slices.Index(policies[:], c.Policy))
	return store.Concurrency{Key: c.Key, Limit: max(1, c.Limit), Policy: store.Policy(policy)}
}

// retryIn is what a valid submit says of retries.
func retryIn(in api.Retry) store.Retry {
	out := store.Retry{Max: in.Max, Backoff: milliseconds(in.BackoffMS), MaxBackoff: milliseconds(in.MaxBackoffMS)}
	if len(in.On) == 0 {
		in.On = api.DefaultRetryOn()
	}
	for _, code := range in.On {
		out.On = append(out.On, string(code))
	}
	return out
}

func viewRetry(r store.Retry) *api.Retry {
	if r.Max == 0 {
		return nil
	}
	out := &api.Retry{Max: r.Max, BackoffMS: r.Backoff.Milliseconds(), MaxBackoffMS: r.MaxBackoff.Milliseconds()}
	for _, code := range r.On {
		out.On = append(out.On, api.RetryCode(code))
	}
	return out
}

func viewAttempts(list []store.Attempt) []api.Attempt {
	var out []api.Attempt
	for _, a := range list {
		out = append(out, api.Attempt{
			Number: a.Number, Worker: a.Worker, Digest: a.Digest, StartedAt: a.AcceptedAt, EndedAt: a.EndedAt,
			Outcome: api.Outcome(a.Outcome), RC: api.RC(a.RC), Reason: a.Reason,
		})
	}
	return out
}

func viewLate(list []store.Late) []api.LateResult {
	var out []api.LateResult
	for _, l := range list {
		out = append(out, api.LateResult{
			At: l.At, Worker: l.Worker, Attempt: l.Attempt, RC: api.RC(l.RC),
			Error: l.Error, Stacktrace: l.Stacktrace, Result: l.Result, ResultBytes: l.Size,
		})
	}
	return out
}

// viewProgress is where a run that is worked on is, nil if that is not known.
func viewProgress(r *store.Run, a store.Activity) *api.Progress {
	if !r.State.Leased() || a.Fence != r.Fence {
		return nil
	}
	return progressOf(a)
}

// progressOf is where a worker has said that its run is, nil if it has not.
func progressOf(a store.Activity) *api.Progress {
	var p api.Progress
	if len(a.Progress) == 0 || json.Unmarshal(a.Progress, &p) != nil {
		return nil // a neighbouring version's
	}
	p.At = a.At
	return &p
}

func viewDelivery(d store.Delivery) api.Delivery {
	if d == store.AtMostOnce {
		return api.AtMostOnce
	}
	return api.AtLeastOnce
}

func viewVerdict(v store.Verdict) (api.VerdictCode, string) {
	switch v {
	case store.Accepted:
		return api.VerdictAccepted, ""
	case store.Duplicate:
		return api.VerdictDuplicate, ""
	case store.Stale:
		return api.VerdictStale, "the lease is not this worker's any more, or another result came first"
	}
	return api.VerdictRejected, "no such run"
}

func viewQueue(q store.Queue) api.QueueStats {
	return api.QueueStats{
		Queue: q.Name, Queued: int64(q.Queued), Blocked: int64(q.Blocked), Scheduled: int64(q.Scheduled),
		Leased: int64(q.Leased), Demand: int64(q.Demand), OldestAgeMS: q.Oldest.Milliseconds(),
	}
}

func viewWorker(w store.Worker) api.Worker {
	out := api.Worker{
		ID: w.Worker, Capacity: w.Capacity, Holding: w.Leased, Queues: w.Queues, Labels: w.Labels, Version: w.Version, Process: store.Process(w.Session),
		Draining: !w.DrainingAt.IsZero() || !w.ShutdownAt.IsZero(), Paused: w.Paused, RegisteredAt: w.RegisteredAt, SeenAt: w.SeenAt, ExpiresAt: w.ExpiresAt,
	}
	for _, p := range w.Pipelines {
		out.Pipelines = append(out.Pipelines, api.PipelineInfo{Name: p.Name, Digest: p.Digest})
	}
	return out
}

// pipelinesIn keeps the difference between no list, which takes any pipeline,
// and an empty one, which takes none.
func pipelinesIn(list []api.PipelineInfo) []store.Pipeline {
	if list == nil {
		return nil
	}
	out := make([]store.Pipeline, len(list))
	for i, p := range list {
		out[i] = store.Pipeline{Name: p.Name, Digest: p.Digest}
	}
	return out
}

// heldIn are the leases that are this server's, and the others.
func (s *Server) heldIn(list []api.Held) (ours []store.Held, others []api.Held) {
	ours = make([]store.Held, 0, len(list))
	for _, h := range list {
		if s.another(h.Store) {
			others = append(others, api.Held{Cookie: h.Cookie, Fence: h.Fence, Store: h.Store})
			continue
		}
		ours = append(ours, store.Held{Cookie: h.Cookie, Fence: h.Fence, Cancelling: h.Cancelling, Claim: h.Claim, Span: h.TraceParent})
	}
	return ours, others
}

// another reports whether a database is known not to be this server's.
func (s *Server) another(store string) bool { return store != "" && store != s.store.ID() }

func heldOut(list []store.Held) []api.Held {
	var out []api.Held
	for _, h := range list {
		out = append(out, api.Held{Cookie: h.Cookie, Fence: h.Fence})
	}
	return out
}

package server

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

// workerBody is the least limit, in bytes, of what a worker says of itself: it
// fits all the leases that one may hold and all the pipelines that it may have,
// each as long as may be. The setting limits.body is about what users send.
const workerBody = 16 << 20

// readWorker is read for what a worker says of itself.
func (s *Server) readWorker(w http.ResponseWriter, r *http.Request, v any) error {
	return s.read(w, r, max(workerBody, s.cfg().MaxBody), v)
}

func (s *Server) register(w http.ResponseWriter, r *http.Request) error {
	var in api.Register
	if err := s.readWorker(w, r, &in); err != nil {
		return err
	}
	if len(in.Queues) == 0 {
		in.Queues = []string{api.DefaultQueue}
	}
	if err := caller(r).bounds(in.Name, in.Queues, in.Labels); err != nil {
		return err
	}
	session := in.Session
	if session == "" {
		session = uuid.NewString()
	}
	holding, others := s.heldIn(in.Holding)
	out, err := s.store.Register(r.Context(), s.store.Now(), store.NewSession{
		Worker: in.Name, Session: session, Capacity: in.Capacity,
		Queues: in.Queues, Labels: in.Labels, Pipelines: pipelinesIn(in.Pipelines),
		Version: in.Version, Lease: s.cfg().Lease, Holding: holding,
	})
	if errors.Is(err, store.ErrSuperseded) {
		return api.Errorf(api.CodeSessionSuperseded, "session %q comes late: this process has registered as %q again since", session, in.Name)
	}
	if err != nil {
		return err
	}
	s.exporters.note(in.Name)
	s.hub.announce(in.Name, offerOf(session, in.Queues, in.Labels, pipelinesIn(in.Pipelines)))
	s.tell(in.Name) // a poll of the session before learns that it is over
	s.moved(out.Moved)
	s.log.InfoContext(r.Context(), "worker registered", "worker", in.Name, "capacity", in.Capacity,
		"pipelines", len(in.Pipelines), "version", in.Version, "superseded", out.Superseded != "", "by", caller(r).Name)
	return reply(w, http.StatusCreated, api.Registered{
		WorkerID: in.Name, Session: session,
		HoldMS: s.cfg().Hold.Milliseconds(), LeaseMS: s.cfg().Lease.Milliseconds(), RenewMS: s.cfg().Renew.Milliseconds(),
		Store: s.store.ID(), Lost: append(heldOut(out.Lost), others...), OTLP: s.forwards(),
		Limits: api.Limits{BodyBytes: s.cfg().MaxBody, ResultBytes: s.cfg().MaxResult},
	})
}

func (s *Server) heartbeat(w http.ResponseWriter, r *http.Request) error {
	worker, err := name(r, "id")
	if err != nil {
		return err
	}
	var in api.Heartbeat
	if err := s.readWorker(w, r, &in); err != nil {
		return err
	}
	holding, _ := s.heldIn(in.Holding) // the others are lost, which its session has begun with
	out, err := s.store.Heartbeat(r.Context(), s.store.Now(), store.PollIn{
		Worker: worker, Session: in.Session, Holding: holding, Draining: in.Draining,
	})
	if err != nil {
		return err
	}
	s.moved(out.Moved)
	return reply(w, http.StatusOK, api.Beat{
		Packets: controls(out.Cancels, out.Shutdown && !in.Draining), Lost: heldOut(out.Lost), Claimed: heldOut(out.Claimed),
	})
}

func (s *Server) results(w http.ResponseWriter, r *http.Request) error {
	worker, err := name(r, "id")
	if err != nil {
		return err
	}
	var in api.Results
	if err := s.read(w, r, s.cfg().MaxResult+s.cfg().MaxBody, &in); err != nil {
		return err
	}
	out := make([]api.Verdict, len(in.Results))
	var results []store.Result
	var places []int // in out, of results
	for i, res := range in.Results {
		out[i] = api.Verdict{Fence: res.Fence, Verdict: api.VerdictRejected}
		if api.ValidCookie(res.Cookie) {
			out[i].Cookie = res.Cookie
		}
		if err := res.Validate(); err != nil {
			out[i].Detail = err.Error()
			continue
		}
		if s.another(res.Store) {
			out[i].Detail = fmt.Sprintf("it is of a run of the store %s, and this server has %s", res.Store, s.store.ID())
			continue
		}
		places = append(places, i)
		results = append(results, s.resultIn(worker, res))
	}
	verdicts, moved, err := s.store.Finish(r.Context(), s.store.Now(), results)
	if err != nil {
		return err
	}
	for i, v := range verdicts {
		out[places[i]].Verdict, out[places[i]].Detail = viewVerdict(v)
	}
	s.moved(moved)
	return reply(w, http.StatusOK, api.Verdicts{Verdicts: out})
}

// resultIn is a worker's result as the store takes it. One that is too large
// or too deep ends its run all the same, with an error that says so.
func (s *Server) resultIn(worker string, res api.Result) store.Result {
	out := store.Result{
		Worker: worker, Cookie: res.Cookie, Fence: res.Fence, RC: string(res.RC),
		Error: res.Error, Stacktrace: res.Stacktrace, Result: res.Result, Release: !res.RC.Ends(), LastEvent: res.LastEvent,
	}
	switch res.Stop {
	case api.StopCooperative, api.StopKilled, api.StopAbandoned: // a newer worker may know of more
		out.Stop = store.Stop(res.Stop)
	}
	refusal := ""
	if n := int64(len(res.Result) + len(res.Error) + len(res.Stacktrace)); n > s.cfg().MaxResult {
		refusal = fmt.Sprintf("the result has %d bytes, the limit is %d", n, s.cfg().MaxResult)
	} else if api.Nesting(res.Result) > api.MaxNesting {
		refusal = fmt.Sprintf("the result is nested deeper than %d levels", api.MaxNesting)
	}
	if out.Release {
		out.Reason = out.Error
	}
	if refusal != "" {
		out.RC, out.Error, out.Stacktrace, out.Result = string(api.RCProcessorException), refusal, "", nil
	}
	return out
}

func (s *Server) leave(w http.ResponseWriter, r *http.Request) error {
	worker, err := name(r, "id")
	if err != nil {
		return err
	}
	session := r.URL.Query().Get("session")
	if session == "" {
		return api.Errorf(api.CodeInvalidRequest, "session: is required")
	}
	moved, err := s.store.Leave(r.Context(), s.store.Now(), worker, session)
	if errors.Is(err, store.ErrNoSession) {
		w.WriteHeader(http.StatusNoContent) // it has left before
		return nil
	}
	if err != nil {
		return err
	}
	s.exporters.note(worker)
	s.forget(worker) // before its runs are queued, which must not wake it
	s.moved(moved)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) shutdownWorker(w http.ResponseWriter, r *http.Request) error {
	worker, err := name(r, "id")
	if err != nil {
		return err
	}
	err = s.store.Shutdown(r.Context(), s.store.Now(), worker, caller(r).Name)
	if errors.Is(err, store.ErrNoSession) {
		return api.Errorf(api.CodeWorkerNotFound, "no worker %q has a session", worker)
	}
	if err != nil {
		return err
	}
	s.log.InfoContext(r.Context(), "worker is asked to end", "worker", worker, "by", caller(r).Name)
	s.tell(worker)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func (s *Server) listWorkers(w http.ResponseWriter, r *http.Request) error {
	workers, err := s.store.Workers(r.Context(), s.store.Now())
	if err != nil {
		return err
	}
	out := api.WorkerList{Workers: make([]api.Worker, len(workers))}
	for i, one := range workers {
		out.Workers[i] = viewWorker(one)
	}
	return reply(w, http.StatusOK, out)
}

package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/span"
	"github.com/pullrun/pullrun/server/store"
)

// poll holds a worker's poll until there is something to send.
func (s *Server) poll(w http.ResponseWriter, r *http.Request) error {
	worker, err := name(r, "id")
	if err != nil {
		return err
	}
	var in api.Poll
	if err := s.readWorker(w, r, &in); err != nil {
		return err
	}
	var changed <-chan struct{} // of the only run that it wants
	if in.Run != "" {
		if err := s.mayRun(r, worker, in.Run); err != nil {
			return err
		}
		c, leave := s.hub.watch(in.Run)
		defer leave()
		changed = c
	}
	p, ok := s.hub.park(worker, in.Session, s.cfg().MaxPolls)
	if !ok {
		return api.Errorf(api.CodeTooManyRequests, "%d polls are parked here, which is this server's limit", s.cfg().MaxPolls)
	}
	defer s.hub.leave(p)
	hold := min(milliseconds(in.HoldMS), s.cfg().Hold)
	extend(w, hold)
	over := time.NewTimer(hold)
	defer over.Stop()
	for {
		woken := s.hub.look(p)
		packets, free, err := s.look(r, worker, in)
		if woken != nil && !runs(packets, woken.run) {
			s.passOn(r.Context(), p, woken)
		}
		if err != nil {
			return err
		}
		if len(packets) > 0 {
			return reply(w, http.StatusOK, api.Packets{Packets: packets})
		}
		s.hub.seen(p, free)
		select {
		case <-p.wake:
			if err := s.tokens.still(r.Context(), caller(r)); err != nil {
				return err
			}
			continue
		case <-changed:
			continue
		case <-over.C:
		case <-p.released:
		case <-s.ending:
			w.Header().Set("Connection", "close")
		case <-r.Context().Done():
			return r.Context().Err()
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// look asks the store what there is for the worker now.
func (s *Server) look(r *http.Request, worker string, in api.Poll) (packets []api.Packet, free int, err error) {
	most := api.MaxBatch
	if in.MaxRuns != nil {
		most = min(most, *in.MaxRuns)
	}
	holding, _ := s.heldIn(in.Holding) // as of heartbeat
	out, err := s.store.Poll(r.Context(), s.store.Now(), store.PollIn{
		Worker: worker, Session: in.Session, Holding: holding, Draining: in.Draining, Paused: in.Paused, Max: most, Only: in.Run,
		Bytes: api.MaxOffered, Carry: api.Carry,
	})
	if err != nil {
		return nil, 0, onlyRun(in.Run, err)
	}
	s.moved(out.Moved)
	packets = controls(out.Cancels, out.Shutdown && !in.Draining)
	for _, l := range out.Lost {
		if !l.Cancelling { // it has not been told yet
			packets = append(packets, api.Packet{PacketType: api.PacketCancel, Cookie: l.Cookie, Fence: l.Fence, Reason: "the lease is lost"})
		}
	}
	for _, o := range out.Offers {
		packets = append(packets, runPacket(o))
	}
	if out.Shutdown || in.Draining || in.Run != "" {
		return packets, 0, nil // a slot that takes nothing, or nothing else, is not free
	}
	return packets, min(out.Free, most-len(out.Offers)), nil
}

// mayRun returns an error if the token does not let the worker have a run that it
// names, for the worker has not registered for the run's queue and labels.
func (s *Server) mayRun(r *http.Request, worker, cookie string) error {
	run, err := s.store.Get(r.Context(), cookie)
	if err != nil {
		return onlyRun(cookie, err)
	}
	return caller(r).bounds(worker, []string{run.Queue}, run.Labels)
}

// onlyRun says what is wrong with the only run that a worker wants.
func onlyRun(cookie string, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return api.Errorf(api.CodeCookieNotFound, "no run %q", cookie)
	case errors.Is(err, store.ErrRunEnded):
		return api.Errorf(api.CodeRunEnded, "run %q has ended", cookie)
	case errors.Is(err, store.ErrNoPipeline):
		return api.Errorf(api.CodeInvalidRequest, "run: %q is of a pipeline that this worker does not have", cookie)
	}
	return err
}

// passOn wakes another poll for the run that this one was woken for and did
// not take: it had no room, or its client has gone.
func (s *Server) passOn(ctx context.Context, p *parked, n *news) {
	run, err := s.store.Get(context.WithoutCancel(ctx), n.run.Cookie)
	if err == nil && run.State == store.Queued {
		s.hub.passOn(p, n)
	}
}

// runs reports whether one of the packets runs the run.
func runs(packets []api.Packet, run *store.Run) bool {
	return slices.ContainsFunc(packets, func(p api.Packet) bool {
		return p.PacketType == api.PacketRun && p.Cookie == run.Cookie
	})
}

// controls are the packets that any answer to a worker may carry.
func controls(cancels []store.Cancel, shutdown bool) []api.Packet {
	packets := []api.Packet{}
	for _, c := range cancels {
		packets = append(packets, api.Packet{PacketType: api.PacketCancel, Cookie: c.Cookie, Fence: c.Fence, Reason: c.Reason})
	}
	if shutdown {
		packets = append(packets, api.Packet{PacketType: api.PacketShutdown})
	}
	return packets
}

func runPacket(o store.Offer) api.Packet {
	r := o.Run
	links := []string{span.Lease(carrier(r.Trace.Send), r.Fence).TraceParent}
	if r.Span != "" {
		links = append(links, r.Span)
	}
	return api.Packet{
		PacketType: api.PacketRun, Cookie: r.Cookie, Fence: r.Fence,
		Pipeline: r.Pipeline, Variables: r.Variables, Detach: r.Detach,
		Queue: r.Queue, Labels: r.Labels, Attempt: r.Attempts + 1, Delivery: viewDelivery(r.Delivery),
		TimeoutMS:   r.RunTimeout.Milliseconds(),
		TraceParent: r.Trace.Send.TraceParent, TraceState: r.Trace.Send.TraceState, TraceLinks: links,
	}
}

package server

import (
	"net/http"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server/store"
)

// poll holds a worker's poll until there is something to send.
func (s *Server) poll(w http.ResponseWriter, r *http.Request) error {
	worker, err := name(r, "id")
	if err != nil {
		return err
	}
	var in api.Poll
	if err := read(w, r, s.cfg.MaxBody, &in); err != nil {
		return err
	}
	if s.cfg.MaxPolls > 0 && s.hub.polls() >= s.cfg.MaxPolls {
		return api.Errorf(api.CodeTooManyRequests, "%d polls are parked here, which is this server's limit", s.cfg.MaxPolls)
	}
	hold := min(time.Duration(in.HoldMS)*time.Millisecond, s.cfg.Hold)
	extend(w, hold)
	p := s.hub.park(worker)
	defer s.hub.leave(p)
	over := time.NewTimer(hold)
	defer over.Stop()
	for {
		s.hub.look(p)
		packets, free, err := s.look(r, worker, in)
		if err != nil {
			return err
		}
		if len(packets) > 0 {
			return reply(w, http.StatusOK, api.Packets{Packets: packets})
		}
		s.hub.seen(p, free)
		select {
		case <-p.wake:
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
	out, err := s.store.Poll(r.Context(), time.Now(), store.PollIn{
		Worker: worker, Session: in.Session, Holding: heldIn(in.Holding), Draining: in.Draining, Max: api.MaxBatch,
	})
	if err != nil {
		return nil, 0, err
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
	return packets, out.Free, nil
}

// controls are the packets that any answer to a worker may carry.
func controls(cancels []store.Held, shutdown bool) []api.Packet {
	packets := []api.Packet{}
	for _, c := range cancels {
		packets = append(packets, api.Packet{PacketType: api.PacketCancel, Cookie: c.Cookie, Fence: c.Fence})
	}
	if shutdown {
		packets = append(packets, api.Packet{PacketType: api.PacketShutdown})
	}
	return packets
}

func runPacket(o store.Offer) api.Packet {
	r := o.Run
	return api.Packet{
		PacketType: api.PacketRun, Cookie: r.Cookie, Fence: r.Fence,
		Pipeline: r.Pipeline, Variables: r.Variables, Detach: r.Detach,
		Queue: r.Queue, Attempt: r.Attempts + 1, Delivery: viewDelivery(r.Delivery),
		TimeoutMS:   r.RunTimeout.Milliseconds(),
		TraceParent: r.Trace.Send.TraceParent, TraceState: r.Trace.Send.TraceState,
	}
}

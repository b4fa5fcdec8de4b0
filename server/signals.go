package server

import (
	"crypto/sha256"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// heard acts on a signal as this server would have, had it moved the run or met
// the worker itself.
func (s *Server) heard(sig store.Signal) {
	switch sig.Kind {
	case store.RunQueued:
		s.hub.queued(&news{run: sig.Run, told: true})
	case store.RunChanged:
		s.hub.changed(sig.Name)
	case store.RunEnded:
		s.hub.ended(sig.Name, nil)
	case store.WorkerNews:
		s.hub.worker(sig.Name)
	case store.WorkerLeft:
		s.hub.forget(sig.Name)
	case store.TokenRevoked:
		s.revoked(sig.Name)
	case store.RunWatched:
		s.hub.attendedElsewhere(sig.Name, time.Now())
	case store.Resync:
		s.tokens.forget(func([sha256.Size]byte, Token) bool { return true }) // one may have been revoked
		s.hub.everybody()
	}
}

// changed wakes the readers of a run, here and everywhere.
func (s *Server) changed(cookie string) {
	s.hub.changed(cookie)
	s.store.Publish(store.Signal{Kind: store.RunChanged, Name: cookie})
}

// ended is changed for a run that has ended.
func (s *Server) ended(run *store.Run) {
	s.hub.ended(run.Cookie, run)
	s.store.Publish(store.Signal{Kind: store.RunEnded, Name: run.Cookie})
}

// tell wakes the worker's poll, wherever it is parked.
func (s *Server) tell(worker string) {
	if !s.hub.worker(worker) {
		s.store.Publish(store.Signal{Kind: store.WorkerNews, Name: worker})
	}
}

// forget drops what is known of a worker whose session has ended, everywhere.
func (s *Server) forget(worker string) {
	s.hub.forget(worker)
	s.store.Publish(store.Signal{Kind: store.WorkerLeft, Name: worker})
}

// attend says, here and everywhere, that a reader wants to know where a run is.
func (s *Server) attend(cookie string) (leave func()) {
	s.store.Publish(store.Signal{Kind: store.RunWatched, Name: cookie})
	return s.hub.attend(cookie)
}

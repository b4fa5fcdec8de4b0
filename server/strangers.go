package server

import (
	"net"
	"net/http"
	"sync"
)

// strangers are connections that have not sent a request yet, such as a
// browser's spare ones and a load balancer's checks. [http.Server.Shutdown]
// would wait five seconds for the first request, and then not answer it.
type strangers struct {
	mu sync.Mutex
	// Guarded by mu.
	conns  map[net.Conn]bool
	closed bool
}

// note is the server's ConnState.
func (s *strangers) note(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.conns, c)
	case s.closed:
		_ = c.Close() // it has not been used
	default:
		s.conns[c] = true
	}
}

// close closes all of them, and those that are still to come.
func (s *strangers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.conns {
		_ = c.Close() // it has not been used
	}
}

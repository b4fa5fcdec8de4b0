package server

import (
	"net"
	"net/http"
)

// Route is a call as the server has it.
type Route struct {
	Method, Path string // the path as OpenAPI writes it
	Scope        Scope
}

// Routes returns all calls.
func (s *Server) Routes() []Route {
	var out []Route
	for _, r := range s.routes() {
		out = append(out, Route{Method: r.method, Path: braces(r.path), Scope: r.scope})
	}
	return out
}

// Listen makes the server serve l in the place of its own listener.
func (s *Server) Listen(l net.Listener) error {
	err := s.listener.Close()
	s.listener = l
	return err
}

// Parked is how many polls are parked.
func (s *Server) Parked() int { return s.hub.waiting() }

// Handle serves h as the server serves its calls.
func (s *Server) Handle(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return s.answer(h)
}

// Handler answers calls as Run has them answered.
func (s *Server) Handler() http.Handler { return s.http.Handler }

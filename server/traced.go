package server

import (
	"net/http"

	"github.com/pullrun/pullrun/otel"
)

// traced says how the calls of a route are traced. Workers go on with the traces
// of their runs, whatever became of those.
func (s *Server) traced(rt route) otel.HandlerOptions {
	opts := otel.HandlerOptions{Route: braces(rt.path)}
	if rt.scope == ScopeWork {
		return opts
	}
	opts.IgnoreUnsampled = s.cfg().IgnoreUnsampledParent
	opts.Untrusted = func(r *http.Request) bool { return caller(r).OwnTrace }
	return opts
}

package server

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel"
)

// A handler answers one call, or returns the error to answer with. Path
// parameters are read with [http.Request.PathValue], so that only this file
// knows the router.
type handler func(w http.ResponseWriter, r *http.Request) error

// A route is one call of the contract.
type route struct {
	method, path string
	scope        Scope // what a token must allow; "" is open to everybody
	quiet        bool  // no span: it waits, or it is sent all the time
	handle       handler
}

// routes are all calls that the server answers. openapi.yaml has the same.
func (s *Server) routes() []route {
	return []route{
		{"POST", "/v1/runs", ScopeSubmit, false, s.submit},
		{"GET", "/v1/runs", ScopeRead, false, s.listRuns},
		{"POST", "/v1/runs/batch", ScopeSubmit, false, s.submitBatch},
		{"GET", "/v1/runs/:cookie", ScopeRead, true, s.getRun},
		{"POST", "/v1/runs/:cookie/cancel", ScopeSubmit, false, s.cancelRun},
		{"GET", "/v1/runs/:cookie/events", ScopeRead, true, s.runEvents},

		{"GET", "/v1/queues", ScopeRead, true, s.listQueues},
		{"GET", "/v1/queues/:queue", ScopeRead, true, s.getQueue},

		{"POST", "/v1/workers", ScopeWork, true, s.register},
		{"GET", "/v1/workers", ScopeRead, true, s.listWorkers},
		{"DELETE", "/v1/workers/:id", ScopeWork, true, s.leave},
		{"POST", "/v1/workers/:id/poll", ScopeWork, true, s.poll},
		{"POST", "/v1/workers/:id/heartbeat", ScopeWork, true, s.heartbeat},
		{"POST", "/v1/workers/:id/results", ScopeWork, false, s.results},
		{"POST", "/v1/workers/:id/events", ScopeWork, true, s.postEvents},
		{"POST", "/v1/workers/:id/shutdown", ScopeAdmin, false, s.shutdownWorker},

		{"GET", "/livez", "", true, s.livez},
		{"GET", "/readyz", "", true, s.readyz},
		{"GET", "/openapi.yaml", "", true, s.openapi},
	}
}

// router puts the routes into echo.
func (s *Server) router() http.Handler {
	e := echo.New()
	e.HideBanner = true
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		s.fail(c.Response(), c.Request(), unrouted(err, c.Request()))
	}
	traced := make(map[string]bool)
	for _, rt := range s.routes() {
		traced[rt.method+" "+rt.path] = !rt.quiet
		e.Add(rt.method, rt.path, func(c echo.Context) error {
			r := c.Request()
			for i, name := range c.ParamNames() {
				r.SetPathValue(name, c.ParamValues()[i])
			}
			s.serve(rt, c.Response(), r)
			return nil
		})
	}
	return otel.Handler(e, func(r *http.Request) string {
		c := e.AcquireContext()
		defer e.ReleaseContext(c)
		e.Router().Find(r.Method, r.URL.Path, c)
		if !traced[r.Method+" "+c.Path()] {
			return ""
		}
		return braces(c.Path())
	})
}

// serve is what every call has in common: deadlines, the token, and one way
// for errors.
func (s *Server) serve(rt route, w http.ResponseWriter, r *http.Request) {
	deadlines := http.NewResponseController(w)
	_ = deadlines.SetReadDeadline(time.Now().Add(callTimeout))  // not every connection has deadlines
	_ = deadlines.SetWriteDeadline(time.Now().Add(callTimeout)) // as above; calls that wait move theirs
	defer func() {
		if p := recover(); p != nil {
			s.panicked(w, r, p)
		}
	}()
	r, err := s.authorize(rt.scope, r)
	if err == nil {
		err = rt.handle(w, r)
	}
	if err != nil {
		s.fail(w, r, err)
	}
}

// unrouted turns the router's errors into ours.
func unrouted(err error, r *http.Request) error {
	var he *echo.HTTPError
	if errors.As(err, &he) {
		switch he.Code {
		case http.StatusNotFound:
			return api.Errorf(api.CodeNotFound, "no call %s %s; the calls are in /openapi.yaml", r.Method, r.URL.Path)
		case http.StatusMethodNotAllowed:
			return api.Errorf(api.CodeMethodNotAllowed, "%s does not take %s", r.URL.Path, r.Method)
		}
	}
	return err
}

// braces writes echo's path parameters as OpenAPI and traces have them.
func braces(path string) string {
	out := make([]byte, 0, len(path)+4)
	for i := 0; i < len(path); i++ {
		if path[i] != ':' {
			out = append(out, path[i])
			continue
		}
		out = append(out, '{')
		for i++; i < len(path) && path[i] != '/'; i++ {
			out = append(out, path[i])
		}
		out = append(out, '}')
		i--
	}
	return string(out)
}

package server

import (
	"errors"
	"net/http"
	"net/url"
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
		{"POST", "/v1/runs/cancel", ScopeSubmit, false, s.cancelRuns},
		{"POST", "/v1/runs/:cookie/requeue", ScopeSubmit, false, s.requeueRun},
		{"POST", "/v1/runs/requeue", ScopeSubmit, false, s.requeueRuns},
		{"GET", "/v1/audit", ScopeAdmin, false, s.listAudit},
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
		{"POST", "/v1/workers/:id/otlp/v1/:signal", ScopeWork, true, s.export},
		{"POST", "/v1/workers/:id/shutdown", ScopeAdmin, false, s.shutdownWorker},
		{"POST", "/v1/workers/:id/credential", ScopeWork, true, s.rotate},

		{"POST", "/v1/tokens", ScopeAdmin, false, s.createToken},
		{"GET", "/v1/tokens", ScopeAdmin, false, s.listTokens},
		{"DELETE", "/v1/tokens/:token", ScopeAdmin, false, s.revokeToken},
		{"POST", "/v1/enrol", ScopeEnrol, true, s.enrol},

		{"GET", "/v1/ping", scopeAny, true, s.ping},
		{"GET", "/v1/backup", ScopeAdmin, false, s.backup},

		{"GET", "/metrics", ScopeRead, true, s.metrics},
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
	for _, rt := range s.routes() {
		answer := s.answer(rt.handle)
		if !rt.quiet {
			answer = otel.Handler(answer, s.traced(rt))
		}
		// The token comes before the span: who may not call cannot fill a collector.
		h := s.answer(func(w http.ResponseWriter, r *http.Request) error {
			r, err := s.authorize(rt.scope, r)
			if err == nil {
				answer.ServeHTTP(w, r)
			}
			return err
		})
		e.Add(rt.method, rt.path, func(c echo.Context) error {
			r := c.Request()
			for i, name := range c.ParamNames() {
				r.SetPathValue(name, pathValue(r, c.ParamValues()[i]))
			}
			h.ServeHTTP(c.Response(), r)
			return nil
		})
	}
	return bounded(e)
}

// pathValue is a path parameter as it was meant. The router takes the path as
// it was sent where that is not how Go would write it, such as %3A for a colon.
func pathValue(r *http.Request, param string) string {
	if r.URL.RawPath == "" {
		return param
	}
	value, err := url.PathUnescape(param)
	if err != nil {
		return param // the handler refuses the %
	}
	return value
}

// bounded gives every request its deadlines, also those that have no route:
// what an earlier request of the connection has set is not theirs.
func bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deadlines := http.NewResponseController(w)
		if r.ContentLength != 0 { // where there is no body, a read deadline would only end the wait for an answer
			_ = deadlines.SetReadDeadline(time.Now().Add(callTimeout)) // not every connection has deadlines
		}
		_ = deadlines.SetWriteDeadline(time.Now().Add(callTimeout)) // as above; calls that wait move theirs
		h.ServeHTTP(w, r)
	})
}

// answer is the one way in which errors are answered.
func (s *Server) answer(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := &firstWrite{ResponseWriter: w}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { // it has been dealt with
				panic(p)
			}
			e := s.problem(r, panicked(p))
			if began.done {
				panic(http.ErrAbortHandler) // half an answer must not look whole
			}
			replyProblem(w, e)
		}()
		if err := h(began, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// firstWrite knows whether an answer has begun.
type firstWrite struct {
	http.ResponseWriter
	done bool
}

func (w *firstWrite) WriteHeader(status int) {
	w.done = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *firstWrite) Write(p []byte) (int, error) {
	w.done = true
	return w.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (w *firstWrite) Unwrap() http.ResponseWriter { return w.ResponseWriter }

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

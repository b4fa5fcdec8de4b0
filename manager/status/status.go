// Package status serves how a worker stands, over HTTP: /livez and /readyz for
// whoever watches it, /metrics, and /v1/status with the runs in hand. The calls
// are in openapi.yaml beside it, which it serves as well.
//
// The one idea: every answer is made of one reading of the worker, taken when it
// is asked for. Nothing is kept, nothing can be changed from outside, and no
// reading holds variables, results or secrets.
//
// A [Surface] ends when its context does. What goes wrong with it never touches
// the worker.
package status

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/pullrun/pullrun/api"
)

// OpenAPI is the document of the calls.
//
//go:embed openapi.yaml
var OpenAPI []byte

const (
	callTimeout = 10 * time.Second
	maxHeader   = 8 << 10
)

// Config says what is served, and where.
type Config struct {
	// Listen is the address, or Auto.
	Listen string
	// Read takes a reading of the worker. It must not block for long.
	Read func() api.WorkerStatus
	// Metrics answers scrapes.
	Metrics http.Handler
}

// A Surface is what a worker serves.
type Surface struct {
	cfg      Config
	log      *slog.Logger
	listener net.Listener
	http     *http.Server
}

// New listens. Nothing is served before Run. The error of an address that is
// taken says what to do about it; with Auto and no port free it is ErrNoPort.
func New(cfg Config, log *slog.Logger) (*Surface, error) {
	l, err := listen(cfg.Listen)
	if err != nil {
		return nil, err
	}
	s := &Surface{cfg: cfg, log: log.With("component", "status"), listener: l}
	s.http = &http.Server{
		Handler:     s.router(),
		ReadTimeout: callTimeout, WriteTimeout: callTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Addr is the address that is listened on.
func (s *Surface) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends, which is not an error. It is called once.
func (s *Surface) Run(ctx context.Context) error {
	served := make(chan error, 1) // Serve's
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	_ = s.http.Close() // nothing that is read here is worth a wait
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close lets go of the address when Run is not called.
func (s *Surface) Close() error { return s.listener.Close() }

type route struct {
	path   string
	handle func(http.ResponseWriter, *http.Request) error
}

func (s *Surface) routes() []route {
	return []route{
		{"/livez", s.livez},
		{"/readyz", s.readyz},
		{"/metrics", s.metrics},
		{"/v1/status", s.status},
		{"/openapi.yaml", s.openapi},
	}
}

func (s *Surface) router() http.Handler {
	e := echo.New()
	e.HideBanner = true
	e.HTTPErrorHandler = func(err error, c echo.Context) { refuse(c.Response(), unrouted(err, c.Request())) }
	local := isLoopback(s.Addr().String())
	for _, rt := range s.routes() {
		e.GET(rt.path, func(c echo.Context) error {
			if r := c.Request(); local && !isLoopback(r.Host) {
				return api.Errorf(api.CodeForbidden, "only this machine may ask, by a loopback address; the request names %q", r.Host)
			}
			return rt.handle(c.Response(), c.Request())
		})
	}
	return e
}

func (s *Surface) livez(w http.ResponseWriter, _ *http.Request) error {
	r := s.cfg.Read()
	if len(r.Stalled) > 0 {
		return api.Errorf(api.CodeUnavailable, "%s", because(stalled(r.Stalled)))
	}
	return reply(w, health{"ok", r.Version})
}

func (s *Surface) readyz(w http.ResponseWriter, _ *http.Request) error {
	r := s.cfg.Read()
	if !r.Ready {
		return api.Errorf(api.CodeUnavailable, "%s", because(r.NotReady...))
	}
	return reply(w, health{"ok", r.Version})
}

func (s *Surface) metrics(w http.ResponseWriter, r *http.Request) error {
	s.cfg.Metrics.ServeHTTP(w, r)
	return nil
}

func (s *Surface) status(w http.ResponseWriter, _ *http.Request) error {
	return reply(w, s.cfg.Read())
}

func (s *Surface) openapi(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(OpenAPI) // the caller has gone
	return nil
}

type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
}

func reply(w http.ResponseWriter, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(raw) // the caller has gone
	return nil
}

// unrouted turns the router's errors into ours.
func unrouted(err error, r *http.Request) *api.Error {
	var e *api.Error
	var he *echo.HTTPError
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &he) && he.Code == http.StatusMethodNotAllowed:
		return api.Errorf(api.CodeMethodNotAllowed, "%s does not take %s", r.URL.Path, r.Method)
	case errors.As(err, &he) && he.Code == http.StatusNotFound:
		return api.Errorf(api.CodeNotFound, "no call %s %s; the calls are in /openapi.yaml", r.Method, r.URL.Path)
	}
	return api.Errorf(api.CodeInternal, "internal error: %w", err)
}

func refuse(w http.ResponseWriter, e *api.Error) {
	raw, err := json.Marshal(e)
	if err != nil {
		panic(err) // a struct of text and numbers
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(e.Status)
	_, _ = w.Write(raw) // the caller has gone
}

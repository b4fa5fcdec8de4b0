// Package server is what workers poll and clients submit to: a durable queue
// of runs with leases, results and cancellation, over HTTP.
//
// The server itself remembers nothing that matters. Everything a caller was
// told is in the store before the answer is sent; what the server adds is
// waiting. A parked poll and a waiting reader are woken by events, through the
// hub, so an idle server does no work, and a run reaches a free worker the
// moment it is committed.
//
// [Server.Run] serves until its context ends. It then answers the parked polls
// at once, finishes the requests under way, and releases nothing that is
// running: the workers go on, and report to the server that comes next.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pullrun/pullrun/otel/forward"
	"github.com/pullrun/pullrun/otel/meter"
	"github.com/pullrun/pullrun/server/store"
)

// callTimeout bounds reading a call's body, besides what a large one takes on a
// slow path, and writing its answer once the call has done waiting.
const callTimeout = 30 * time.Second

// Config is what a server keeps to.
type Config struct {
	// Listen is the address to listen on, such as "127.0.0.1:8080". Port 0
	// picks a free one.
	Listen string
	// Listener is served in the place of Listen, for connections that are no
	// TCP. It may be nil.
	Listener net.Listener
	// CertFile and KeyFile are the server's certificate and key in PEM form.
	// Without them the server speaks plain HTTP. They are read again when they
	// have changed.
	CertFile, KeyFile string
	// ClientCAFile names the authorities, in PEM form, one of which must have
	// signed the certificate that a caller shows. Empty asks for none. It is
	// read again as well.
	ClientCAFile string
	// Tokens are who may call. Without any, everybody may, and Listen must be
	// a loopback address unless Anonymous says that this is meant.
	Tokens    []Token
	Anonymous bool
	// Credential is how long a worker's credential is good for. A worker replaces
	// its own in the middle of that time.
	Credential time.Duration
	// Hold is how long a poll is held when there is nothing to send. It is
	// shortened to three quarters of Lease, within which an idle worker must
	// poll again to keep its session.
	Hold time.Duration
	// Lease is how long a worker keeps its runs without being heard of, and
	// Renew how often it should send heartbeats. Renew must be well below
	// Lease.
	Lease, Renew time.Duration
	// MaxAttempts is how many workers may be lost while running a run that
	// does not say itself.
	MaxAttempts int
	// MaxBody and MaxResult bound, in bytes, a call's body and a run's result.
	MaxBody, MaxResult int64
	// MaxPolls is how many polls may be parked at the same time.
	MaxPolls int
	// MaxReaders is how many calls may follow runs or wait for their end at the
	// same time, half of them with one token. Zero is no limit.
	MaxReaders int
	// Rate is how many calls a token may make in a second, other than those
	// of a worker. Zero is no limit.
	Rate int
	// Retention is how long what has ended is kept.
	Retention store.Retention
	// Forwarder takes what workers export through the server. Nil forwards
	// nothing. Whoever made it runs it, until the server has ended.
	Forwarder *forward.Forwarder
	// ShutdownTimeout is how long requests under way may take to finish when
	// the server ends.
	ShutdownTimeout time.Duration
	// IgnoreUnsampledParent has the traces of runs recorded although their
	// submitters do not record them.
	IgnoreUnsampledParent bool
	// TraceURL is where people look at a trace, with {trace} for its id. It
	// may be empty.
	TraceURL string
	// Version is told to whoever asks.
	Version string
	// OpenAPI is the document that /openapi.yaml serves.
	OpenAPI []byte
	// Metrics answers scrapes of /metrics. Nil answers that there are none.
	Metrics http.Handler
}

// A Server serves one store.
type Server struct {
	config    atomic.Pointer[Config] // see Adjust
	store     *store.Store
	log       *slog.Logger
	tokens    *authenticator
	pace      atomic.Pointer[pace]
	meter     *meter.ServerMeter
	counted   counted
	turned    atomic.Pointer[time.Time] // when sweep last came round
	hub       *hub
	listener  net.Listener
	http      *http.Server
	pings     atomic.Int32 // that wait
	admitted  admitted
	exporters exporters
	running   atomic.Bool   // or has been
	ending    chan struct{} // closed when Run is told to stop

	recording chan struct{} // holds a token while a worker's events are recorded
	decoding  gate          // of large bodies
}

// New checks cfg and listens. It serves nothing before Run, but the address is
// taken, and [Server.Addr] known.
func New(cfg Config, st *store.Store, log *slog.Logger) (*Server, error) {
	s := &Server{store: st, log: log.With("component", "server"), hub: newHub(st.Publish), ending: make(chan struct{}), recording: make(chan struct{}, 1), decoding: make(gate, maxDecoding)}
	s.config.Store(&cfg)
	s.tokens = newAuthenticator(st, s.log)
	if len(cfg.Tokens) == 0 && !cfg.Anonymous && !loopback(cfg.Listen) {
		return nil, fmt.Errorf("listen on %s: without tokens anybody who can reach the server could run pipelines; set tokens, or listen on 127.0.0.1", cfg.Listen)
	}
	if err := s.Adjust(cfg); err != nil {
		return nil, err
	}
	var err error
	if s.meter, err = meter.NewServer(s.reading); err != nil {
		return nil, fmt.Errorf("measure this server: %w", err)
	}
	s.http = &http.Server{
		Handler:           s.router(),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	silent := &strangers{conns: make(map[net.Conn]bool)}
	s.http.ConnState = silent.note
	s.http.RegisterOnShutdown(silent.close)
	if s.http.TLSConfig, err = cfg.TLS(s.log); err != nil {
		return nil, err
	}
	if s.listener = cfg.Listener; s.listener != nil {
		return s, nil
	}
	if s.listener, err = net.Listen("tcp", cfg.Listen); errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w; is another server running?", err)
	} else if err != nil {
		return nil, err
	}
	return s, nil
}

// Addr is the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL is where this machine reaches the server.
func (s *Server) URL() string {
	scheme := "http"
	if s.cfg().CertFile != "" {
		scheme = "https"
	}
	return scheme + "://" + s.Addr().String()
}

// Run serves until ctx ends, which is not an error, or until it cannot. It
// returns when every request has been answered, or cut after ShutdownTimeout,
// and every goroutine has ended. It is called once.
func (s *Server) Run(ctx context.Context) error {
	if s.running.Swap(true) {
		return errors.New("server: Run was called before")
	}
	defer func() { _ = s.meter.Stop() }() // it has been registered
	if len(s.cfg().Tokens) == 0 {
		s.log.WarnContext(ctx, "no tokens are configured: everybody who reaches this server may do everything", "addr", s.Addr().String())
	}
	if err := s.resume(ctx); err != nil {
		_ = s.listener.Close() // nothing was served
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("take up the runs of before: %w", err)
	}
	s.log.InfoContext(ctx, "serving", "addr", s.Addr().String(), "tls", s.cfg().CertFile != "", "store", s.store.Kind(), "version", s.cfg().Version)

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var background sync.WaitGroup
	background.Go(func() { s.sweep(ctx) })
	background.Go(func() { s.retain(ctx) })
	background.Go(func() { s.store.Listen(ctx, s.heard) })
	damaged := make(chan error, 1) // check sends at most once
	if s.store.Suspect() {
		background.Go(func() { s.check(ctx, damaged) })
	}
	served := make(chan error, 1) // Serve sends once
	go func() { served <- s.listen() }()

	var failure error
	select {
	case <-ctx.Done():
	case <-s.store.Failed():
		failure = fmt.Errorf("the store cannot be trusted any more, ending: %w", s.store.Err())
	case failure = <-damaged:
	case failure = <-served:
		served <- failure
	}
	s.log.InfoContext(ctx, "stopping: requests are finished, and what is running goes on at the workers")
	close(s.ending) // parked polls and waiting readers are answered now
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg().ShutdownTimeout)
	defer cancel()
	if err := s.http.Shutdown(within); err != nil {
		s.log.WarnContext(ctx, "requests did not finish in time and are cut", "err", err)
		_ = s.http.Close() // Shutdown's error has been logged
	}
	if err := <-served; failure == nil && !errors.Is(err, http.ErrServerClosed) {
		failure = err
	}
	stop()
	background.Wait()
	if errors.Is(failure, http.ErrServerClosed) {
		return nil
	}
	return failure
}

// resume takes up the runs and the workers of the server before this one.
func (s *Server) resume(ctx context.Context) error {
	if err := s.store.Resume(ctx, s.store.Now()); err != nil {
		return err
	}
	workers, err := s.store.Workers(ctx, s.store.Now())
	if err != nil {
		return err
	}
	for _, w := range workers {
		s.hub.announce(w.Worker, offerOf(w.Session, w.Queues, w.Labels, w.Pipelines))
	}
	return nil
}

// check reads the store through and says so if it is damaged.
func (s *Server) check(ctx context.Context, damaged chan<- error) {
	began := time.Now()
	s.log.InfoContext(ctx, "the store was not closed, checking it")
	if err := s.store.Check(ctx); ctx.Err() != nil {
		return
	} else if err != nil {
		damaged <- err
		return
	}
	s.log.InfoContext(ctx, "the store is sound", "took", time.Since(began))
}

func (s *Server) listen() error {
	l := &accepting{Listener: s.listener, log: s.log}
	if s.http.TLSConfig != nil {
		return s.http.ServeTLS(l, "", "")
	}
	return s.http.Serve(l)
}

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// statusEvery is how often the service manager is told anew how things stand.
const statusEvery = 10 * time.Second

// A supervisor is the service manager that has started this process and wants
// to be told of it: systemd, by sd_notify(3). A nil one is nobody.
type supervisor struct {
	conn     *net.UnixConn
	watchdog time.Duration // how long it may hear nothing; zero is for ever
	log      *slog.Logger
	ready    atomic.Bool   // it has been told so
	news     chan struct{} // asks for a look; has room for one
}

// newSupervisor reads NOTIFY_SOCKET and WATCHDOG_USEC, and takes them out of the
// environment, since they are not for the children of this process.
func newSupervisor(log *slog.Logger) *supervisor {
	path, usec, pid := os.Getenv("NOTIFY_SOCKET"), os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID")
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(name) // it fails for names that are none
	}
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		log.Warn("the service manager cannot be told how this process stands", "err", err)
		return nil
	}
	s := &supervisor{conn: conn, log: log, news: make(chan struct{}, 1)}
	if n, err := strconv.ParseInt(usec, 10, 64); err == nil && n > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		s.watchdog = time.Duration(n) * time.Microsecond
	}
	return s
}

// tell sends assignments such as READY=1. A service manager that has gone is no
// concern of ours.
func (s *supervisor) tell(assignments ...string) {
	if s == nil {
		return
	}
	if _, err := s.conn.Write([]byte(strings.Join(assignments, "\n"))); err != nil {
		s.log.Debug("service manager is not reached", "err", err)
	}
}

// look has the service manager told at once how the process stands.
func (s *supervisor) look() {
	if s == nil {
		return
	}
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// vitals are what a service manager is shown: whether the process has become
// ready, a line for people, and the loops that do not turn any more.
type vitals struct {
	ready   bool
	line    string
	stalled []string
}

// attend says when the process is ready, and how it stands until ctx ends, and
// then that it is stopping. Until it is ready it asks for more time, for however
// long that takes. A process with a loop that does not turn is silent, so that it
// is restarted; one that has lost contact is not.
func (s *supervisor) attend(ctx context.Context, read func() vitals) {
	if s == nil {
		return
	}
	defer s.conn.Close()
	every := statusEvery
	if s.watchdog > 0 {
		every = min(every, s.watchdog/3)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	said, failing := "", false
	for {
		now := read()
		var news []string
		switch {
		case len(now.stalled) > 0:
			if !failing {
				s.log.Error("a loop does not turn any more, the watchdog is not fed", "loop", strings.Join(now.stalled, ","))
			}
		case s.ready.Load():
			news = append(news, "WATCHDOG=1")
		case now.ready:
			s.ready.Store(true)
			news = append(news, "READY=1")
		default:
			news = append(news, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (3*every).Microseconds()))
		}
		failing = len(now.stalled) > 0
		if now.line != said {
			news = append(news, "STATUS="+now.line)
			said = now.line
		}
		if len(news) > 0 {
			s.tell(news...)
		}
		select {
		case <-tick.C:
		case <-s.news:
		case <-ctx.Done():
			s.tell("STOPPING=1", "STATUS=stopping")
			return
		}
	}
}

// reloading says that settings are read anew, and the function that it returns
// that this is over. A process that is starting still says neither.
func (s *supervisor) reloading() (done func()) {
	if s == nil || !s.ready.Load() {
		return func() {}
	}
	s.tell("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", monotonic().Microseconds()))
	return func() { s.tell("READY=1") }
}

// vitals are a worker's. It is ready when it has registered.
func (w *workplace) vitals() vitals {
	r := w.status()
	line := fmt.Sprintf("%d of %d slots in use", r.Slots.Used, r.Slots.Limit)
	if !r.Ready {
		line += "; not ready: " + strings.Join(r.NotReady, "; ")
	}
	return vitals{ready: r.Contact.Registered, line: line, stalled: r.Stalled}
}

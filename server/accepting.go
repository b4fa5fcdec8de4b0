package server

import (
	"errors"
	"log/slog"
	"net"
	"time"
)

// acceptWarned is how often the log warns that connections are not accepted.
const acceptWarned = time.Minute

// An accepting listener says so when connections are not accepted, such as for
// want of file descriptors. net/http tries again by itself.
type accepting struct {
	net.Listener
	log *slog.Logger

	// Only the goroutine that accepts has these.
	since, warned time.Time // zero while all is well
}

// Accept is called by one goroutine.
func (a *accepting) Accept() (net.Conn, error) {
	conn, err := a.Listener.Accept()
	switch now := time.Now(); {
	case errors.Is(err, net.ErrClosed):
	case err == nil && !a.since.IsZero():
		a.log.Info("connections are accepted again", "took", now.Sub(a.since))
		a.since, a.warned = time.Time{}, time.Time{}
	case err != nil && now.Sub(a.warned) >= acceptWarned:
		if a.since.IsZero() {
			a.since = now
		}
		a.warned = now
		a.log.Warn("connections are not accepted", "err", err)
	}
	return conn, err
}

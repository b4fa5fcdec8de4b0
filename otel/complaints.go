package otel

import (
	"log/slog"
	"sync"
	"time"

	otelapi "go.opentelemetry.io/otel"
)

// complaintInterval is the least time between two log lines.
const complaintInterval = time.Minute

// complaints is the error handler of the OpenTelemetry API. A collector that
// is down makes an error of every batch; it logs the first and then at most
// one a minute, with how many there were since the line before.
type complaints struct {
	log *slog.Logger

	mu     sync.Mutex // guards what follows
	logged time.Time  // when the last line was
	count  int        // errors since
	last   error      // the last of them
}

// hear has the API and the SDK say what they have to say in a log, without
// secrets; nil drops it. It comes before anything of theirs is made, for that may
// complain of what it is made of.
func hear(log *slog.Logger, redactor *Redactor) *complaints {
	registerHeaders(redactor)
	to := slog.New(slog.DiscardHandler)
	if log != nil {
		to = slog.New(redactor.LogHandler(log.Handler()))
	}
	ignoreNonsense(to)
	c := &complaints{log: to}
	otelapi.SetErrorHandler(c)
	otelapi.SetLogger(newSDKLog(to))
	return c
}

// Handle implements the API's ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	c.last = err
	if c.logged.IsZero() || time.Since(c.logged) >= complaintInterval {
		c.write()
	}
}

// flush logs what has been held back.
func (c *complaints) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count > 0 {
		c.write()
	}
}

// write is called with mu held.
func (c *complaints) write() {
	c.log.Warn("exports may be incomplete", "err", c.last, "count", c.count)
	c.logged, c.count, c.last = time.Now(), 0, nil
}

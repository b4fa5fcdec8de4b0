package manager

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/pullrun/pullrun/api"
)

// seldomly is the least time between two log lines of one kind.
const seldomly = time.Minute

// seldom is a log of what a server can bring about as often as it likes: of
// lines with one message and one result code it writes the first and then one a
// minute, with how many there were since the line before.
type seldom struct {
	slog.Handler

	mu   sync.Mutex
	said map[string]*saying // by message and code, which are few
}

type saying struct {
	at    time.Time // of the line before
	count int       // since
}

// Handle implements slog.Handler.
func (s *seldom) Handle(ctx context.Context, r slog.Record) error {
	kind := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if rc, ok := a.Value.Any().(api.RC); ok {
			kind += " " + string(rc)
		}
		return true
	})
	if n := s.count(kind); n > 0 {
		r.AddAttrs(slog.Int("count", n))
		return s.Handler.Handle(ctx, r)
	}
	return nil
}

// count is how many lines of a kind the next one stands for, or zero if it is not
// time for one.
func (s *seldom) count(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.said[kind]
	if one == nil {
		one = new(saying)
		s.said[kind] = one
	}
	one.count++
	if !one.at.IsZero() && time.Since(one.at) < seldomly {
		return 0
	}
	n := one.count
	*one = saying{at: time.Now()}
	return n
}

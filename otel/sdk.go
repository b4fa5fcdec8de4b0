package otel

import (
	"log/slog"
	"sync"
	"time"

	"github.com/go-logr/logr"
)

// sdkWarn is the level of warnings in the SDK's logger, where a higher one matters
// less. See SetLogger of the API.
const sdkWarn = 1

// sdkSays is what the SDK says of itself, on its way to our log: errors and
// warnings, each of them at most once a minute. What it says of every tracer and
// meter that it makes is left out.
type sdkSays struct {
	log *slog.Logger

	mu     sync.Mutex
	logged map[string]time.Time // when a message was; guarded by mu
}

// newSDKLog is a logger for the API's SetLogger.
func newSDKLog(log *slog.Logger) logr.Logger {
	return logr.New(&sdkSays{log: log, logged: make(map[string]time.Time)})
}

// Init implements [logr.LogSink], as do the others.
func (s *sdkSays) Init(logr.RuntimeInfo) {}

func (s *sdkSays) Enabled(level int) bool { return level <= sdkWarn }

func (s *sdkSays) Info(_ int, msg string, about ...any) {
	if s.due(msg) {
		s.log.Warn(msg, about...)
	}
}

func (s *sdkSays) Error(err error, msg string, about ...any) {
	if s.due(msg) {
		s.log.With("err", err).Error(msg, about...)
	}
}

// due reports whether a message may be logged now.
func (s *sdkSays) due(msg string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.logged[msg]; ok && time.Since(last) < complaintInterval {
		return false
	}
	s.logged[msg] = time.Now()
	return true
}

func (s *sdkSays) WithValues(about ...any) logr.LogSink {
	return &sdkSays{log: s.log.With(about...), logged: make(map[string]time.Time)}
}

func (s *sdkSays) WithName(string) logr.LogSink { return s }

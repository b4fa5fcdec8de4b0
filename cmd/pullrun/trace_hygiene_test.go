package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/oteltest"
)

// Secrets are planted wherever a run can carry them. None is in any byte that
// leaves a process, and what is told instead is there.
func TestNoSecretIsExported(t *testing.T) {
	t.Parallel()
	const (
		given = "planted-in-the-variables-4711" // in variables, URLs and headers
		known = "planted-in-the-environment-4712"
	)
	r := oteltest.NewReceiver(t)
	s := newTracedSite(t, r)
	s.server()
	leaky, err := filepath.Abs("testdata/leaky")
	if err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "PLANTED_IN_THE_ENVIRONMENT="+known)
	s.worker("w", leaky)
	g := newGate(t)
	g.letGo()
	run := s.runs(exitFailed, "leaky", "--set", "given="+given, "--set", "host="+strings.TrimPrefix(g.URL, "http://"))
	g.waits(t, 1)
	s.end()
	raw := r.Raw()
	for _, secret := range []string{given, known, testToken} {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte("me:" + secret))} {
			if i := bytes.Index(raw, []byte(form)); i >= 0 {
				t.Errorf("a secret was exported: %q", raw[max(0, i-80):min(len(raw), i+80)])
			}
		}
	}
	told := ""
	for _, span := range r.Spans() {
		if span.TraceID == run.TraceID {
			told += fmt.Sprintln(span.Name, span.Attributes["url.full"], span.Message, span.Events)
		}
	}
	for _, want := range []string{"GET http://", "?key=REDACTED", "more=REDACTED", "ValueError: call http://"} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not told:\n%s", want, told)
		}
	}
}

// exportPatience is how long a process may take to end beside a collector in
// trouble: 3 s for its last exports, as docs/tracing.md says, and half a second for
// all the rest. Under the race detector, which makes the processes slower and has
// the tests compete for the machine, it is half as much again.
const exportPatience = 3500 * time.Millisecond * raceFactor / 2

// Whatever becomes of the collector, runs end as ever, and so do the processes.
func TestACollectorInTroubleHurtsNoRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		trouble func(*oteltest.Receiver)
	}{
		{"refuses", func(r *oteltest.Receiver) { r.Refuse(http.StatusServiceUnavailable) }},
		{"never answers", (*oteltest.Receiver).Hang},
		{"is slow", func(r *oteltest.Receiver) { r.Slow(10 * time.Second) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := oteltest.NewReceiver(t)
			tt.trouble(r)
			s := newTracedSite(t, r)
			s.env = slices.DeleteFunc(s.env, func(pair string) bool { return strings.HasPrefix(pair, "OTEL_EXPORTER_") })
			srv := s.server()
			w := s.worker("w") // which exports through the server
			w.says("spans are exported through the server")
			for range 5 {
				run := s.submit(api.Submit{Pipeline: "give", Variables: json.RawMessage(`{"value":1}`)})
				s.ended(run.Cookie, api.StateSucceeded)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := r.WaitRequests(ctx, 1); err != nil {
				t.Error(err)
			}
			// The worker goes first, and leaves the server its last spans.
			for _, p := range []*process{w, srv} {
				began := time.Now()
				p.signal(syscall.SIGTERM)
				p.ends()
				if took := time.Since(began); took > exportPatience {
					t.Errorf("process %d of worker and server took %s to end, want at most %s", slices.Index([]*process{w, srv}, p), took.Round(time.Millisecond), exportPatience)
				}
			}
		})
	}
}

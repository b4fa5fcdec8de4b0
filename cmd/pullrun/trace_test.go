package main

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullrun/pullrun/otel/oteltest"
)

// With -update, TestTraces writes testdata/spans.golden, the table of attributes
// in docs/tracing.md, and the pictures beside it.
var update = flag.Bool("update", false, "write what is made of the traces")

// Whatever happens to a run, it is one whole trace, in which nothing is there
// twice.
func TestTraces(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var all []oteltest.Span // of all scenarios; guarded by mu
	played := 0
	t.Run("when", func(t *testing.T) {
		for _, tt := range scenarios {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				spans := tt.run(t, oteltest.NewReceiver(t))
				if *update && tt.picture != "" {
					tt.draw(t, spans)
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, spans...)
				played++
			})
		}
	})
	if played == len(scenarios) { // and not only those that somebody looks into
		checkShapes(t, all)
	}
}

// draw writes the picture of a trace that docs/tracing.md shows.
func (tt scenario) draw(t *testing.T, spans []oteltest.Span) {
	t.Helper()
	file := filepath.Join("../../docs/traces", strings.ReplaceAll(tt.name, " ", "-")+".svg")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(oteltest.SVG(tt.picture, spans)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The same holds for what a real Jaeger makes of the spans. "make jaeger" says
// where it is.
func TestTracesInJaeger(t *testing.T) {
	program := built(t, "jaeger")
	t.Parallel()
	for _, tt := range scenarios {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, oteltest.StartJaeger(t, program))
		})
	}
}

// built is a program that only its target of the Makefile builds. A test that
// wants it is left out where it is not named.
func built(t *testing.T, target string) string {
	t.Helper()
	name := "PULLRUN_TEST_" + strings.ToUpper(target)
	program := os.Getenv(name)
	if program == "" {
		t.Skipf("%s does not name a program; make %s builds it and runs this", name, target)
	}
	return program
}

// run plays the scenario and looks at its trace.
func (tt scenario) run(t *testing.T, b backend) []oteltest.Span {
	t.Helper()
	s := newTracedSite(t, b)
	id := tt.play(s)
	s.end()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var missing error
	all, err := b.Trace(ctx, id, func(all []oteltest.Span) bool {
		if tt.late {
			all = withoutWarning(all, "clock skew")
		}
		missing = errors.Join(oteltest.Check(all), tt.check(all))
		return missing == nil
	})
	if err != nil {
		t.Fatalf("%v\n%v", missing, err)
	}
	if tt.tree != "" {
		oteltest.AssertTree(t, all, tt.tree)
	}
	return all
}

// withoutWarning are the spans without the warnings that hold the text.
func withoutWarning(all []oteltest.Span, text string) []oteltest.Span {
	all = slices.Clone(all)
	for i := range all {
		all[i].Warnings = slices.DeleteFunc(slices.Clone(all[i].Warnings), func(w string) bool { return strings.Contains(w, text) })
	}
	return all
}

func TestAnIdleWorkerIsSilent(t *testing.T) {
	t.Parallel()
	r := oteltest.NewReceiver(t)
	s := newTracedSite(t, r)
	s.server()
	var polls atomic.Int64
	target, err := url.Parse("http://" + s.addr)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/poll") {
			polls.Add(1)
		}
		forward.ServeHTTP(w, r)
	})}
	addr := serveOn(t, &proxy)
	s.env[0] = "PULLRUN_SERVER_URL=http://" + addr
	w := s.worker("w")
	before := len(strings.Split(w.log(), "\n"))
	<-time.After(10 * time.Second) // this is what is tested: that nothing happens
	if n := polls.Load(); n > 1 {
		t.Errorf("%d polls in 10 s with a hold of 25 s, want 1", n)
	}
	for _, line := range strings.Split(w.log(), "\n")[before:] {
		if !strings.Contains(line, `"level":"DEBUG"`) {
			t.Errorf("an idle worker logs %s", line)
		}
	}
	if all := r.Spans(); len(all) > 0 {
		t.Errorf("an idle worker makes spans:\n%s", oteltest.Tree(all))
	}
}

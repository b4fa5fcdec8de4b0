package manager_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/manager"
)

// What is refused while nobody takes the answers is bounded in memory and in the
// log, stops the worker from asking for more, and is forgotten when the answers
// are taken.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		const sent = 5000
		long := strings.Repeat("q", 10<<10)
		away := make(chan struct{})
		srv := &server{script: func(ctx context.Context, _ []api.Result) ([]api.Verdict, error) {
			select {
			case <-away:
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}
		var log bytes.Buffer
		m := manager.New(manager.Config{Worker: "w", Capacity: 1, Admit: func(p api.Packet) error {
			return errors.New("not that queue: " + p.Queue)
		}}, standard, srv.report, slog.New(slog.NewTextHandler(&log, nil)))
		for i := range sent {
			p := run(fmt.Sprint("c", i), "echo")
			p.Queue = long
			if m.Handle(p) {
				t.Fatal("Handle() = true for what is refused")
			}
		}
		synctest.Wait()
		if got := m.Paused(); got != "refusals wait for the server" {
			t.Errorf("Paused() = %q while refusals wait", got)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || log.Len() > 2000 {
			t.Errorf("%d lines and %d bytes of log, want 1 and less than 2000", n, log.Len())
		}
		close(away)
		synctest.Wait()
		if got := m.Paused(); got != "" {
			t.Errorf("Paused() = %q when the answers are taken", got)
		}
		results := srv.results()
		if len(results) != 1000 {
			t.Errorf("%d answers, want 1000", len(results))
		}
		if n := len(results[0]); n > 2000 {
			t.Errorf("an answer has %d bytes", n)
		}
		time.Sleep(time.Minute)
		m.Handle(run("last", "echo"))
		synctest.Wait()
		if got := srv.results(); len(got) != 1001 {
			t.Errorf("%d answers, want one more", len(got))
		}
		if _, last, _ := strings.Cut(log.String(), "\n"); !strings.Contains(last, "count=5000") || !strings.Contains(last, "cookie=last") {
			t.Errorf("after a minute the log has %q, want the last refusal and how many there were", last)
		}
		if err := m.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

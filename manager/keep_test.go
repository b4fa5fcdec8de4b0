package manager_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
	"github.com/pullrun/pullrun/manager/outbox"
)

const traceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// A box is an outbox whose disk may be full.
type box struct {
	*outbox.Outbox
	mu   sync.Mutex
	full bool // guarded by mu
	puts int  // guarded by mu
}

func (b *box) Put(e outbox.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts++
	if b.full {
		return errors.New("no space left on device")
	}
	return b.Outbox.Put(e)
}

func (b *box) setFull(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full = full
}

func (b *box) tries() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.puts
}

func openBox(t *testing.T, dir string, max int64) *box {
	t.Helper()
	o, err := outbox.Open(outbox.Config{Dir: dir, Max: max}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() }) // again, where a test has
	return &box{Outbox: o}
}

// startWith is start with an outbox.
func startWith(t *testing.T, b *box, s *server) *manager.Manager {
	t.Helper()
	m := manager.New(manager.Config{Worker: "w", Capacity: capacity, Grace: grace, MaxResult: 100, Outbox: b}, standard, s.report, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		_ = giveUp(m)             // what a test leaves unfinished is its own affair
		time.Sleep(2 * time.Hour) // engines that were abandoned end
	})
	return m
}

// giveUp ends a manager at once.
func giveUp(m *manager.Manager) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return m.Drain(ctx)
}

// waiting are the leases whose results are in the outbox.
func waiting(b *box) []string {
	leases := []string{}
	for _, e := range b.Entries() {
		leases = append(leases, e.Result.Cookie+" "+string(e.Result.RC)+" "+string(e.Result.Result))
	}
	slices.Sort(leases)
	return leases
}

func outage(ctx context.Context, _ []api.Result) ([]api.Verdict, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// with changes a packet.
func with(p api.Packet, change func(*api.Packet)) api.Packet {
	change(&p)
	return p
}

func TestResultsGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		dir := t.TempDir()
		b := openBox(t, dir, 1<<20)
		m := startWith(t, b, &server{script: outage})
		m.Handle(with(run("a", "echo"), func(p *api.Packet) { p.TraceParent = traceParent }))
		m.Handle(run("b", "fail"))
		m.Handle(run("c", "minute"))
		synctest.Wait()
		if m.InUse() != 1 {
			t.Errorf("%d slots in use, want one: two results are kept", m.InUse())
		}
		span := m.Holding()
		if err := giveUp(m); err == nil || err.Error() != "1 runs did not finish in time and were stopped\n3 results wait in the outbox for the next start" {
			t.Errorf("Drain() = %v", err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}

		b = openBox(t, dir, 1<<20)
		s := &server{}
		m = startWith(t, b, s)
		if got, want := holding(m), []string{"a/1", "b/1", "c/1"}; !slices.Equal(got, want) || m.InUse() != 0 {
			t.Errorf("holding %q with %d slots in use, want %q with none", got, m.InUse(), want)
		}
		for _, h := range m.Holding() {
			if !slices.Contains(span, h) {
				t.Errorf("%v is held, by another span than before: %v", h, span)
			}
		}
		synctest.Wait()
		s.expect(t) // nothing before it is told to
		m.Resume()
		m.Resume()
		s.expect(t, "a/1 OK {}", "b/1 PROCESSOR_EXCEPTION ValueError: no", "c/1 WORKER_WENT_AWAY abandoned: it did not stop within 10s: interrupted: the worker is stopping")
		if got := waiting(b); len(got) > 0 || len(m.Holding()) > 0 {
			t.Errorf("%q wait still, %v is held, want nothing", got, m.Holding())
		}
		if err := m.Drain(t.Context()); err != nil {
			t.Errorf("Drain() = %v", err)
		}
	})
}

func TestWhatWasNotPostedStays(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		b := openBox(t, t.TempDir(), 1<<20)
		_ = giveUp(func() *manager.Manager {
			m := startWith(t, b, &server{script: outage})
			m.Handle(run("a", "echo"))
			synctest.Wait()
			return m
		}())
		m := startWith(t, b, &server{script: outage})
		m.Resume()
		synctest.Wait()
		if err := giveUp(m); err == nil || err.Error() != "1 results wait in the outbox for the next start" {
			t.Errorf("Drain() in an outage = %v", err)
		}
		m = startWith(t, b, &server{})
		began := time.Now()
		if err := m.Drain(t.Context()); err == nil || err.Error() != "1 results wait in the outbox for the next start" || time.Since(began) > 0 {
			t.Errorf("Drain() before Resume = %v after %s, want it at once", err, time.Since(began))
		}
		if got, want := waiting(b), []string{"a OK {}"}; !slices.Equal(got, want) {
			t.Errorf("%q wait, want %q", got, want)
		}
	})
}

func TestEveryVerdictEmptiesTheOutbox(t *testing.T) {
	t.Parallel()
	for _, v := range []api.VerdictCode{api.VerdictAccepted, api.VerdictDuplicate, api.VerdictStale, api.VerdictRejected} {
		bubble(t, string(v), func(t *testing.T) {
			b := openBox(t, t.TempDir(), 1<<20)
			m := startWith(t, b, &server{script: func(_ context.Context, results []api.Result) ([]api.Verdict, error) {
				if got, want := waiting(b), []string{"a OK {}"}; !slices.Equal(got, want) {
					t.Errorf("%q wait while the result is posted, want %q", got, want)
				}
				verdicts := accepted(results)
				verdicts[0].Verdict = v
				return verdicts, nil
			}})
			m.Handle(run("a", "echo"))
			synctest.Wait()
			if got := waiting(b); len(got) > 0 {
				t.Errorf("%q wait still", got)
			}
		})
	}
}

// What the server does not know may be another server's.
func TestWhatTheServerDoesNotKnowIsSetAside(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		dir := t.TempDir()
		b := openBox(t, dir, 1<<20)
		m := startWith(t, b, &server{script: outage})
		for _, cookie := range []string{"a", "b", "c"} {
			m.Handle(run(cookie, "echo"))
			synctest.Wait()
		}
		if err := giveUp(m); err == nil {
			t.Fatal("nothing is left in the outbox")
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = openBox(t, dir, 1<<20)
		var said bytes.Buffer
		s := &server{script: func(_ context.Context, results []api.Result) ([]api.Verdict, error) {
			verdicts := accepted(results)
			for i := range verdicts {
				if verdicts[i].Cookie != "b" {
					verdicts[i].Verdict, verdicts[i].Detail = api.VerdictRejected, "no such run"
				}
			}
			return verdicts, nil
		}}
		m = manager.New(manager.Config{Capacity: 1, Outbox: b}, standard, s.report, slog.New(slog.NewTextHandler(&said, nil)))
		m.Resume()
		synctest.Wait()
		if got := waiting(b); len(got) > 0 {
			t.Errorf("%q wait still", got)
		}
		file := filepath.Join(dir, "results.unknown")
		raw, err := os.ReadFile(file)
		if err != nil || strings.Count(string(raw), `{"kept"`) != 2 || strings.Contains(string(raw), `"cookie":"b"`) {
			t.Errorf("%q, %v is set aside, want a and c", raw, err)
		}
		if want := "level=ERROR msg=\"results of runs that the server does not know are set aside;"; !strings.Contains(said.String(), want) || !strings.Contains(said.String(), "count=2 file="+file) {
			t.Errorf("the log is\n%s\nwant %s with the file", said.String(), want)
		}
		if err := m.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// What another database has given is not posted, and has no part in what this one
// gives, though cookie and fence be the same.
func TestWhatIsAnotherDatabasesIsSetAside(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		dir := t.TempDir()
		b := openBox(t, dir, 1<<20)
		m := startWith(t, b, &server{script: outage})
		m.Handle(run("unnamed", "echo")) // before the server says which it has
		m.Registered(api.Registered{Store: "theirs"})
		m.Handle(run("a", "echo"))
		synctest.Wait()
		m.Handle(run("b", "echo"))
		m.Registered(api.Registered{}) // an older server has the same database
		synctest.Wait()
		if err := giveUp(m); err == nil {
			t.Fatal("nothing is left in the outbox")
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}

		b = openBox(t, dir, 1<<20)
		var said bytes.Buffer
		s := &server{}
		m = manager.New(manager.Config{Capacity: 2, Outbox: b}, standard, s.report, slog.New(slog.NewTextHandler(&said, nil)))
		for _, h := range m.Holding() {
			if want := map[string]string{"a": "theirs", "b": "theirs", "unnamed": ""}[h.Cookie]; h.Store != want {
				t.Errorf("the lease of %s is of the store %q, want %q", h.Cookie, h.Store, want)
			}
		}
		m.Registered(api.Registered{Store: "ours"})
		m.Resume()
		s.expect(t, "unnamed/1 OK {}")
		if got := waiting(b); len(got) > 0 || len(m.Holding()) > 0 {
			t.Errorf("%q wait still, %v is held", got, m.Holding())
		}
		file := filepath.Join(dir, "results.unknown")
		raw, err := os.ReadFile(file)
		if err != nil || strings.Count(string(raw), `{"kept"`) != 2 || strings.Contains(string(raw), `"cookie":"unnamed"`) {
			t.Errorf("%q, %v is set aside, want a and b", raw, err)
		}
		for _, want := range []string{"level=ERROR msg=\"results of runs that the server does not know are set aside;", "it is of a run of the store theirs, and this server has ours"} {
			if !strings.Contains(said.String(), want) {
				t.Errorf("the log is\n%s\nwant %s", said.String(), want)
			}
		}

		m.Handle(run("c", "minute"))
		synctest.Wait()
		m.Registered(api.Registered{Store: "third"}) // while a run is in hand
		m.Handle(run("c", "echo"))
		s.expect(t, "unnamed/1 OK {}", "c/1 COOKIE_COLLISION this worker still holds a run of this cookie from another server's database")
		m.Leases([]api.Held{{Cookie: "c", Fence: 1, Store: "ours"}}, nil) // as the server has answered
		time.Sleep(time.Minute)
		m.Handle(run("c", "echo"))
		s.expect(t, "unnamed/1 OK {}", "c/1 COOKIE_COLLISION this worker still holds a run of this cookie from another server's database", "c/1 OK {}")
		if raw, err := os.ReadFile(file); err != nil || strings.Count(string(raw), `"store":"ours"`) != 1 {
			t.Errorf("%q, %v is set aside, want c of the store before among it", raw, err)
		}
		if err := m.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestARunThatHasEndedIsNotStopped(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		answer := make(chan struct{})
		s := &server{script: func(context.Context, []api.Result) ([]api.Verdict, error) {
			<-answer
			return nil, nil
		}}
		said := new(bytes.Buffer)
		m := manager.New(manager.Config{Capacity: 1, Outbox: openBox(t, t.TempDir(), 1<<20)}, standard, s.report,
			slog.New(slog.NewTextHandler(said, nil)))
		m.Handle(run("a", "echo"))
		synctest.Wait()
		m.Leases([]api.Held{{Cookie: "a", Fence: 1}}, nil)
		m.Handle(cancel("a"))
		if got := m.Holding(); len(got) != 1 || !got[0].Cancelling {
			t.Errorf("holding %v, want that the CANCEL has arrived", got)
		}
		close(answer)
		s.expect(t, "a/1 OK {}")
		for _, line := range []string{"lease is lost, stopping the run", "run is cancelled"} {
			if strings.Contains(said.String(), line) {
				t.Errorf("the log says %q of a run that has ended", line)
			}
		}
	})
}

func TestAnotherLeaseOfARunThatHasEnded(t *testing.T) {
	t.Parallel()
	traced := func(pipeline string, fence int64) api.Packet {
		return with(run("a", pipeline), func(p *api.Packet) { p.TraceParent, p.Fence, p.Attempt = traceParent, fence, int(fence) })
	}
	for _, tt := range []struct {
		name   string
		first  api.Packet
		second api.Packet
		want   []string
	}{
		{"success is sent again under the new fence", traced("echo", 1), traced("echo", 2), []string{"a/1 OK {}", "a/2 OK {}"}},
		{"a failure is not, the lease may be its retry", traced("fail", 1), traced("fail", 2),
			[]string{"a/1 PROCESSOR_EXCEPTION ValueError: no", "a/2 PROCESSOR_EXCEPTION ValueError: no"}},
		{"nor is that of another run of the cookie", traced("echo", 1), with(traced("echo", 2), func(p *api.Packet) { p.TraceParent = "00-11111111111111111111111111111111-b7ad6b7169203331-01" }),
			[]string{"a/1 OK {}", "a/2 COOKIE_COLLISION this worker still holds fence 1 of the run"}},
		{"nor what no trace tells apart", with(traced("echo", 1), func(p *api.Packet) { p.TraceParent = "" }), with(traced("echo", 2), func(p *api.Packet) { p.TraceParent = "" }),
			[]string{"a/1 OK {}", "a/2 COOKIE_COLLISION this worker still holds fence 1 of the run"}},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			b := openBox(t, t.TempDir(), 1<<20)
			answer := make(chan struct{})
			s := &server{script: func(context.Context, []api.Result) ([]api.Verdict, error) {
				<-answer
				return nil, nil
			}}
			m := startWith(t, b, s)
			m.Handle(tt.first)
			synctest.Wait()
			m.Handle(tt.second)
			m.Handle(tt.second) // its acknowledgement was lost
			synctest.Wait()
			close(answer)
			want := tt.want
			if strings.Contains(want[1], "COOKIE_COLLISION") {
				want = append(slices.Clone(want), want[1]) // a refusal is repeated
			}
			s.expect(t, want...)
			if got := waiting(b); len(got) > 0 || len(m.Holding()) > 0 {
				t.Errorf("%q wait still, %v is held", got, m.Holding())
			}
		})
	}
}

func TestASuccessThatCameTooLateIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	lease := func(pipeline string, fence int64) api.Packet {
		return with(run("a", pipeline), func(p *api.Packet) { p.TraceParent, p.Fence = traceParent, fence })
	}
	for _, tt := range []struct {
		name     string
		pipeline string
		after    time.Duration
		want     string // of fence 2
		runs     int
	}{
		{"a success", "once", time.Minute, "a/2 OK 1", 1},
		{"a success of long ago", "once", 2 * time.Hour, "a/2 OK 2", 2},
		{"a failure", "fails", time.Minute, "a/2 EXCEPTION failure 2", 2},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			runs := 0
			s := &server{script: func(_ context.Context, results []api.Result) ([]api.Verdict, error) {
				if results[0].Fence > 1 {
					return nil, nil
				}
				verdicts := accepted(results)
				verdicts[0].Verdict = api.VerdictStale
				return verdicts, nil
			}}
			m := start(t, pipelines{"once": func(context.Context, engine.Input) (engine.Output, error) {
				runs++
				return engine.Output{Result: fmt.Append(nil, runs)}, nil
			}, "fails": func(context.Context, engine.Input) (engine.Output, error) {
				runs++
				return engine.Output{}, fmt.Errorf("failure %d", runs)
			}}, s)
			m.Handle(lease(tt.pipeline, 1))
			time.Sleep(tt.after)
			m.Handle(lease(tt.pipeline, 2))
			s.expect(t, tt.want)
			if runs != tt.runs || len(m.Holding()) > 0 {
				t.Errorf("the pipeline ran %d times and %v is held, want %d times and nothing", runs, m.Holding(), tt.runs)
			}
		})
	}
}

func TestAFullDiskStopsTheWorkAndLosesNothing(t *testing.T) {
	t.Parallel()
	bubble(t, "until there is room", func(t *testing.T) {
		b := openBox(t, t.TempDir(), 1<<20)
		s := &server{script: outage}
		m := startWith(t, b, s)
		b.setFull(true)
		m.Handle(run("a", "echo"))
		synctest.Wait()
		if m.InUse() != 1 || m.Paused() != "a result cannot be written to the outbox" {
			t.Errorf("%d slots in use, Paused() = %q, want one and that a result cannot be written", m.InUse(), m.Paused())
		}
		time.Sleep(time.Minute)
		b.setFull(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got, want := waiting(b), []string{"a OK {}"}; !slices.Equal(got, want) || m.InUse() != 0 || m.Paused() != "" {
			t.Errorf("%q wait, %d slots in use, Paused() = %q, want %q, none and nothing", got, m.InUse(), m.Paused(), want)
		}
		if n := b.tries(); n < 10 || n > 40 {
			t.Errorf("the outbox was tried %d times in a minute", n)
		}
	})
	bubble(t, "or the results have arrived", func(t *testing.T) {
		b := openBox(t, t.TempDir(), 1<<20)
		s := &server{script: func(context.Context, []api.Result) ([]api.Verdict, error) {
			time.Sleep(time.Minute)
			return nil, nil
		}}
		m := startWith(t, b, s)
		b.setFull(true)
		m.Handle(run("a", "echo"))
		synctest.Wait()
		m.Handle(run("b", "echo"))
		time.Sleep(2 * time.Minute)
		s.expect(t, "a/1 OK {}", "b/1 NO_CAPACITY this worker takes nothing for the time being: a result cannot be written to the outbox")
		if m.InUse() != 0 || m.Paused() != "" {
			t.Errorf("%d slots in use, Paused() = %q, want none and nothing", m.InUse(), m.Paused())
		}
	})
	bubble(t, "or the worker ends", func(t *testing.T) {
		b := openBox(t, t.TempDir(), 1<<20)
		m := startWith(t, b, &server{script: outage})
		b.setFull(true)
		m.Handle(run("a", "echo"))
		synctest.Wait()
		if err := giveUp(m); err == nil || err.Error() != "1 results could not be posted" {
			t.Errorf("Drain() = %v", err)
		}
	})
}

func TestAFullOutboxStopsTheWork(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		b := openBox(t, t.TempDir(), 1)
		answer := make(chan struct{})
		s := &server{script: func(context.Context, []api.Result) ([]api.Verdict, error) {
			<-answer
			return nil, nil
		}}
		m := startWith(t, b, s)
		m.Handle(with(run("a", "echo"), func(p *api.Packet) { p.Variables = json.RawMessage(`{"a":1}`) }))
		m.Handle(run("b", "minute")) // had begun before
		synctest.Wait()
		if got := m.Paused(); got != "the outbox is full" {
			t.Errorf("Paused() = %q with a full outbox", got)
		}
		close(answer)
		time.Sleep(2 * time.Minute)
		s.expect(t, `a/1 OK {"a":1}`, `b/1 OK "done"`)
		if got := m.Paused(); got != "" {
			t.Errorf("Paused() = %q although everything has been judged", got)
		}
	})
}

package feed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/manager/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A server takes what is posted, as it is told to.
type server struct {
	mu sync.Mutex
	// Guarded by mu.
	answer  func(ctx context.Context) error
	watched []string
	posts   []time.Time
	events  []api.RunEvent
}

func (s *server) post(ctx context.Context, events []api.RunEvent) (api.EventsTaken, error) {
	s.mu.Lock()
	answer := s.answer
	s.posts = append(s.posts, time.Now())
	s.mu.Unlock()
	if answer != nil {
		if err := answer(ctx); err != nil {
			return api.EventsTaken{}, err
		}
	}
	if err := (api.Events{Session: "s", Events: events}).Validate(); err != nil {
		return api.EventsTaken{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, events...)
	return api.EventsTaken{Watched: s.watched}, nil
}

func (s *server) set(answer func(context.Context) error, watched ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer, s.watched = answer, watched
}

// took gives the events of a run that have come so far.
func (s *server) took(cookie, kind string) (out []api.RunEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Cookie == cookie && e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// lines are the texts that a run has logged, as they came.
func (s *server) lines(t *testing.T, cookie string) (out []string) {
	t.Helper()
	for _, e := range s.took(cookie, api.EventLog) {
		out = append(out, decode[api.LogLine](t, e.Data).Text)
	}
	return out
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.posts)
}

func decode[T any](t *testing.T, data []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

// simulated runs a test with a feed whose time is simulated.
func simulated(t *testing.T, test func(t *testing.T, f *feed.Feed, s *server, stop func())) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		f := feed.New(s.post, func(text string) string { return strings.ReplaceAll(text, "hunter2", "REDACTED") }, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.Run(ctx) }()
		var once sync.Once
		stop := func() {
			once.Do(func() {
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("Run() = %v", err)
				}
			})
		}
		defer stop()
		test(t, f, s, stop)
	})
}

// nowhere is where a run is that has no tasks.
func nowhere() []api.TaskInHand { return nil }

// taskKey is where a context of the tests holds the task that it belongs to.
type taskKey struct{}

func taskOf(ctx context.Context) string {
	task, _ := ctx.Value(taskKey{}).(string)
	return task
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestLinesArriveInOrderAndGathered(t *testing.T) {
	t.Parallel()
	simulated(t, func(t *testing.T, f *feed.Feed, s *server, _ func()) {
		r := f.Begin(api.Held{Cookie: "c", Fence: 3}, nowhere)
		log := r.Log(quiet(), taskOf)
		ctx := context.WithValue(t.Context(), taskKey{}, "fetch")
		for i := range 100 {
			log.Log(ctx, slog.LevelWarn, "print", "pipeline", "p", "text", fmt.Sprintf("line %d hunter2", i))
			time.Sleep(10 * time.Millisecond)
		}
		log.Info("task done", "pipeline", "p", "task", "p/2", "took", time.Second, "err", "hunter2 is wrong")
		if last := r.End(); last != 101 {
			t.Errorf("End() = %d, want 101", last)
		}
		log.Info("too late")
		time.Sleep(time.Second)
		events := s.took("c", api.EventLog)
		if len(events) != 101 {
			t.Fatalf("%d lines came, want 101", len(events))
		}
		for i, e := range events[:100] {
			want := api.LogLine{Level: "warn", Task: "fetch", Text: fmt.Sprintf("line %d REDACTED", i)}
			if got := decode[api.LogLine](t, e.Data); got != want || e.N != int64(i+1) || e.Fence != 3 {
				t.Fatalf("line %d of fence %d is %+v, want %+v", e.N, e.Fence, got, want)
			}
		}
		want := api.LogLine{Level: "info", Text: "task done, took 1s, err REDACTED is wrong"}
		if got := decode[api.LogLine](t, events[100].Data); got != want {
			t.Errorf("the last line is %+v, want %+v", got, want)
		}
		if n := s.count(); n > 6 {
			t.Errorf("%d posts for a second of lines, want at most one each 250 ms", n)
		}
	})
}

// While the server is away, what is oldest goes and the gap tells how much; a
// run that logs without end leaves room for one that logs little.
func TestWhatDoesNotFitIsDropped(t *testing.T) {
	t.Parallel()
	simulated(t, func(t *testing.T, f *feed.Feed, s *server, _ func()) {
		s.set(func(context.Context) error { return errors.New("no route to host") })
		loud, still := f.Begin(api.Held{Cookie: "loud", Fence: 1}, nowhere), f.Begin(api.Held{Cookie: "still", Fence: 1}, nowhere)
		still.Log(quiet(), taskOf).Info("first")
		log := loud.Log(quiet(), taskOf)
		for i := range 100_000 {
			log.Info(fmt.Sprintf("line %d", i))
		}
		still.Log(quiet(), taskOf).Info("second")
		if last := loud.End(); last != 100_000 {
			t.Errorf("End() = %d, want 100000", last)
		}
		if waiting, dropped := f.Lines(); waiting+int(dropped) < 100_002-api.MaxEventsInOne || waiting > 3_000 {
			t.Errorf("Lines() = %d, %d, want all but what is on its way, and no more than a ring of each", waiting, dropped)
		}
		time.Sleep(time.Hour)
		if n := s.count(); n > 200 {
			t.Errorf("%d posts in an hour without a server", n)
		}
		s.set(nil)
		time.Sleep(time.Minute)
		if got := s.lines(t, "still"); strings.Join(got, " ") != "first second" {
			t.Errorf("the run that logs little has %q, want both of its lines", got)
		}
		got := s.took("loud", api.EventLog)
		if n := len(got); n < 2_000 || n > 3_200 {
			t.Errorf("%d lines of the loud run came, want as many as a ring and a post have", n)
		}
		if waiting, dropped := f.Lines(); waiting != 0 || int(dropped) != 100_000-len(got) {
			t.Errorf("Lines() = %d, %d in the end, want none and %d", waiting, dropped, 100_000-len(got))
		}
		if last := got[len(got)-1]; last.N != 100_000 || decode[api.LogLine](t, last.Data).Text != "line 99999" {
			t.Errorf("the last line is %d, %s", last.N, last.Data)
		}
	})
}

// Long texts are cut, and many of them stay within the room that all have.
func TestLongLinesAreBounded(t *testing.T) {
	t.Parallel()
	simulated(t, func(t *testing.T, f *feed.Feed, s *server, _ func()) {
		s.set(func(context.Context) error { return errors.New("no route to host") })
		for run := range 40 {
			log := f.Begin(api.Held{Cookie: fmt.Sprint("c", run), Fence: 1}, nowhere).Log(quiet(), taskOf)
			for range 70 {
				log.Info(strings.Repeat("\x01é", 7_000))
			}
		}
		s.set(nil)
		time.Sleep(10 * time.Minute)
		s.mu.Lock()
		defer s.mu.Unlock()
		bytes := 0
		for _, e := range s.events {
			bytes += len(e.Data)
			if n := len(e.Data); n > api.MaxEventDataBytes || !strings.HasSuffix(decode[api.LogLine](t, e.Data).Text, " [cut]") {
				t.Fatalf("an event has %d bytes, and may have %d with what says that it is cut", n, api.MaxEventDataBytes)
			}
		}
		if bytes > 17<<20 || bytes < 8<<20 {
			t.Errorf("%d bytes were kept, want no more than 16 MiB and a post, and not much less", bytes)
		}
	})
}

// Where a run is comes after a second, then every ten, every second while
// somebody looks, and only when it has changed.
func TestProgressIsToldWhenItIsWanted(t *testing.T) {
	t.Parallel()
	simulated(t, func(t *testing.T, f *feed.Feed, s *server, _ func()) {
		var at atomic.Int64
		where := func() []api.TaskInHand {
			return []api.TaskInHand{{Pipeline: "p", Number: 1, Name: "all hunter2", Kind: "tasks"}, {Pipeline: "<taskset>", Number: int(at.Load()), Kind: "code"}}
		}
		short := f.Begin(api.Held{Cookie: "short", Fence: 1}, where)
		time.Sleep(900 * time.Millisecond)
		short.End()

		r := f.Begin(api.Held{Cookie: "c", Fence: 2}, where)
		seconds := func(n int) {
			for i := range n {
				at.Store(int64(i + 1))
				time.Sleep(time.Second)
			}
		}
		seconds(35)
		if n := len(s.took("c", api.EventProgress)); n < 3 || n > 5 {
			t.Errorf("%d times in 35s that nobody looked, want one each 10s", n)
		}
		s.set(nil, "c")
		seconds(11)
		before := len(s.took("c", api.EventProgress))
		seconds(20)
		if n := len(s.took("c", api.EventProgress)) - before; n < 18 || n > 21 {
			t.Errorf("%d times in 20s that somebody looked, want one each second", n)
		}
		time.Sleep(time.Minute)
		settled := len(s.took("c", api.EventProgress))
		time.Sleep(time.Minute)
		got := s.took("c", api.EventProgress)
		if len(got) != settled {
			t.Errorf("%d times in a minute in which nothing changed", len(got)-settled)
		}
		p := decode[api.Progress](t, got[len(got)-1].Data)
		if len(p.Tasks) != 2 || p.Tasks[0].Name != "all REDACTED" || p.Tasks[1].Label() != "code 20" {
			t.Errorf("the run is at %+v, want the last task within the set", p.Tasks)
		}
		r.End()
		if n := len(s.took("short", api.EventProgress)); n != 0 {
			t.Errorf("a run of less than a second told %d times where it was", n)
		}
	})
}

// The last lines are posted when the feed ends, and a server that does not
// answer does not hold it up.
func TestTheEndIsBounded(t *testing.T) {
	t.Parallel()
	simulated(t, func(t *testing.T, f *feed.Feed, s *server, stop func()) {
		r := f.Begin(api.Held{Cookie: "c", Fence: 1}, nowhere)
		log := r.Log(quiet(), taskOf)
		log.Info("first")
		time.Sleep(10 * time.Millisecond)
		for range 5_000 {
			log.Info("last")
		}
		stop()
		if n := len(s.took("c", api.EventLog)); n != 2_001 {
			t.Errorf("%d lines came, want the first and a ring", n)
		}
	})
	simulated(t, func(t *testing.T, f *feed.Feed, s *server, stop func()) {
		s.set(func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		f.Begin(api.Held{Cookie: "c", Fence: 1}, nowhere).Log(quiet(), taskOf).Info("first")
		time.Sleep(time.Second)
		f.Begin(api.Held{Cookie: "d", Fence: 1}, nowhere).Log(quiet(), taskOf).Info("second")
		began := time.Now()
		stop()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the end took %s, want 2s at most", took)
		}
	})
}

// What the server will not have is not sent for ever.
func TestARefusalIsNotRepeated(t *testing.T) {
	t.Parallel()
	simulated(t, func(t *testing.T, f *feed.Feed, s *server, _ func()) {
		s.set(func(context.Context) error { return api.Errorf(api.CodeBodyTooLarge, "too large") })
		log := f.Begin(api.Held{Cookie: "c", Fence: 1}, nowhere).Log(quiet(), taskOf)
		log.Info("first")
		time.Sleep(time.Minute)
		if n := s.count(); n != 1 {
			t.Errorf("%d posts, want one", n)
		}
		s.set(nil)
		log.Info("second")
		time.Sleep(time.Second)
		if got := s.took("c", api.EventLog); len(got) != 1 || got[0].N != 2 {
			t.Errorf("came %+v, want the second line with its number", got)
		}
	})
}

// An outage is the poller's to tell. What is wrong with events alone is told here,
// in two lines.
func TestAnOutageIsToldOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want int // lines
	}{
		{errors.New("connection refused"), 0},
		{api.Errorf(api.CodeUnavailable, "not now"), 0},
		{api.Errorf(api.CodeUnauthorized, "who?"), 0},
		{api.Errorf(api.CodeStoreFull, "no space"), 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{}
			s.set(func(context.Context) error { return tt.err })
			var said bytes.Buffer
			f := feed.New(s.post, func(text string) string { return text }, slog.New(slog.NewTextHandler(&said, nil)))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- f.Run(ctx) }()
			f.Begin(api.Held{Cookie: "c", Fence: 1}, nowhere).Log(quiet(), taskOf).Info("first")
			time.Sleep(time.Minute)
			s.set(nil)
			time.Sleep(time.Minute)
			cancel()
			<-ended
			if lines := strings.Count(said.String(), "\n"); lines != tt.want || s.count() < 3 {
				t.Errorf("after %v, %d posts and %d lines, want some and %d:\n%s", tt.err, s.count(), lines, tt.want, said.String())
			}
		})
	}
}

// A run that goes on under a new lease counts anew, with what it has not posted.
func TestARunGoesOnUnderANewFence(t *testing.T) {
	t.Parallel()
	simulated(t, func(t *testing.T, f *feed.Feed, s *server, _ func()) {
		r := f.Begin(api.Held{Cookie: "c", Fence: 1}, nowhere)
		log := r.Log(quiet(), taskOf)
		log.Info("a")
		time.Sleep(time.Second)
		s.set(func(context.Context) error { return errors.New("no route to host") })
		log.Info("lost with the lease")
		time.Sleep(time.Second)
		log.Info("b")
		r.Refence(api.Held{Cookie: "c", Fence: 2, Store: "s"})
		log.Info("c")
		s.set(nil)
		time.Sleep(time.Minute)
		var got []string
		for _, e := range s.took("c", api.EventLog) {
			got = append(got, fmt.Sprintf("%d.%d %s", e.Fence, e.N, decode[api.LogLine](t, e.Data).Text)+e.Store)
		}
		if want := "1.1 a, 1.2 lost with the lease, 2.1 bs, 2.2 cs"; strings.Join(got, ", ") != want {
			t.Errorf("came %q, want %s", got, want)
		}
		if last := r.End(); last != 2 {
			t.Errorf("End() = %d, want 2", last)
		}
	})
}

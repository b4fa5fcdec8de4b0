package manager_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/manager"
	"github.com/pullrun/pullrun/otel/oteltest"
	"github.com/pullrun/pullrun/otel/span"
)

const (
	leaseParent    = "00-0af7651916cd43dd8448eb211c80319c-1111111111111111-01"
	previousParent = "00-0af7651916cd43dd8448eb211c80319c-2222222222222222-01"
)

func tracedRun(cookie, pipeline string) api.Packet {
	p := run(cookie, pipeline)
	p.Queue, p.Attempt, p.TraceParent, p.TraceLinks = "default", 1, traceParent, []string{leaseParent}
	return p
}

// whole drains a manager that has nothing left to wait for.
func whole(t *testing.T, m *manager.Manager) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := m.Drain(ctx); err != nil {
		t.Error(err)
	}
}

// named are the spans of this name, in the order of their starts.
func named(all []oteltest.Span, name string) []oteltest.Span {
	out := slices.DeleteFunc(slices.Clone(all), func(s oteltest.Span) bool { return s.Name != name })
	slices.SortFunc(out, func(a, b oteltest.Span) int { return a.Start.Compare(b.Start) })
	return out
}

func linked(s oteltest.Span) []string {
	var ids []string
	for _, l := range s.Links {
		ids = append(ids, l.SpanID)
	}
	return ids
}

// Whether the worker writes the span of an attempt or the server does, in its
// place, is decided by the server's verdict: one of them writes it, and not both.
func TestTheSpanOfAnAttemptWaitsForTheVerdict(t *testing.T) {
	for verdict, want := range map[api.VerdictCode]int{
		api.VerdictAccepted: 1, api.VerdictDuplicate: 1, api.VerdictStale: 0, api.VerdictRejected: 0,
	} {
		t.Run(string(verdict), func(t *testing.T) {
			finish := oteltest.Record(t, "worker")
			s := &server{script: func(_ context.Context, results []api.Result) ([]api.Verdict, error) {
				return []api.Verdict{{Cookie: results[0].Cookie, Fence: results[0].Fence, Verdict: verdict}}, nil
			}}
			m := manager.New(manager.Config{Worker: "w", Capacity: 1}, standard, s.report, slog.New(slog.DiscardHandler))
			m.Handle(tracedRun("a", "echo"))
			whole(t, m)
			all := finish()
			process := named(all, "process default")
			if len(process) != want {
				t.Fatalf("%d process spans, want %d:\n%s", len(process), want, oteltest.Tree(all))
			}
			settle := named(all, "settle default")
			if len(settle) != 1 {
				t.Fatalf("%d settle spans, want 1", len(settle))
			}
			if want == 1 && process[0].End.Before(settle[0].End) {
				t.Errorf("the process span ends at %v, before its settle span at %v", process[0].End, settle[0].End)
			}
		})
	}
}

func TestTheSpanOfAnAttemptLinksToItsLeaseAndTheAttemptBefore(t *testing.T) {
	finish := oteltest.Record(t, "worker")
	m := manager.New(manager.Config{Worker: "w", Capacity: 1}, standard, new(server).report, slog.New(slog.DiscardHandler))
	p := tracedRun("a", "echo")
	p.TraceLinks = append(p.TraceLinks, previousParent, traceParent, "nonsense")
	m.Handle(p)
	whole(t, m)
	process := named(finish(), "process default")
	if len(process) != 1 {
		t.Fatalf("%d process spans, want 1", len(process))
	}
	if got, want := linked(process[0]), []string{leaseParent[36:52], previousParent[36:52]}; !slices.Equal(got, want) {
		t.Errorf("links to %v, want %v, and none to the parent", got, want)
	}
}

// A result that waits in the outbox takes the span of its run along.
func TestAnAttemptThatAnEarlierProcessEndedHasItsSpan(t *testing.T) {
	finish := oteltest.Record(t, "worker")
	dir := t.TempDir()
	before := openBox(t, dir, 1<<20)
	away := &server{script: func(ctx context.Context, _ []api.Result) ([]api.Verdict, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}}
	cfg := manager.Config{Worker: "w", Capacity: 1, MaxResult: 100, Outbox: before}
	m := manager.New(cfg, standard, away.report, slog.New(slog.DiscardHandler))
	began := time.Now()
	m.Handle(tracedRun("a", "fail"))
	ran := time.Now()
	for m.InUse() > 0 {
		time.Sleep(time.Millisecond)
	}
	held := m.Holding()[0].TraceParent
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Drain(ctx); err == nil {
		t.Error("Drain() = nil, want that the result waits in the outbox")
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}

	cfg.Outbox = openBox(t, dir, 1<<20)
	m = manager.New(cfg, standard, new(server).report, slog.New(slog.DiscardHandler))
	m.Resume()
	for len(m.Holding()) > 0 {
		time.Sleep(time.Millisecond)
	}
	whole(t, m)

	all := finish()
	process := named(all, "process default")
	if len(process) != 1 {
		t.Fatalf("%d process spans, want 1:\n%s", len(process), oteltest.Tree(all))
	}
	p := process[0]
	if p.SpanID != held[36:52] || p.ParentID != traceParent[36:52] || p.Attributes["error.type"] != "PROCESSOR_EXCEPTION" {
		t.Errorf("span %s under %s with error %q, want %s under %s with that of the run", p.SpanID, p.ParentID, p.Attributes["error.type"], held, traceParent)
	}
	if p.Start.Before(began) || p.Start.After(ran) || p.End.Before(ran) {
		t.Errorf("from %v to %v, want it to begin within %v to %v and end later, with the result's arrival", p.Start, p.End, began, ran)
	}
	if got := linked(p); !slices.Equal(got, []string{leaseParent[36:52]}) {
		t.Errorf("links to %v, want the lease", got)
	}
	settle := named(all, "settle default")
	if len(settle) != 2 || settle[0].ParentID != p.SpanID || settle[1].ParentID != p.SpanID {
		t.Errorf("settle spans %v, want one of each process under %s", settle, p.SpanID)
	}
}

// A run that has succeeded here and comes again is a further attempt.
func TestARepeatedAnswerIsAnAttemptOfItsOwn(t *testing.T) {
	finish := oteltest.Record(t, "worker")
	verdicts := make(chan api.VerdictCode, 2)
	verdicts <- api.VerdictStale
	verdicts <- api.VerdictAccepted
	looked := make(chan struct{}) // closed when the first run has been seen
	s := &server{script: func(_ context.Context, results []api.Result) ([]api.Verdict, error) {
		<-looked
		return []api.Verdict{{Cookie: results[0].Cookie, Fence: results[0].Fence, Verdict: <-verdicts}}, nil
	}}
	m := manager.New(manager.Config{Worker: "w", Capacity: 1, MaxResult: 100}, standard, s.report, slog.New(slog.DiscardHandler))
	m.Handle(tracedRun("a", "echo"))
	first := m.Holding()[0].TraceParent
	close(looked)
	for len(m.Holding()) > 0 {
		time.Sleep(time.Millisecond)
	}
	again := tracedRun("a", "echo")
	again.Fence, again.Attempt, again.TraceLinks = 2, 2, []string{leaseParent, first}
	m.Handle(again)
	whole(t, m)
	process := named(finish(), "process default")
	if len(process) != 1 || process[0].Attributes["pullrun.attempt"] != "2" || process[0].SpanID == first[36:52] {
		t.Fatalf("process spans %v, want that of attempt 2 alone, under an id of its own", process)
	}
	if !slices.Contains(linked(process[0]), first[36:52]) {
		t.Errorf("links to %v, want the first attempt, %s, among them", linked(process[0]), first)
	}
}

// nested tells of a loop in a loop in a loop, as the engine does, and then of a
// task.
func nested(ctx context.Context, in engine.Input) (engine.Output, error) {
	var loop func(ctx context.Context, depth int)
	loop = func(ctx context.Context, depth int) {
		ctx, end := in.Observer.Task(ctx, engine.TaskInfo{Name: "loop", Kind: engine.KindTasks, Loop: depth > 0})
		defer end(nil)
		for range 25 {
			if depth > 0 {
				loop(ctx, depth-1)
			}
		}
	}
	loop(ctx, 3)
	_, end := in.Observer.Task(ctx, engine.TaskInfo{Name: "later", Kind: engine.KindTasks})
	end(nil)
	return engine.Output{}, nil
}

func TestLoopsInLoopsDoNotTakeTheSpansOfLaterTasks(t *testing.T) {
	finish := oteltest.Record(t, "worker")
	m := manager.New(manager.Config{Worker: "w", Capacity: 1}, pipelines{"nested": nested}, new(server).report, slog.New(slog.DiscardHandler))
	m.Handle(tracedRun("a", "nested"))
	whole(t, m)
	all := finish()
	if got := len(named(all, "task loop")); got != 1001 {
		t.Errorf("%d spans of the loops, want the outermost and 1000 in it", got)
	}
	if got := len(named(all, "task later")); got != 1 {
		t.Errorf("%d spans of the task after it, want 1", got)
	}
	process := named(all, "process default")[0]
	if got, want := process.Attributes["pullrun.spans.dropped"], "15275"; got != want { // 1 + 25 + 25² + 25³ less 1001
		t.Errorf("pullrun.spans.dropped = %s, want %s", got, want)
	}
	if err := oteltest.Check(all, traceParent[36:52]); err != nil {
		t.Error(err)
	}
}

// One exception, where it arose, says where that is.
func TestAnExceptionIsToldOnceWithItsFrames(t *testing.T) {
	finish := oteltest.Record(t, "worker")
	failing := func(ctx context.Context, in engine.Input) (engine.Output, error) {
		failed := &engine.Error{Class: "ValueError", Message: "no", Frames: []engine.Frame{
			{Pipeline: "main", Number: 1, Name: "outer", File: "main.yml", Line: 3}, {Pipeline: "sub", Number: 2, Name: "inner", File: "sub.yml", Line: 7},
		}}
		outer, endOuter := in.Observer.Task(ctx, engine.TaskInfo{Name: "outer", Kind: engine.KindDispatch})
		inner, endInner := in.Observer.Task(outer, engine.TaskInfo{Name: "inner", Kind: engine.KindChip})
		_, endChip := in.Observer.Chip(inner, engine.ChipInfo{Chip: "http.get"})
		endChip(failed)
		endInner(failed)
		endOuter(failed)
		return engine.Output{}, failed
	}
	m := manager.New(manager.Config{Worker: "w", Capacity: 1, MaxResult: 100}, pipelines{"failing": failing}, new(server).report, slog.New(slog.DiscardHandler))
	m.Handle(tracedRun("a", "failing"))
	whole(t, m)
	var told []string
	for _, s := range finish() {
		for _, e := range s.Events {
			told = append(told, s.Name, e.Attributes["exception.type"], e.Attributes["exception.stacktrace"])
		}
	}
	frames := (&engine.Error{Frames: []engine.Frame{
		{Pipeline: "main", Number: 1, Name: "outer", File: "main.yml", Line: 3}, {Pipeline: "sub", Number: 2, Name: "inner", File: "sub.yml", Line: 7},
	}}).Stack()
	if want := []string{"chip http.get", "ValueError", frames}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestACancelIsNotedWhenItArrives(t *testing.T) {
	finish := oteltest.Record(t, "worker")
	started := make(chan struct{})
	var once sync.Once
	waiting := func(ctx context.Context, in engine.Input) (engine.Output, error) {
		once.Do(func() { close(started) })
		<-ctx.Done()
		return engine.Output{}, errors.New("stopped")
	}
	m := manager.New(manager.Config{Worker: "w", Capacity: 1, Grace: time.Minute}, pipelines{"waiting": waiting}, new(server).report, slog.New(slog.DiscardHandler))
	m.Handle(tracedRun("a", "waiting"))
	<-started
	m.Handle(cancel("a"))
	whole(t, m)
	process := named(finish(), "process default")[0]
	if len(process.Events) != 1 || process.Events[0].Name != "cancel requested" || process.Status != "" || process.Attributes["cicd.pipeline.result"] != "cancellation" {
		t.Errorf("events %v, status %q, result %q, want the request alone and no error", process.Events, process.Status, process.Attributes["cicd.pipeline.result"])
	}
}

// What a process has no room for is counted on the span of the run that lacks it.
func TestSpansForWhichAWorkerHasNoRoomAreCounted(t *testing.T) {
	finish := oteltest.Record(t, "worker")
	began, goOn := make(chan struct{}), make(chan struct{})
	wide := func(ctx context.Context, in engine.Input) (engine.Output, error) {
		set, end := in.Observer.Task(ctx, engine.TaskInfo{Name: "set", Kind: engine.KindTasks})
		loop, endLoop := in.Observer.Task(set, engine.TaskInfo{Name: "loop", Kind: engine.KindTasks, Loop: true})
		for range 998 {
			_, end := in.Observer.Chip(set, engine.ChipInfo{Chip: "straight"})
			end(nil)
		}
		for range 1000 {
			_, end := in.Observer.Task(loop, engine.TaskInfo{Name: "looped", Kind: engine.KindTasks})
			end(nil)
		}
		began <- struct{}{}
		<-goOn
		endLoop(nil)
		end(nil)
		return engine.Output{}, nil
	}
	m := manager.New(manager.Config{Worker: "w", Capacity: 4}, pipelines{"wide": wide}, new(server).report, slog.New(slog.DiscardHandler))
	for _, cookie := range []string{"a", "b", "c", "d"} {
		m.Handle(tracedRun(cookie, "wide"))
		<-began
	}
	close(goOn)
	whole(t, m)
	var dropped []string
	for _, p := range named(finish(), "process default") {
		dropped = append(dropped, p.Attributes["pullrun.spans.dropped"])
	}
	if want := fmt.Sprint(4*2000 - span.MostKept); !slices.Equal(dropped, []string{"", "", "", want}) {
		t.Errorf("pullrun.spans.dropped = %q, want %s of the last", dropped, want)
	}
}

package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

// progress tells where a run is, for the n-th time.
func (wk *worker) progress(lease api.Held, n int64, task string) (watched []string) {
	wk.t.Helper()
	data, err := json.Marshal(api.Progress{At: time.Now(), Tasks: []api.TaskInHand{{Pipeline: "p", Number: 1, Name: task, Kind: "chip", Since: time.Now()}}})
	if err != nil {
		wk.t.Fatal(err)
	}
	return into[api.EventsTaken](wk.t, wk.want(http.StatusAccepted, "POST", wk.path("/events"), api.Events{Session: wk.session, Events: []api.RunEvent{
		{Cookie: lease.Cookie, Fence: lease.Fence, N: n, At: time.Now(), Kind: api.EventProgress, Data: data},
	}})).Watched
}

// task is the innermost task of a stream's next progress.
func (s *stream) task() string {
	s.t.Helper()
	e, more := s.next()
	if !more || e.event != api.EventProgress || e.id != "" {
		s.t.Fatalf("event is %+v, want progress without a number", e)
	}
	p := into[api.Progress](s.t, answer{body: e.data})
	return p.Tasks[len(p.Tasks)-1].Name
}

// Where a run is shows in the run and to those who follow it, for as long as it
// is worked on, and the worker learns that somebody looks.
func TestProgressIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	if watched := wk.progress(lease, 1, "first"); len(watched) > 0 {
		t.Errorf("without a reader, %q are watched", watched)
	}
	if p := w.get("c").Progress; p == nil || p.Tasks[0].Name != "first" {
		t.Errorf("the run's progress is %+v, want the first task", p)
	}
	only := w.follow(t, "c?kind=state", "")
	only.want("state")
	if watched := wk.progress(lease, 2, "second"); len(watched) > 0 {
		t.Errorf("with a reader of states alone, %q are watched", watched)
	}
	s := w.follow(t, "c", "")
	s.want("state")
	if got := s.task(); got != "second" {
		t.Errorf("a new reader is shown %q, want the second task", got)
	}
	if watched := wk.progress(lease, 3, "third"); len(watched) != 1 || watched[0] != "c" {
		t.Errorf("with a reader, %q are watched, want the run", watched)
	}
	if got := s.task(); got != "third" {
		t.Errorf("the reader is shown %q, want the third task", got)
	}
	wk.finish(lease)
	if said, _ := s.want("state"); said != "SUCCEEDED" {
		t.Errorf("state is %s, want SUCCEEDED", said)
	}
	if said, _ := only.want("state"); said != "SUCCEEDED" {
		t.Errorf("state is %s, want SUCCEEDED", said)
	}
	if p := w.get("c").Progress; p != nil {
		t.Errorf("a run that has ended is at %+v", p)
	}
	w.refused(api.CodeInvalidRequest, "POST", wk.path("/events"), api.Events{Session: wk.session, Events: []api.RunEvent{
		{Cookie: "c", Fence: lease.Fence, N: 4, At: time.Now(), Kind: api.EventProgress, Data: json.RawMessage(`{"tasks":"all"}`)},
	}})
}

// A reader at one server is known to the worker that posts to another.
func TestProgressIsWatchedThroughAnotherServer(t *testing.T) {
	a, b := replicas(t)
	wk := a.register("w", 1)
	a.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	s := b.follow(t, "c", "")
	s.want("state")
	n := int64(0)
	a.eventually("the reader elsewhere is known", func() bool {
		n++
		return len(wk.progress(lease, n, "first")) == 1
	})
	if got := s.task(); got != "first" {
		t.Errorf("the reader is shown %q, want the first task", got)
	}
}

// A script reads the history in pages.
func TestPagesOfEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	page := func(query string) api.EventList {
		t.Helper()
		return into[api.EventList](t, w.want(http.StatusOK, "GET", "/v1/runs/c/events?"+query, nil, "Accept", "application/json"))
	}
	if got := page(""); len(got.Events) != 0 || got.Next != 0 || got.State != api.StateRunning {
		t.Errorf("before anything was logged, the page is %+v", got)
	}
	wk.log(lease, 3, "c", "d") // two were dropped on the way
	wk.log(lease, 6, "f")
	type line struct {
		text    string
		dropped int64
	}
	read := func(p api.EventList) (out []line) {
		for _, e := range p.Events {
			out = append(out, line{string(e.Data), e.Dropped})
		}
		return out
	}
	allow := cmp.AllowUnexported(line{})
	first := page("limit=2")
	if diff := cmp.Diff([]line{{`"c"`, 2}, {`"d"`, 0}}, read(first), allow); diff != "" {
		t.Errorf("first page (-want +got):\n%s", diff)
	}
	second := page(fmt.Sprint("limit=2&after=", first.Next))
	if diff := cmp.Diff([]line{{`"f"`, 1}}, read(second), allow); diff != "" {
		t.Errorf("second page (-want +got):\n%s", diff)
	}
	if third := page(fmt.Sprint("after=", second.Next)); len(third.Events) != 0 || third.Next != second.Next {
		t.Errorf("third page is %+v", third)
	}
	if diff := cmp.Diff([]line{{`"d"`, 0}, {`"f"`, 1}}, read(page("tail=2")), allow); diff != "" {
		t.Errorf("the last two (-want +got):\n%s", diff)
	}
	wk.finish(lease)
	if got := page("tail=0"); len(got.Events) != 0 || got.State != api.StateSucceeded {
		t.Errorf("none of the history is %+v", got)
	}
	for _, query := range []string{"after=x", "limit=0", "limit=1001", "tail=-1"} {
		w.refused(api.CodeInvalidRequest, "GET", "/v1/runs/c/events?"+query, nil, "Accept", "application/json")
	}
	w.refused(api.CodeCookieNotFound, "GET", "/v1/runs/none/events", nil, "Accept", "application/json")
}

// Lines that are on their way when a run ends reach who follows it, and who
// waits for the run alone does not wait for them.
func TestTheLastLinesComeAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	s := w.follow(t, "c?kind=log", "")
	s.want("state")
	states := w.follow(t, "c?kind=state", "")
	states.want("state")
	wk.log(lease, 1, "a")
	s.want("log")
	wk.post(api.Result{Cookie: "c", Fence: lease.Fence, RC: api.RCOK, LastEvent: 2})
	s.want("state")
	states.want("state")
	if e, more := states.next(); more {
		t.Errorf("after the end came %+v", e)
	}
	wk.log(lease, 2, "b")
	if said, _ := s.want("log"); said != `"b"` {
		t.Errorf("the last line is %s", said)
	}
	if e, more := s.next(); more {
		t.Errorf("after the last line came %+v", e)
	}
}

// Lines that a worker announced and never sent hold a reader up for seconds.
func TestLinesThatNeverCome(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		wk := w.register("w", 1)
		w.submit(api.Submit{Cookie: "c"})
		lease := wk.take()
		wk.post(api.Result{Cookie: "c", Fence: lease.Fence, RC: api.RCOK, LastEvent: 2})
		began := time.Now()
		s := w.follow(w.t, "c", "")
		s.want("state")
		if e, more := s.next(); more {
			w.t.Errorf("after the end came %+v", e)
		}
		if took := time.Since(began); took > 5*time.Second {
			w.t.Errorf("the stream ended after %v", took)
		}
	})
}

package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/api"
)

// An sse is an event of a stream. One with nothing but a comment is a sign of
// life.
type sse struct{ id, event, data, comment string }

// A stream follows a run.
type stream struct {
	t      testing.TB
	body   io.ReadCloser
	lines  *bufio.Scanner
	header http.Header
}

// follow opens the stream of a run, after the event with the id. A query may
// follow the cookie.
func (w *world) follow(t testing.TB, cookie, after string) *stream {
	t.Helper()
	id, query, _ := strings.Cut(cookie, "?")
	var header []string
	if after != "" {
		header = []string{"Last-Event-ID", after}
	}
	resp, err := w.client.Do(w.request(t.Context(), "GET", "/v1/runs/"+id+"/events?"+query, nil, header...))
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("events of %s = %d", cookie, resp.StatusCode)
	}
	s := &stream{t: t, body: resp.Body, lines: bufio.NewScanner(resp.Body), header: resp.Header}
	t.Cleanup(s.close)
	return s
}

func (s *stream) close() { _ = s.body.Close() } // it may be cut

// next waits for the next event. It returns false at the stream's end.
func (s *stream) next() (sse, bool) {
	var e sse
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.event = value
		case "data":
			e.data = value
		case "":
			if value == "" {
				return e, true
			}
			e.comment = value
		}
	}
	return e, false
}

// want waits for the next event and fails the test unless it is of the kind.
// It returns what the event says: the run's state, or the event's data.
func (s *stream) want(kind string) (said, id string) {
	s.t.Helper()
	e, more := s.next()
	if !more || e.event != kind {
		s.t.Fatalf("event is %+v, want %q", e, kind)
	}
	if kind == "state" {
		return string(into[api.Run](s.t, answer{body: e.data}).State), e.id
	}
	return string(into[api.Event](s.t, answer{body: e.data}).Data), e.id
}

// last reads to the end and returns the last event.
func (s *stream) last() sse {
	s.t.Helper()
	var last sse
	for {
		e, more := s.next()
		if !more {
			return last
		}
		last = e
	}
}

// log adds lines to a run's history, from number n on.
func (wk *worker) log(lease api.Held, n int64, lines ...string) {
	wk.t.Helper()
	in := api.Events{Session: wk.session}
	for i, line := range lines {
		data, err := json.Marshal(line)
		if err != nil {
			wk.t.Fatal(err)
		}
		in.Events = append(in.Events, api.RunEvent{Cookie: lease.Cookie, Fence: lease.Fence, Store: lease.Store, N: n + int64(i), At: time.Now(), Kind: "log", Data: data})
	}
	wk.want(http.StatusAccepted, "POST", wk.path("/events"), in)
}

// A reader sees what has been and what comes, each line once and in order, and
// goes on where it was cut off.
func TestFollow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c"})
	s := w.follow(t, "c", "")
	step := func(kind, want string) (id string) {
		t.Helper()
		got, id := s.want(kind)
		if got != want {
			t.Fatalf("%s is %s, want %s", kind, got, want)
		}
		if (id == "") != (kind == "state") {
			t.Fatalf("%s has the id %q", kind, id)
		}
		return id
	}
	step("state", "QUEUED")
	lease := held(wk.poll()[0])
	step("state", "OFFERED")
	wk.poll(lease)
	step("state", "RUNNING")
	wk.log(lease, 1, "a", "b")
	step("log", `"a"`)
	cut := step("log", `"b"`)
	s.close()

	wk.log(lease, 2, "b, again", "c")
	s = w.follow(t, "c", cut)
	step("log", `"c"`)
	step("state", "RUNNING")
	wk.finish(lease)
	step("state", "SUCCEEDED")
	if e, more := s.next(); more {
		t.Errorf("after the end came %+v", e)
	}

	s = w.follow(t, "c", "")
	step("log", `"a"`)
	step("log", `"b"`)
	step("log", `"c"`)
	step("state", "SUCCEEDED")
	w.refused(api.CodeInvalidRequest, "GET", "/v1/runs/c/events", nil, "Last-Event-ID", "x")
	w.refused(api.CodeInvalidRequest, "GET", "/v1/runs/c/events", nil, "Last-Event-ID", "-1")
	for _, accept := range []string{"text/event-stream", "application/json"} {
		a := w.refused(api.CodeInvalidRequest, "GET", "/v1/runs/c/events?kind=log&kind=BAD%20KIND", nil, "Accept", accept)
		if !strings.Contains(a.body, `kind: \"BAD KIND\" is not a kind`) {
			t.Errorf("the answer is %s, want the kind that is none", a.body)
		}
	}
}

// A worker cannot tell readers a run's state in the server's place.
func TestStateEventsAreTheServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	w.refused(api.CodeInvalidRequest, "POST", wk.path("/events"), api.Events{Session: wk.session, Events: []api.RunEvent{
		{Cookie: "c", Fence: lease.Fence, N: 1, At: time.Now(), Kind: api.EventState, Data: json.RawMessage(`{"state":"DEAD"}`)},
	}})
}

// A long history comes whole, and so does that of a second attempt.
func TestFollowLongHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	var want []string
	lines := func(n int) []string {
		var out []string
		for range n {
			out = append(out, fmt.Sprint(len(want)))
			want = append(want, fmt.Sprintf("%q", out[len(out)-1]))
		}
		return out
	}
	wk.log(lease, 1, lines(256)...)
	wk.log(lease, 257, lines(300)...)
	wk.post(api.Result{Cookie: "c", Fence: lease.Fence, RC: api.RCWorkerWentAway})
	second := wk.take()
	wk.log(second, 1, lines(1)...)
	wk.log(lease, 557, "too late")
	wk.finish(second)
	var got []string
	for s := w.follow(t, "c", ""); ; {
		e, more := s.next()
		if !more {
			break
		}
		if e.event == "log" {
			got = append(got, string(into[api.Event](t, answer{body: e.data}).Data))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// A stream lives for as long as its run, and shows that it does.
func TestFollowForMinutes(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		later := time.Now().Add(2 * time.Minute)
		w.submit(api.Submit{Cookie: "c", NotBefore: &later})
		s := w.follow(w.t, "c", "")
		s.want("state")
		signs := 0
		began := time.Now()
		for {
			e, more := s.next()
			if !more {
				w.t.Fatalf("the stream ended after %v", time.Since(began))
			}
			if e.event != "" {
				break
			}
			signs++
		}
		if want := 2*4 - 1; signs < want || signs > want+1 {
			w.t.Errorf("%d signs of life in two minutes, want one every 15s", signs)
		}
		s.close()
	})
}

// A reader that has gone leaves nothing behind, and one that does not read is
// cut off.
func TestFollowersThatGo(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		wk := w.register("w", 1)
		w.submit(api.Submit{Cookie: "c"})
		lease := wk.take()
		ctx, cut := context.WithCancel(w.t.Context())
		gone, err := w.client.Do(w.request(ctx, "GET", "/v1/runs/c/events", nil))
		if err != nil {
			w.t.Fatal(err)
		}
		defer gone.Body.Close()
		cut()
		stuck := w.follow(w.t, "c", "")
		for i := range int64(10) {
			wk.log(lease, 1+i, strings.Repeat("x", 10<<10))
		}
		time.Sleep(40 * time.Second)
		wk.finish(lease)
		if e := stuck.last(); into[api.Run](w.t, answer{body: e.data}).State != api.StateRunning {
			w.t.Errorf("a reader that did not read for 40s got to %+v", e)
		}
	})
}

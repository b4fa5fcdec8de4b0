package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
)

// A hostileServer answers polls with what a test says, in turn, and takes results.
type hostileServer struct {
	*httptest.Server
	answers chan string   // of polls; a test sends
	deaf    chan struct{} // closed when results are answered; nil answers them at once

	mu      sync.Mutex
	results map[string]api.Result // by cookie
	more    chan struct{}         // closed and replaced at each result
}

func newHostileServer(t *testing.T) *hostileServer {
	t.Helper()
	s := &hostileServer{answers: make(chan string), results: map[string]api.Result{}, more: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/workers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"worker_id": "w", "session": "s", "hold_ms": %d, "lease_ms": %[1]d, "renew_ms": 1, "limits": {"body_bytes": -1, "result_bytes": %[1]d}, "lost": [{"cookie": "", "fence": -5}]}`, int64(math.MaxInt64))
	})
	mux.HandleFunc("POST /v1/workers/w/poll", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the end of the call is noticed
		select {
		case answer := <-s.answers:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, answer) // the worker may not read it all
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /v1/workers/w/heartbeat", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"packets": [{"packet_type": "RUN"}, {"packet_type": 7}]}`)
	})
	mux.HandleFunc("POST /v1/workers/w/results", s.take)
	mux.HandleFunc("DELETE /v1/workers/w", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *hostileServer) take(w http.ResponseWriter, r *http.Request) {
	if s.deaf != nil {
		<-s.deaf
	}
	var in api.Results
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var out api.Verdicts
	s.mu.Lock()
	for _, res := range in.Results {
		s.results[res.Cookie] = res
		out.Verdicts = append(out.Verdicts, api.Verdict{Cookie: res.Cookie, Fence: res.Fence, Verdict: api.VerdictAccepted})
	}
	close(s.more)
	s.more = make(chan struct{})
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(out) // the worker asks again if it is cut
}

// says answers the worker's next poll.
func (s *hostileServer) says(t *testing.T, answer string) {
	t.Helper()
	select {
	case s.answers <- answer:
	case <-time.After(patience):
		t.Fatalf("the worker does not poll for %.100s", answer)
	}
}

func (s *hostileServer) sends(t *testing.T, packets ...any) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"packets": packets})
	if err != nil {
		t.Fatal(err)
	}
	s.says(t, string(raw))
}

// result waits for the result of a run.
func (s *hostileServer) result(t *testing.T, cookie string) api.Result {
	t.Helper()
	for deadline := time.After(patience); ; {
		s.mu.Lock()
		res, ok := s.results[cookie]
		more := s.more
		s.mu.Unlock()
		if ok {
			return res
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("no result of %s", cookie)
		}
	}
}

// nonsense is what a server may answer polls with.
var nonsense = []string{
	`not JSON`, `[]`, `{"packets": "x"}`, `{"packets": [null, {}, 7]}`, `{"packets": [{"packet_type": "RUN"}]}`,
	`{"packets": [` + strings.Repeat(`[`, 100_000), `{"packets": [{"packet_type": "RUN", "cookie": "../../x", "fence": 1, "pipeline": "nothing"}]}`,
	`{"packets": [{"packet_type": "EXEC", "cookie": "exec", "fence": 1}]}`,
	`{"packets": [{"packet_type": "RUN", "cookie": "negative", "fence": 1, "pipeline": "nothing", "queue": "mine", "timeout_ms": -1}]}`,
	`{"packets": [{"packet_type": "RUN", "cookie": "list", "fence": 1, "pipeline": "nothing", "queue": "mine", "variables": [1]}]}`,
}

// sent is a RUN packet that a worker which takes runs from the queue "mine" obeys,
// as it is changed.
func sent(cookie, pipeline string, change ...func(*api.Packet)) api.Packet {
	p := api.Packet{PacketType: api.PacketRun, Cookie: cookie, Fence: 1, Pipeline: pipeline, Queue: "mine", Attempt: 1}
	for _, c := range change {
		c(&p)
	}
	return p
}

// refusals sends what makes no sense and what the worker's settings do not allow,
// and waits for what it says to that.
func (s *hostileServer) refusals(t *testing.T) {
	t.Helper()
	for _, answer := range nonsense {
		s.says(t, answer)
	}
	big, err := json.Marshal(map[string]string{"value": strings.Repeat("x", 4<<20)})
	if err != nil {
		t.Fatal(err)
	}
	s.sends(t,
		sent("unknown", "rm"), sent("path", "..\u2044..\u2044etc"), sent("forbidden", "boom"),
		sent("queue", "nothing", func(p *api.Packet) { p.Queue = "billing" }),
		sent("no-queue", "nothing", func(p *api.Packet) { p.Queue = "" }),
		sent("label", "nothing", func(p *api.Packet) { p.Labels = map[string]string{"zone": "us"} }),
		sent("other-label", "nothing", func(p *api.Packet) { p.Labels = map[string]string{"gpu": "yes"} }),
		sent("big", "give", func(p *api.Packet) { p.Variables = big }),
		api.Packet{PacketType: api.PacketCancel, Cookie: "nobody", Fence: 1},
	)
	for cookie, want := range map[string]string{
		"exec": "UNSUPPORTED_PACKET_TYPE", "negative": "BAD_PACKET", "list": "BAD_PACKET",
		"unknown": "NO_CAPACITY pipeline", "path": "NO_CAPACITY pipeline", "forbidden": "NO_CAPACITY pipeline",
		"queue": "NO_CAPACITY this worker takes no runs from the queue", "no-queue": "NO_CAPACITY this worker takes no runs",
		"label": "NO_CAPACITY this worker does not have the label", "other-label": "NO_CAPACITY this worker does not have",
		"big": "PROCESSOR_EXCEPTION LimitException", "nobody": "COOKIE_NOT_FOUND",
	} {
		res := s.result(t, cookie)
		if got := string(res.RC) + " " + res.Error; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %.200s, want %s", cookie, got, want)
		}
	}
}

// A server that is mistaken or taken over makes a worker do nothing that its own
// settings do not allow, and does not end it.
func TestAHostileServer(t *testing.T) {
	t.Parallel()
	s, g := newHostileServer(t), newGate(t)
	w := start(t, []string{"PULLRUN_SERVER_URL=" + s.URL}, "worker", "--name", "w", "--capacity", "2", "--queues", "mine", "--labels", "zone=eu",
		"--pipelines-allow", "nothing,give,hang", "--limits-variables", "1MiB", "--limits-timeout", "20s", "--log-level", "debug", "--log-format", "json", pipelinesDir(t))
	w.says(`"msg":"registered"`)
	s.refusals(t)

	hang := sent("a", "hang", func(p *api.Packet) { p.Variables = g.variables("a") })
	other := hang
	other.Cookie = "b"
	third := hang
	third.Cookie, third.TimeoutMS = "c", math.MaxInt64
	s.sends(t, hang, hang, other, hang, third, third)
	s.sends(t, other, hang, third)
	g.waits(t, 2)
	if res := s.result(t, "c"); res.RC != api.RCNoCapacity {
		t.Errorf("a run beyond capacity = %s %s", res.RC, res.Error)
	}
	g.letGo()
	for _, cookie := range []string{"a", "b"} {
		if res := s.result(t, cookie); res.RC != api.RCOK {
			t.Errorf("run %s = %s %s", cookie, res.RC, res.Error)
		}
	}
	if n := len(g.arrived); n > 0 {
		t.Errorf("%d runs were run more than once", n)
	}

	s.sends(t, sent("last", "nothing", func(p *api.Packet) { p.TimeoutMS = math.MaxInt64; p.Labels = map[string]string{"zone": "eu"} }))
	if res := s.result(t, "last"); res.RC != api.RCOK {
		t.Errorf("an honest run = %s %s, want it run", res.RC, res.Error)
	}
	if log := w.log(); strings.Contains(log, "panic") {
		t.Error("the worker has panicked")
	}
	w.signal(syscall.SIGTERM)
	go func() { // the drain's polls
		for range 3 {
			select {
			case s.answers <- `{"packets": []}`:
			case <-w.done:
			}
		}
	}()
	if code := w.ends(); code != exitDone {
		t.Errorf("the worker ended with %d", code)
	}
}

// What the settings forbid pipelines is refused when the worker starts, with the
// place where it stands.
func TestForbiddenChipsAndCode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &site{t: t, dir: dir}
	s.write("p/fetch.yml", "- name: get it\n  chip: http.get\n  params: {url: 'http://127.0.0.1:1/'}\n")
	s.write("programs/date.yml", "- chip: process.run\n  params: {command: [date]}\n")
	s.write("p/count.yml", "- declare: {n: 1}\n- name: add\n  code: n + 1\n")
	for _, tt := range []struct {
		args string
		want []string // in what it says; none is that it starts
	}{
		{"--chips-deny http.*", []string{`fetch.yml:2`, `chip "http.get" is forbidden: chips.deny names it`}},
		{"--chips-allow utils.*", []string{`fetch.yml:2`, `chip "http.get" is forbidden: chips.allow does not name it`}},
		{"--chips-allow http.* --chips-deny http.get", []string{`chip "http.get" is forbidden`}},
		{"--code=false", []string{`count.yml:3`, `code is forbidden: code is false`}},
		{"--chips-allow http.* --chips-deny utils.*", nil},
		{dir + "/programs", []string{`date.yml:1`, `chip "process.run" is forbidden: process.allow names no program`}},
		{dir + "/programs --process-allow /usr/bin/*", nil},
		{"--process-allow date", []string{`process.allow: wants absolute paths, got "date"`}},
	} {
		args := append([]string{"worker", "--name", "w", "--server-url", "http://127.0.0.1:1", dir + "/p"}, strings.Fields(tt.args)...)
		p := start(t, nil, args...)
		if tt.want == nil {
			p.says("contact with the server is lost")
			continue
		}
		if code := p.ends(); code != exitUsage {
			t.Errorf("worker %s = %d, want %d", tt.args, code, exitUsage)
		}
		for _, want := range tt.want {
			if !strings.Contains(p.log(), want) {
				t.Errorf("worker %s says %s, want %q", tt.args, p.log(), want)
			}
		}
	}
	settings := s.write("worker.yaml", "chips: {deny: [http.*]}\ncode: false\n")
	if code, out, log := call(t, nil, "validate", dir+"/p"); code != exitDone {
		t.Errorf("validate = %d\n%s%s", code, out, log)
	}
	code, _, log := call(t, nil, "validate", dir+"/p", "--config", settings)
	for _, want := range []string{`fetch.yml:2`, `chip "http.get" is forbidden: chips.deny names it`, `count.yml:3`, `code is forbidden: code is false`} {
		if code != exitUsage || !strings.Contains(log, want) {
			t.Errorf("validate --config = %d\n%s\nwant %q", code, log, want)
		}
	}
}

package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/manager/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// full has a value in every field.
func full() api.WorkerStatus {
	at := time.Now().UTC().Truncate(time.Millisecond)
	return api.WorkerStatus{
		Worker: "w1", Version: "1", StartedAt: at, Ready: true, Paused: "memory is short",
		Slots: api.Slots{Used: 1, Limit: 4},
		Runs: []api.RunInHand{{
			Cookie: "c", Fence: 3, Pipeline: "p", Queue: "q", Attempt: 2, State: api.HandCancelling, Since: at, TraceID: strings.Repeat("a", 32),
			Tasks: []api.TaskInHand{{Pipeline: "p", Number: 1, Name: "n", Kind: "chip", Chip: "http.get", Since: at, Turn: 2, Turns: 9}},
		}},
		Outbox:  &api.OutboxStatus{Entries: 1, Bytes: 20, OldestAt: &at},
		Contact: api.Contact{Registered: true, LastAt: &at, LostAt: &at, LimitMS: 30000, HoldMS: 25000, LeaseMS: 60000, RenewMS: 15000, Polls: api.Polls{Runs: 1, Empty: 2, Cut: 3, Failed: 4}},
		Policy:  api.WorkerPolicy{Queues: []string{"q"}, Labels: map[string]string{"a": "b"}, Allow: []string{"etl.*"}, Pipelines: 3},
	}
}

// serve runs a surface until the test ends.
func serve(t *testing.T, read func() api.WorkerStatus) *status.Surface {
	t.Helper()
	s, err := status.New(status.Config{
		Listen: "127.0.0.1:0", Read: read,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			io.WriteString(w, "a_metric 1\n")
		}),
	}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
	return s
}

func parse(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(status.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	doc.Servers = nil
	for _, schema := range doc.Components.Schemas { // what is not documented is not answered
		if s := schema.Value; len(s.Properties) > 0 {
			s.AdditionalProperties.Has = new(bool)
		}
	}
	return doc
}

// get makes a call, holds its answer to the document, and returns it.
func get(t *testing.T, s *status.Surface, path, host string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.Addr().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(parse(t))
	if err != nil {
		t.Fatal(err)
	}
	if route, params, err := router.FindRoute(r); err == nil {
		openapi3filter.RegisterBodyDecoder("application/yaml", openapi3filter.PlainBodyDecoder)
		in := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
			Status:                 resp.StatusCode, Header: resp.Header, Options: &openapi3filter.Options{IncludeResponseStatus: true},
		}
		if err := openapi3filter.ValidateResponse(t.Context(), in.SetBodyBytes(body)); err != nil {
			t.Errorf("GET %s: the answer is not in the document: %v", path, err)
		}
	}
	return resp.StatusCode, string(body)
}

func TestAnswersAreTheDocument(t *testing.T) {
	want := full()
	s := serve(t, func() api.WorkerStatus { return want })
	var paths []string
	for path, item := range parse(t).Paths.Map() {
		if diff := cmp.Diff([]string{"GET"}, slices.Collect(maps.Keys(item.Operations()))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", path, diff)
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	if diff := cmp.Diff(paths, s.Paths()); diff != "" {
		t.Errorf("calls of the document (-) and of the worker (+)\n%s", diff)
	}
	for _, path := range paths {
		if code, body := get(t, s, path, ""); code != 200 {
			t.Errorf("GET %s = %d %s", path, code, body)
		}
	}
	_, body := get(t, s, "/v1/status", "")
	var got api.WorkerStatus
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("/v1/status (-want +got)\n%s", diff)
	}
}

func TestWhoMayAsk(t *testing.T) {
	s := serve(t, full)
	for host, want := range map[string]int{"": 200, "localhost:7790": 200, "127.0.0.1": 200, "[::1]:1": 200, "evil.example": 403, "192.0.2.1:80": 403} {
		if code, body := get(t, s, "/v1/status", host); code != want {
			t.Errorf("a request to %q = %d %s, want %d", host, code, body, want)
		}
	}
	if code, body := get(t, s, "/v1/nothing", ""); code != 404 || !strings.Contains(body, "NOT_FOUND") {
		t.Errorf("an unknown call = %d %s", code, body)
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	for _, tt := range []struct {
		name string
		edit func(*api.WorkerStatus)
		want string
	}{
		{"in contact", func(s *api.WorkerStatus) { s.Contact.LastAt = ago(30 * time.Second) }, ""},
		{"paused", func(s *api.WorkerStatus) { s.Paused = "the outbox is full" }, "takes nothing for the time being: the outbox is full"},
		{"not registered", func(s *api.WorkerStatus) { s.Contact.Registered = false }, "not registered"},
		{"out of contact for two heartbeats", func(s *api.WorkerStatus) { s.Contact.LastAt = ago(31 * time.Second) }, "not answered for 31s, which is longer than 30s"},
		{"draining", func(s *api.WorkerStatus) { s.Draining = true }, "draining"},
		{"stalled", func(s *api.WorkerStatus) { s.Stalled = []string{"poll", "heartbeat"} }, "loop poll and its loop heartbeat"},
	} {
		s := full()
		s.Paused = ""
		s.Contact.LastAt = ago(0)
		tt.edit(&s)
		ready, why := status.Judge(s, now)
		if ready != (tt.want == "") || !strings.Contains(strings.Join(why, "; "), tt.want) {
			t.Errorf("%s: Judge() = %v %q, want %q", tt.name, ready, why, tt.want)
		}
	}
}

func TestHealth(t *testing.T) {
	now := full()
	s := serve(t, func() api.WorkerStatus { return now })
	now.Ready, now.NotReady = false, []string{"it is draining"}
	if code, body := get(t, s, "/readyz", ""); code != 503 || !strings.Contains(body, "it is draining") {
		t.Errorf("/readyz of a worker that is not ready = %d %s", code, body)
	}
	if code, _ := get(t, s, "/livez", ""); code != 200 {
		t.Errorf("/livez of a worker that is not ready = %d, want 200", code)
	}
	now.Stalled = []string{"poll"}
	if code, body := get(t, s, "/livez", ""); code != 503 || !strings.Contains(body, "restart it") {
		t.Errorf("/livez of a worker that is stuck = %d %s", code, body)
	}
}

func TestAddresses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = status.New(status.Config{Listen: taken.Addr().String()}, quiet)
	if err == nil || !strings.Contains(err.Error(), "listen: auto") {
		t.Errorf("an address that is taken: %v, want a remedy", err)
	}
}

// The ports of Auto are the machine's, and so are not all taken here: others look
// for one at the same time.
func TestAutoTakesTheFirstFreePort(t *testing.T) {
	for range 2 {
		s, err := status.New(status.Config{Listen: status.Auto}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if !slices.Contains(status.AutoAddrs(), s.Addr().String()) {
			t.Errorf("a worker listens on %s", s.Addr())
		}
	}
	for free := range 11 {
		var tried []string
		l, err := status.FirstFree(func(addr string) (net.Listener, error) {
			tried = append(tried, addr)
			if len(tried) <= free {
				return nil, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
			}
			return taken{}, nil
		})
		if want := status.AutoAddrs()[:min(free+1, 10)]; !slices.Equal(tried, want) {
			t.Errorf("with %d ports taken it tries %v, want %v", free, tried, want)
		}
		if none := errors.Is(err, status.ErrNoPort); none != (free == 10) || none == (l != nil) {
			t.Errorf("with %d ports taken it has %v, %v", free, l, err)
		}
	}
}

// taken is a listener that nobody listens on.
type taken struct{ net.Listener }

package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/api"
)

// sized is the body of a submit with n bytes.
func sized(n int) string {
	const frame = `{"pipeline":"p","variables":{"x":""}}`
	return strings.Replace(frame, `""`, `"`+strings.Repeat("x", n-len(frame))+`"`, 1)
}

// counted counts what is read of it.
type counted struct {
	io.Reader
	n atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// A body beyond the limit is refused, whether or not it says its length, and
// is not read to its end.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.MaxBody, s.MaxResult = 1000, 5000 })
	chunked := func(body string) io.Reader { return struct{ io.Reader }{strings.NewReader(body)} }
	w.want(http.StatusCreated, "POST", "/v1/runs", sized(1000))
	w.want(http.StatusCreated, "POST", "/v1/runs", chunked(sized(1000)))
	for _, body := range []any{sized(1001), chunked(sized(1001))} {
		a := w.refused(api.CodeBodyTooLarge, "POST", "/v1/runs", body)
		if !strings.Contains(a.body, "1000 bytes") {
			t.Errorf("problem %s does not say the limit", a.body)
		}
	}
	wk := w.register("w", 1)
	large := sized(1001)
	for _, call := range []string{"/v1/runs/batch", "/v1/runs/c/cancel", wk.path("/events")} {
		w.refused(api.CodeBodyTooLarge, "POST", call, large)
	}
	for _, call := range []string{"/v1/workers", wk.path("/poll"), wk.path("/heartbeat")} {
		w.refused(api.CodeBodyTooLarge, "POST", call, sized(16<<20+1))
	}
	w.refused(api.CodeInvalidRequest, "POST", wk.path("/results"), sized(6000))
	w.refused(api.CodeBodyTooLarge, "POST", wk.path("/results"), sized(6001))

	body := &counted{Reader: endless{}}
	w.refused(api.CodeBodyTooLarge, "POST", "/v1/runs", body)
	if body.n.Load() > 8<<20 {
		t.Errorf("%d bytes of an endless body were sent", body.n.Load())
	}
}

// A worker may offer and hold as much as the documents say, whatever limits.body
// is.
func TestAWorkerMayHoldAsMuchAsThereMayBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.MaxBody = 1000 })
	long := func(i, bytes int) string { return fmt.Sprintf("%0*d", bytes, i) }
	held := make([]api.Held, api.MaxHolding)
	for i := range held {
		held[i] = api.Held{Cookie: long(i, api.MaxCookieBytes), Fence: math.MaxInt64, Cancelling: true, TraceParent: long(i, api.MaxValueBytes), Store: long(i, api.MaxValueBytes)}
	}
	pipelines := make([]api.PipelineInfo, api.MaxPipelines)
	for i := range pipelines {
		pipelines[i] = api.PipelineInfo{Name: "p" + long(i, api.MaxPipelineBytes-1), Digest: long(i, api.MaxValueBytes)}
	}
	wk, in := w.registered("w", api.MaxCapacity, func(r *api.Register) { r.Holding, r.Pipelines = held, pipelines })
	if len(in.Lost) != len(held) {
		t.Errorf("%d leases are lost, want %d, since there is no such run", len(in.Lost), len(held))
	}
	for i := range held {
		held[i].Store = in.Store
	}
	a := w.want(http.StatusOK, "POST", wk.path("/heartbeat"), api.Heartbeat{Session: in.Session, Holding: held})
	if n := strings.Count(a.body, `"fence"`); n != len(held) {
		t.Errorf("%d leases are lost, want %d", n, len(held))
	}
	w.refused(api.CodeInvalidRequest, "POST", "/v1/workers", api.Register{Name: "w", Capacity: 1, Pipelines: append(pipelines, pipelines[0])})
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	deep := func(n int) string {
		return `{"pipeline": "p", "variables": {"x": ` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}}`
	}
	for _, tt := range []struct {
		name, kind, body string
		code             api.Code // "" is taken
		says             string
	}{
		{"a submit", "application/json", `{"pipeline": "p"}`, "", ""},
		{"with a character set", "application/json; charset=utf-8", `{"pipeline": "p"}`, "", ""},
		{"white space around it", "application/json", " \n{\"pipeline\": \"p\"}\r\n\t ", "", ""},
		{"as deep as may be", "application/json", deep(499), "", ""},

		{"no type", "", `{"pipeline": "p"}`, api.CodeUnsupportedMedia, `got \"\"`},
		{"a form", "application/x-www-form-urlencoded", `pipeline=p`, api.CodeUnsupportedMedia, "x-www-form-urlencoded"},
		{"text", "text/plain", `{"pipeline": "p"}`, api.CodeUnsupportedMedia, "text/plain"},
		{"a type that is none", "application/", `{"pipeline": "p"}`, api.CodeUnsupportedMedia, "application/"},
		{"nothing", "application/json", "", api.CodeInvalidRequest, "empty"},
		{"no JSON", "application/json", "pipeline: p", api.CodeInvalidRequest, "invalid character"},
		{"half of it", "application/json", `{"pipeline": "p"`, api.CodeInvalidRequest, `"the body ends within its JSON value: unexpected EOF"`},
		{"a second value", "application/json", `{"pipeline": "p"} {}`, api.CodeInvalidRequest, "goes on"},
		{"something behind it", "application/json", `{"pipeline": "p"} x`, api.CodeInvalidRequest, "goes on"},
		{"a list", "application/json", `[]`, api.CodeInvalidRequest, "must be an object"},
		{"null", "application/json", `null`, api.CodeInvalidRequest, "pipeline: is required"},
		{"a number for text", "application/json", `{"pipeline": 1}`, api.CodeInvalidRequest, "pipeline: must be text"},
		{"a fraction for a number", "application/json", `{"pipeline": "p", "priority": 1.5}`, api.CodeInvalidRequest, "priority: must be a whole number"},
		{"a number beyond all", "application/json", `{"pipeline": "p", "run_timeout_ms": 9223372036854775808}`, api.CodeInvalidRequest, "run_timeout_ms"},
		{"a time that is none", "application/json", `{"pipeline": "p", "not_before": "soon"}`, api.CodeInvalidRequest, "not_before: wants a time such as 2026-11-25T10:00:00Z, got"},
		{"a pipeline with a slash", "application/json", `{"pipeline": "../p"}`, api.CodeInvalidRequest, "not the name of a pipeline"},
		{"a cookie with a space", "application/json", `{"pipeline": "p", "cookie": "a b"}`, api.CodeInvalidRequest, "cookie"},
		{"a queue in capitals", "application/json", `{"pipeline": "p", "queue": "Q"}`, api.CodeInvalidRequest, "queue"},
		{"a label with a new line", "application/json", `{"pipeline": "p", "labels": {"a": "\n"}}`, api.CodeInvalidRequest, "labels"},
		{"variables that are a list", "application/json", `{"pipeline": "p", "variables": []}`, api.CodeInvalidRequest, "variables: must be a JSON object"},
		{"variables that are too deep", "application/json", deep(500), api.CodeInvalidRequest, "deeper than 500"},
		{"deeper than anybody reads", "application/json", deep(20_000), api.CodeInvalidRequest, "depth"},
		{"brackets in text are not depth", "application/json", `{"pipeline": "p", "variables": {"x": "` + strings.Repeat(`[\"`, 600) + `"}}`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.code == "" {
				w.want(http.StatusCreated, "POST", "/v1/runs", tt.body, "Content-Type", tt.kind)
				return
			}
			a := w.refused(tt.code, "POST", "/v1/runs", tt.body, "Content-Type", tt.kind)
			if !strings.Contains(a.body, tt.says) {
				t.Errorf("problem %s does not say %q", a.body, tt.says)
			}
		})
	}
}

// Each of a worker's calls checks its body.
func TestBadBodiesOfWorkers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	for _, call := range []string{"/v1/workers", wk.path("/poll"), wk.path("/heartbeat"), wk.path("/results"), wk.path("/events"), "/v1/runs/c/cancel"} {
		w.refused(api.CodeInvalidRequest, "POST", call, `{`)
		if a := w.refused(api.CodeInvalidRequest, "POST", call, `[]`); !strings.Contains(a.body, `"detail":"the body must be an object, got array"`) {
			t.Errorf("POST %s of a list answers %s", call, a.body)
		}
		w.refused(api.CodeUnsupportedMedia, "POST", call, `{}`, "Content-Type", "text/json")
		if a := w.refused(api.CodeUnsupportedMedia, "POST", call, gzipped(t, `{}`), "Content-Encoding", "gzip"); !strings.Contains(a.body, `Content-Encoding \"gzip\"`) {
			t.Errorf("POST %s of what is compressed answers %s", call, a.body)
		}
		if !strings.HasSuffix(call, "/cancel") { // which wants nothing
			w.refused(api.CodeInvalidRequest, "POST", call, `{}`)
		}
	}
	w.refused(api.CodeInvalidRequest, "POST", "/v1/runs/c/cancel", api.Cancel{Reason: strings.Repeat("r", 256)})
	w.refused(api.CodeInvalidRequest, "POST", "/v1/workers", api.Register{Name: "w", Capacity: 10_001})
	w.refused(api.CodeInvalidRequest, "POST", wk.path("/poll"), `{"session": "s", "hold_ms": -1, "holding": []}`)
}

func TestNoSuchCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { tokens(s, "a") })
	for _, tt := range []struct {
		call  string
		code  api.Code
		allow string
	}{
		{"GET /", api.CodeNotFound, ""},
		{"GET /v1", api.CodeNotFound, ""},
		{"GET /v2/runs", api.CodeNotFound, ""},
		{"POST /v1/runs/c/retry", api.CodeNotFound, ""},
		{"GET /v1/runs/c/d/e", api.CodeNotFound, ""},
		{"GET /v1//runs", api.CodeNotFound, ""},
		{"DELETE /v1/runs", api.CodeMethodNotAllowed, "GET, POST"},
		{"PUT /v1/runs/c", api.CodeMethodNotAllowed, "GET"},
		{"GET /v1/workers/w/poll", api.CodeMethodNotAllowed, "POST"},
		{"POST /livez", api.CodeMethodNotAllowed, "GET"},
	} {
		method, path, _ := strings.Cut(tt.call, " ")
		a := w.refused(tt.code, method, path, nil)
		for allowed := range strings.SplitSeq(tt.allow, ", ") {
			if !strings.Contains(a.header.Get("Allow"), allowed) {
				t.Errorf("%s: Allow is %q, want %q", tt.call, a.header.Get("Allow"), tt.allow)
			}
		}
	}
}

// No more polls are parked than the limit says. A worker's newer poll takes
// the place of its older.
func TestPollLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.MaxPolls = 2 })
	one, two, three := w.register("one", 1), w.register("two", 1), w.register("three", 1)
	first := one.park()
	two.park()
	w.parked(2)
	a := w.refused(api.CodeTooManyRequests, "POST", three.path("/poll"), three.asks(0, nil))
	if got := a.header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After is %q, want 1", got)
	}
	one.park()
	first.packets()
	w.parked(2)
	w.submit(api.Submit{})
	w.parked(1)
	three.poll()
}

// A worker asks for as long a hold as it likes, and is held for as long as the
// server's is.
func TestHold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		ms   int64
		want time.Duration
	}{
		{"none", 0, 0},
		{"shorter than the server's", 7000, 7 * time.Second},
		{"longer than the server's", 26_000, 25 * time.Second},
		{"longer than a duration can be", 1 << 62, 25 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			simulated(t, func(w *world) {
				wk := w.register("w", 1)
				began := time.Now()
				in := api.Poll{Session: wk.session, HoldMS: tt.ms, Holding: []api.Held{}}
				w.want(http.StatusNoContent, "POST", wk.path("/poll"), in)
				if took := time.Since(began); took != tt.want {
					w.t.Errorf("held for %v, want %v", took, tt.want)
				}
			})
		})
	}
}

// A client that is slow is cut off, and one that is only idle is not.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	const post = "POST /v1/runs HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\n"
	for _, tt := range []struct {
		name, sends string
		status      int // of the answer; 0 is none
		closed      time.Duration
	}{
		{"nothing", "", 0, 5 * time.Second},
		{"half a header", "GET /livez HTTP/1.1\r\nHost:", 0, 5 * time.Second},
		{"half a body", post + "Content-Length: 1000\r\n\r\n{", http.StatusServiceUnavailable, 30 * time.Second},
		{"half a body in chunks", post + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", http.StatusServiceUnavailable, 30 * time.Second},
		{"a whole request, and no other", "GET /livez HTTP/1.1\r\nHost: w\r\n\r\n", http.StatusOK, 2 * time.Minute},
		{"too large a header", "GET /livez HTTP/1.1\r\nHost: w\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge, 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			simulated(t, func(w *world) {
				conn, err := w.setup.pipes.Dial(w.t.Context(), "", "")
				if err != nil {
					w.t.Fatal(err)
				}
				defer conn.Close()
				began := time.Now()
				go func() { _, _ = io.WriteString(conn, tt.sends) }() // the server may close in between
				r := bufio.NewReader(conn)
				resp, err := http.ReadResponse(r, nil)
				switch {
				case err != nil && tt.status == 0:
				case err != nil || resp.StatusCode != tt.status:
					w.t.Fatalf("answer is %v, %v, want %d", resp, err, tt.status)
				default:
					body, err := io.ReadAll(resp.Body)
					if tt.status == http.StatusServiceUnavailable && !strings.Contains(string(body), "did not arrive in time") {
						w.t.Errorf("body is %s, %v, want what was waited for", body, err)
					}
				}
				_, err = io.Copy(io.Discard, r)
				if took := time.Since(began); took > tt.closed+2*time.Second || took < tt.closed && tt.closed != 30*time.Second {
					w.t.Errorf("closed after %v with %v, want %v", took, err, tt.closed)
				}
			})
		})
	}
}

// What cuts a body on its way is no fault of the body's, and the caller tries again.
func TestBodyThatEndsTooEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	for name, request := range map[string]string{
		"by its length": "results HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{}",
		"by its chunks": "results HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		"an export":     "otlp/v1/traces HTTP/1.1\r\nHost: w\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000\r\n\r\n{}",
	} {
		conn, err := net.Dial("tcp", w.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, err = io.WriteString(conn, "POST /v1/workers/w/"+request)
		if err := errors.Join(err, conn.(*net.TCPConn).CloseWrite()); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: the answer is %+v, %v, want 503 with Retry-After", name, resp, err)
		}
	}
}

// A call that ends because its caller seems to have gone has no answer, rather than
// an empty one that looks as if all were well.
func TestCallerThatSeemsToHaveGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.submit(api.Submit{Cookie: "c"})
	conn, err := net.Dial("tcp", w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /v1/runs/c HTTP/1.1\r\nHost: w\r\nPrefer: wait=25\r\n\r\n")
	if err := errors.Join(err, conn.(*net.TCPConn).CloseWrite()); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); len(got) > 0 {
		t.Errorf("the answer is %q, %v, want none", got, err)
	}
}

// A large body may take its time, as long as it comes.
func TestALargeBodyComesSlowly(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		conn, err := w.setup.pipes.Dial(w.t.Context(), "", "")
		if err != nil {
			w.t.Fatal(err)
		}
		defer conn.Close()
		body := sized(1 << 20)
		go func() {
			_, err := fmt.Fprintf(conn, "POST /v1/runs HTTP/1.1\r\nHost: w\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
			for at := 0; at < len(body) && err == nil; at += 16 << 10 {
				time.Sleep(time.Second)
				_, err = io.WriteString(conn, body[at:min(at+16<<10, len(body))])
			}
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			w.t.Fatal(err)
		}
		if said, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusCreated {
			w.t.Errorf("answer is %s %s, %v, want the run", resp.Status, said, err)
		}
	}, func(s *setup) { s.MaxBody = 1 << 20 })
}

// What a request has set of its connection's deadlines is not the next one's,
// whether or not that has a route.
func TestConnectionIsUsedAgain(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		for range 3 {
			w.submit(api.Submit{})
			time.Sleep(time.Minute)
			w.refused(api.CodeNotFound, "GET", "/nothing", nil)
			time.Sleep(time.Minute)
		}
		if n := w.setup.pipes.Dialled(); n != 1 {
			w.t.Errorf("%d connections were made, want 1", n)
		}
	})
}

// A poll that was held and one that is answered late are both whole.
func TestLateAnswer(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		wk := w.register("w", 1)
		parked := wk.park()
		synctest.Wait()
		time.Sleep(24 * time.Second)
		w.submit(api.Submit{Cookie: "c"})
		if got := runs(w.t, parked.packets()); len(got) != 1 {
			w.t.Errorf("the parked poll = %v, want the RUN", got)
		}
	}, func(s *setup) { s.Hold = 5 * time.Minute; s.Lease = 10 * time.Minute })
}

// A caller that is too fast is told when to come back; others, and workers, do
// not notice.
func TestEachTokenHasItsPace(t *testing.T) {
	t.Parallel()
	simulated(t, func(w *world) {
		wk := w.register("w", 1)
		for range 3 {
			w.want(http.StatusOK, "GET", "/v1/workers", nil)
		}
		a := w.refused(api.CodeTooManyRequests, "GET", "/v1/workers", nil)
		if got := a.header.Get("Retry-After"); got != "1" {
			w.t.Errorf("Retry-After is %q, want 1", got)
		}
		w.want(http.StatusOK, "GET", "/v1/workers", nil, "Authorization", "Bearer "+secretOf("other"))
		for range 10 {
			wk.beat()
		}
		time.Sleep(time.Second)
		for range 3 {
			w.want(http.StatusOK, "GET", "/v1/workers", nil)
		}
		w.refused(api.CodeTooManyRequests, "GET", "/v1/workers", nil)
	}, func(s *setup) {
		tokens(s, "one", "other")
		s.Rate = 3
	})
}

// A time that is of the year 10000 or before the year 0 in UTC could be written by
// no answer: it is refused, and what is asked about the run afterwards is answered.
func TestTimesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wk := w.register("w", 1)
	w.submit(api.Submit{Cookie: "c"})
	lease := wk.take()
	for _, at := range []string{"9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00"} {
		w.refused(api.CodeInvalidRequest, "POST", "/v1/runs", fmt.Sprintf(`{"pipeline": "p", "not_before": %q}`, at))
		for kind, data := range map[string]string{"log": `{"level": "info", "text": "x"}`, "progress": `{"tasks": [{}]}`} {
			event := fmt.Sprintf(`{"cookie": "c", "fence": %d, "n": 1, "at": %q, "kind": %q, "data": %s}`, lease.Fence, at, kind, data)
			w.refused(api.CodeInvalidRequest, "POST", wk.path("/events"), fmt.Sprintf(`{"session": %q, "events": [%s]}`, wk.session, event))
		}
		w.get("c")
		w.want(http.StatusOK, "GET", "/v1/runs/c/events", nil, "Accept", "application/json")
	}
}

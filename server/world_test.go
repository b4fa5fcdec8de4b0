package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun"
	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/poller/faultproxy"
	"github.com/pullrun/pullrun/server"
	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// A setup is what a test may change of its world.
type setup struct {
	server.Config
	timing store.Timing
	store  string            // address of the database
	log    slog.Handler      // of the server
	token  string            // that the world's own calls carry
	secret []string          // that no answer and no log line may hold
	pipes  *faultproxy.Pipes // in the place of TCP

	maxQueued int          // of the store
	reserve   int64        // of the store as well, in bytes
	probe     func(string) // of the store as well; nil is none
}

// A world is a running server with its store, and a client that holds every
// call to the contract.
type world struct {
	*server.Server
	t      testing.TB
	setup  setup
	url    string
	store  *store.Store
	client *http.Client
	log    *lockedBuffer
	looks  atomic.Int64 // of polls at the store

	held  sync.WaitGroup // calls that the server holds
	stop  context.CancelFunc
	ended chan error // Run sends its end
	once  sync.Once
}

// newWorld starts a server, which ends with the test.
func newWorld(t testing.TB, edit ...func(*setup)) *world {
	t.Helper()
	w := prepare(t, edit...)
	w.run()
	return w
}

// simulated runs a test in a world whose time is simulated, and whose
// connections are pipes for that reason. A connection to PostgreSQL cannot be
// one, so it is run on SQLite alone.
func simulated(t *testing.T, test func(*world), edit ...func(*setup)) {
	t.Helper()
	storetest.Only(t, storetest.SQLite)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, append(edit, func(s *setup) { s.pipes = faultproxy.NewPipes() })...)
		test(w)
		w.end()
	})
}

// prepare makes a world whose server does not run yet.
func prepare(t testing.TB, edit ...func(*setup)) *world {
	t.Helper()
	w := &world{t: t, log: &lockedBuffer{}, ended: make(chan error, 1)}
	w.setup = setup{
		Config: server.Config{
			Listen: "127.0.0.1:0", Hold: 25 * time.Second, Lease: time.Minute, Renew: 15 * time.Second,
			MaxAttempts: 3, MaxBody: 64 << 10, MaxResult: 16 << 10, ShutdownTimeout: 5 * time.Second, Credential: 24 * time.Hour,
			Version: "test", OpenAPI: pullrun.OpenAPI,
		},
		timing: store.DefaultTiming(),
		store:  storetest.URL(t),
		log:    slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}),
	}
	for _, e := range edit {
		e(&w.setup)
	}
	log := slog.New(w.setup.log)
	var err error
	if w.store, err = store.Open(t.Context(), w.setup.store, store.Options{Log: log, Timing: w.setup.timing, MaxQueued: w.setup.maxQueued, Reserve: w.setup.reserve, Probe: w.probe}); err != nil {
		t.Fatal(err)
	}
	if w.Server, err = server.New(w.setup.Config, w.store, log); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	w.url = w.URL()
	if p := w.setup.pipes; p != nil {
		if err := w.Listen(p); err != nil {
			t.Fatal(err)
		}
		w.url, transport.DialContext = "http://pipe", p.Dial
	}
	w.client = &http.Client{Transport: checked{t: t, next: transport, secrets: w.setup.secret}}
	t.Cleanup(w.end)
	return w
}

func (w *world) run() {
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	go func() { w.ended <- w.Run(ctx) }()
}

// end stops the server and closes the store. It may be called twice.
func (w *world) end() {
	w.once.Do(func() {
		w.t.Helper()
		if w.stop != nil {
			w.stop()
			if err := <-w.ended; err != nil {
				w.t.Errorf("Run() = %v", err)
			}
		}
		w.held.Wait()
		w.client.CloseIdleConnections()
		if err := w.store.Close(); err != nil {
			w.t.Errorf("close store: %v", err)
		}
		for _, secret := range w.setup.secret {
			if bytes.Contains(w.log.Bytes(), []byte(secret)) {
				w.t.Errorf("the log holds a token")
			}
		}
		if w.t.Failed() {
			w.t.Logf("end of the server's log:\n%s", w.log.last(4000))
		}
	})
}

// again ends the server and starts another on the same store.
func (w *world) again() *world {
	w.t.Helper()
	w.end()
	return newWorld(w.t, func(s *setup) {
		*s = w.setup
		if s.pipes != nil {
			s.pipes = faultproxy.NewPipes()
		}
	})
}

// logged is how many log lines have the message.
func (w *world) logged(message string) int {
	return bytes.Count(w.log.Bytes(), []byte(`"msg":"`+message+`"`))
}

// An answer is what came of a call.
type answer struct {
	status int
	header http.Header
	body   string
}

// problem is the code of a problem, "" of any other answer.
func (a answer) problem() api.Code {
	var e api.Error
	if a.status < 400 || json.Unmarshal([]byte(a.body), &e) != nil {
		return ""
	}
	return e.Code
}

// request makes a request. A body that is text is sent as it is, any other as
// JSON; header is names and values in turn.
func (w *world) request(ctx context.Context, method, path string, body any, header ...string) *http.Request {
	w.t.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	case io.Reader:
		content = b
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		content = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, w.url+path, content)
	if err != nil {
		w.t.Fatal(err)
	}
	if content != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if w.setup.token != "" {
		r.Header.Set("Authorization", "Bearer "+w.setup.token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// send sends a request. It may be called by any goroutine.
func (w *world) send(r *http.Request) (answer, error) {
	resp, err := w.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}, err
}

// call makes a call that is answered, somehow.
func (w *world) call(method, path string, body any, header ...string) answer {
	w.t.Helper()
	a, err := w.send(w.request(w.t.Context(), method, path, body, header...))
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// want makes a call whose answer has the status.
func (w *world) want(status int, method, path string, body any, header ...string) answer {
	w.t.Helper()
	a := w.call(method, path, body, header...)
	if a.status != status {
		w.t.Fatalf("%s %s = %d %s, want %d", method, path, a.status, a.body, status)
	}
	return a
}

// refused makes a call that is answered with the problem.
func (w *world) refused(code api.Code, method, path string, body any, header ...string) answer {
	w.t.Helper()
	a := w.want(code.Status(), method, path, body, header...)
	if got := a.problem(); got != code {
		w.t.Fatalf("%s %s = %s, want %s", method, path, a.body, code)
	}
	return a
}

// into decodes an answer.
func into[T any](t testing.TB, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return v
}

// submit submits a run that is new.
func (w *world) submit(in api.Submit) api.Run {
	w.t.Helper()
	if in.Pipeline == "" {
		in.Pipeline = "p"
	}
	return into[api.Run](w.t, w.want(http.StatusCreated, "POST", "/v1/runs", in))
}

func (w *world) get(cookie string) api.Run {
	w.t.Helper()
	return into[api.Run](w.t, w.want(http.StatusOK, "GET", "/v1/runs/"+cookie, nil))
}

// state fails the test unless the run is in the state.
func (w *world) state(want api.State, cookie string) api.Run {
	w.t.Helper()
	run := w.get(cookie)
	if run.State != want {
		w.t.Fatalf("run %s is %s, want %s", cookie, run.State, want)
	}
	return run
}

// cancel cancels a run and returns it.
func (w *world) cancel(cookie string) api.Run {
	w.t.Helper()
	a := w.call("POST", "/v1/runs/"+cookie+"/cancel", nil)
	if a.status != http.StatusOK && a.status != http.StatusAccepted {
		w.t.Fatalf("cancel of %s = %d %s", cookie, a.status, a.body)
	}
	return into[api.Run](w.t, a)
}

// eventually waits until done. It is for what nothing tells of.
func (w *world) eventually(what string, done func() bool) {
	w.t.Helper()
	for began := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			w.t.Fatalf("waited too long until %s", what)
		}
	}
}

// probe counts the polls that have looked at the store.
func (w *world) probe(point string) {
	if w.setup.probe != nil {
		w.setup.probe(point)
	}
	if point == "poll.after" {
		w.looks.Add(1)
	}
}

// parked waits until n polls are parked.
func (w *world) parked(n int) {
	w.t.Helper()
	w.eventually("the polls are parked", func() bool { return w.Parked() == n })
}

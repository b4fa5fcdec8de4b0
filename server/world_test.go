package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun"
	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/server"
	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// A setup is what a test may change of its world.
type setup struct {
	server.Config
	timing store.Timing
	store  string       // address of the database
	log    slog.Handler // of the server
	token  string       // that the world's own calls carry
	secret []string     // that no answer and no log line may hold
	pipes  *pipes       // in the place of TCP

	maxQueued int // of the store
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
		w := newWorld(t, append(edit, func(s *setup) { s.pipes = newPipes() })...)
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
			MaxAttempts: 3, MaxBody: 64 << 10, MaxResult: 16 << 10, ShutdownTimeout: 5 * time.Second,
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
	if w.store, err = store.Open(t.Context(), w.setup.store, store.Options{Log: log, Timing: w.setup.timing, MaxQueued: w.setup.maxQueued, Probe: w.probe}); err != nil {
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
		w.url, transport.DialContext = "http://pipe", p.dial
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
			s.pipes = newPipes()
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
	if point == "poll.after" {
		w.looks.Add(1)
	}
}

// parked waits until n polls are parked.
func (w *world) parked(n int) {
	w.t.Helper()
	w.eventually("the polls are parked", func() bool { return w.Parked() == n })
}

// A worker is a session that a test plays.
type worker struct {
	*world
	name, session string
}

// register opens a session.
func (w *world) register(name string, capacity int, edit ...func(*api.Register)) *worker {
	w.t.Helper()
	wk, _ := w.registered(name, capacity, edit...)
	return wk
}

func (w *world) registered(name string, capacity int, edit ...func(*api.Register)) (*worker, api.Registered) {
	w.t.Helper()
	in := api.Register{Name: name, Capacity: capacity}
	for _, e := range edit {
		e(&in)
	}
	got := into[api.Registered](w.t, w.want(http.StatusCreated, "POST", "/v1/workers", in))
	return &worker{world: w, name: name, session: got.Session}, got
}

func (wk *worker) path(call string) string { return "/v1/workers/" + wk.name + call }

// poll asks for what there is now.
func (wk *worker) poll(held ...api.Held) []api.Packet {
	wk.t.Helper()
	return packets(wk.t, wk.call("POST", wk.path("/poll"), wk.asks(0, held)))
}

func (wk *worker) asks(hold time.Duration, held []api.Held) api.Poll {
	if held == nil {
		held = []api.Held{}
	}
	return api.Poll{Session: wk.session, HoldMS: hold.Milliseconds(), Holding: held}
}

func packets(t testing.TB, a answer) []api.Packet {
	t.Helper()
	switch a.status {
	case http.StatusNoContent:
		return nil
	case http.StatusOK:
		return into[api.Packets](t, a).Packets
	}
	t.Fatalf("poll = %d %s", a.status, a.body)
	return nil
}

// A pending call is one that the server holds.
type pending struct {
	t    testing.TB
	done chan struct{} // closed when answer or err is there
	answer
	err error
}

// await returns the answer once it is there.
func (p *pending) await() answer {
	p.t.Helper()
	<-p.done
	if p.err != nil {
		p.t.Fatalf("the call that was held: %v", p.err)
	}
	return p.answer
}

// packets returns the answer of a poll.
func (p *pending) packets() []api.Packet {
	p.t.Helper()
	return packets(p.t, p.await())
}

// hold makes a call that the server holds.
func (w *world) hold(r *http.Request) *pending {
	p := &pending{t: w.t, done: make(chan struct{})}
	w.held.Go(func() {
		defer close(p.done)
		p.answer, p.err = w.send(r)
	})
	return p
}

// park polls for as long as the server lets it.
func (wk *worker) park(held ...api.Held) *pending {
	wk.t.Helper()
	return wk.parkIn(wk.t.Context(), held...)
}

func (wk *worker) parkIn(ctx context.Context, held ...api.Held) *pending {
	wk.t.Helper()
	return wk.hold(wk.request(ctx, "POST", wk.path("/poll"), wk.asks(time.Hour, held)))
}

func (wk *worker) beat(held ...api.Held) api.Beat {
	wk.t.Helper()
	in := api.Heartbeat{Session: wk.session, Holding: append([]api.Held{}, held...)}
	return into[api.Beat](wk.t, wk.want(http.StatusOK, "POST", wk.path("/heartbeat"), in))
}

// post posts a result and returns the verdict.
func (wk *worker) post(result api.Result) api.Verdict {
	wk.t.Helper()
	in := api.Results{Session: wk.session, Results: []api.Result{result}}
	return into[api.Verdicts](wk.t, wk.want(http.StatusOK, "POST", wk.path("/results"), in)).Verdicts[0]
}

// finish ends a run well.
func (wk *worker) finish(held api.Held) {
	wk.t.Helper()
	if got := wk.post(ok(held)); got.Verdict != api.VerdictAccepted {
		wk.t.Fatalf("result of %s: %+v, want accepted", held.Cookie, got)
	}
}

// take polls for one run and acknowledges it.
func (wk *worker) take(also ...api.Held) api.Held {
	wk.t.Helper()
	got := wk.poll(also...)
	if len(got) != 1 || got[0].PacketType != api.PacketRun {
		wk.t.Fatalf("poll = %+v, want one RUN", got)
	}
	lease := held(got[0])
	if again := wk.poll(append(also, lease)...); len(again) > 0 {
		wk.t.Fatalf("poll that acknowledges = %+v, want nothing", again)
	}
	return lease
}

// held names a packet's lease.
func held(p api.Packet) api.Held { return api.Held{Cookie: p.Cookie, Fence: p.Fence} }

// ok is a result without a value.
func ok(h api.Held) api.Result { return api.Result{Cookie: h.Cookie, Fence: h.Fence, RC: api.RCOK} }

// runs are the cookies of RUN packets. Other packets fail the test.
func runs(t testing.TB, list []api.Packet) []string {
	t.Helper()
	var out []string
	for _, p := range list {
		if p.PacketType != api.PacketRun {
			t.Fatalf("packets are %+v, want RUN only", list)
		}
		out = append(out, p.Cookie)
	}
	return out
}

// pipes is a listener whose connections are in memory, and fit for simulated
// time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	dials  atomic.Int32
}

// dialled is how many connections there have been.
func (p *pipes) dialled() int { return int(p.dials.Load()) }

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.dials.Add(1)
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

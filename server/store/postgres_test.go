package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// wired opens a world through a wire.
func wired(t *testing.T) (*world, *wire) {
	t.Helper()
	wire := newWire(t)
	w := &world{t: t, url: wire.url, now: t0}
	w.open()
	return w, wire
}

// beside opens another store on the same database.
func (w *world) beside() *world {
	w.t.Helper()
	other := &world{t: w.t, url: w.url, now: w.now}
	other.open()
	return other
}

// A connection that was lost while nothing was under way is not noticed.
func TestLostConnectionIsMadeAgain(t *testing.T) {
	t.Parallel()
	w, wire := wired(t)
	for i := range 5 {
		w.submit(fmt.Sprint(i))
		wire.cut()
	}
}

// The first of two hosts is silent, as a machine is that has gone without a word.
// The other is found at the start, and when the connection to it is lost.
func TestASilentHostIsPassedOver(t *testing.T) {
	t.Parallel()
	wire := newWire(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	both, err := url.Parse(wire.url)
	if err != nil {
		t.Fatal(err)
	}
	both.Host = silent.Addr().String() + "," + both.Host
	q := both.Query()
	q.Set("connect_timeout", "1")
	both.RawQuery = q.Encode()
	w := &world{t: t, url: both.String(), now: t0}
	w.open()
	w.submit("before")
	wire.cut()
	w.submit("after")
}

// TestEveryLostAnswer loses the connection instead of each answer in turn.
// Whatever was acknowledged is there, and whatever was not may be repeated.
func TestEveryLostAnswer(t *testing.T) {
	t.Parallel()
	w, wire := wired(t)
	w.register("w", 1000)
	unknown, lost := 0, 0
	for n := 1; ; n++ {
		cookie := fmt.Sprint("run-", n)
		wire.lose(n)
		steps := []func() error{
			func() error {
				_, _, err := w.Submit(t.Context(), w.now, store.NewRun{Cookie: cookie, Pipeline: "p", Queue: "q", MaxAttempts: 9, Variables: []byte("1")})
				return err
			},
			func() error {
				out, err := w.Poll(t.Context(), w.now, store.PollIn{Worker: "w", Session: "s", Max: 100})
				if err == nil && len(out.Offers) != 1 {
					t.Errorf("answer %d: Poll() = %+v, want the run", n, out)
				}
				return err
			},
			func() error {
				res := store.Result{Cookie: cookie, Fence: 1, Worker: "w", RC: "OK", Result: []byte(cookie)}
				verdicts, _, err := w.Finish(t.Context(), w.now, []store.Result{res})
				if err == nil && verdicts[0] != store.Accepted && verdicts[0] != store.Duplicate {
					t.Errorf("answer %d: Finish() = %v", n, verdicts)
				}
				return err
			},
		}
		for _, step := range steps {
			err := step()
			for ; err != nil; err = step() {
				if !errors.Is(err, store.ErrUnavailable) {
					t.Fatalf("answer %d: %v, want ErrUnavailable", n, err)
				}
				unknown++
			}
		}
		left := wire.left()
		wire.lose(0)
		if r := w.get(cookie); r.State != store.Succeeded || r.Fence != 1 || string(r.Result) != cookie {
			t.Errorf("answer %d: run is %v under fence %d with %q, want it succeeded once", n, r.State, r.Fence, r.Result)
		}
		if left > 0 { // there was no such answer
			break
		}
		lost++
	}
	if lost < 6 || unknown < 3 {
		t.Errorf("%d answers were lost, %d calls told so; want a few of each", lost, unknown)
	}
}

// While the database is away every call says so at once, and calls succeed as
// soon as it is back.
func TestDatabaseIsAway(t *testing.T) {
	t.Parallel()
	w, wire := wired(t)
	w.submit("before")
	wire.shut(true)
	for range 3 {
		if _, _, err := w.Submit(t.Context(), w.now, store.NewRun{Cookie: "a", Pipeline: "p", Queue: "q"}); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Submit() = %v, want ErrUnavailable", err)
		}
		if _, err := w.Get(t.Context(), "before"); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Get() = %v, want ErrUnavailable", err)
		}
	}
	if w.Err() != nil {
		t.Errorf("Err() = %v, want the store to go on", w.Err())
	}
	wire.shut(false)
	for {
		_, _, err := w.Submit(t.Context(), w.now, store.NewRun{Cookie: "a", Pipeline: "p", Queue: "q"})
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("Submit() = %v, want ErrUnavailable until it is back", err)
		}
		time.Sleep(time.Millisecond) // the store has its own pace for looking
	}
	w.get("before")
}

// A run that somebody else has locked holds up its own operation only, and not
// for ever.
func TestLockedRunFailsAlone(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	w := newWorld(t)
	w.submit("locked")
	c, err := pgx.Connect(t.Context(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	if _, err := c.Exec(t.Context(), `BEGIN; SELECT 1 FROM runs WHERE cookie = 'locked' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, _, err := w.Cancel(t.Context(), w.now, "locked", "", ""); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Cancel(locked) = %v, want ErrUnavailable", err)
		}
	})
	for i := range 5 {
		wg.Go(func() { w.submit(fmt.Sprint(i)) })
	}
	wg.Wait()
	if _, err := c.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if _, moved, err := w.Cancel(t.Context(), w.now, "locked", "", ""); err != nil || len(moved) != 1 {
		t.Errorf("Cancel() = %v, %v, want it cancelled", moved, err)
	}
}

// Servers that start at once on an empty database make its tables once.
func TestServersStartAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	url := storetest.URL(t)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			s, err := store.Open(t.Context(), url, store.Options{Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Errorf("Open() = %v", err)
				return
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		})
	}
	wg.Wait()
}

// A server that starts beside another does not prolong what that one has kept
// an eye on; one that starts alone does.
func TestResumeBesideAnother(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	first := newWorld(t)
	first.register("w", 1)
	resume := func(w *world) time.Time {
		t.Helper()
		if err := w.Resume(t.Context(), t0.Add(30*time.Second)); err != nil {
			t.Fatalf("Resume() = %v", err)
		}
		workers, err := w.Workers(t.Context(), t0)
		if err != nil || len(workers) != 1 {
			t.Fatalf("Workers() = %+v, %v", workers, err)
		}
		return workers[0].ExpiresAt
	}
	if got, want := resume(first), t0.Add(90*time.Second); !got.Equal(want) {
		t.Errorf("alone, the session lasts until %v, want %v", got, want)
	}
	first.register("w", 1)
	second := first.beside()
	if got, want := resume(second), t0.Add(time.Minute); !got.Equal(want) {
		t.Errorf("beside another, the session lasts until %v, want %v", got, want)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := resume(second.beside()), t0.Add(time.Minute); !got.Equal(want) {
		t.Errorf("beside a second, the session lasts until %v, want %v", got, want)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

// Two polls of one worker at two servers never get more than it has slots.
func TestCapacityHoldsAcrossServers(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	a := newWorld(t)
	b := a.beside()
	for i := range 40 {
		a.submit(fmt.Sprint(i))
	}
	for round := range 10 {
		name := fmt.Sprint("w", round)
		a.register(name, 3)
		var mu sync.Mutex
		offered := map[string]bool{}
		var wg sync.WaitGroup
		for _, w := range []*world{a, b, a, b} {
			wg.Go(func() {
				out, err := w.Poll(t.Context(), w.now, store.PollIn{Worker: name, Session: "s", Max: 100})
				if err != nil {
					t.Errorf("Poll() = %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, o := range out.Offers {
					offered[o.Run.Cookie] = true
				}
			})
		}
		wg.Wait()
		if len(offered) != 3 {
			t.Errorf("worker with 3 slots was offered %d runs: %v", len(offered), offered)
		}
	}
}

// listen collects what a store hears.
func (w *world) listen() (heard chan store.Signal) {
	heard = make(chan store.Signal, 100)
	ctx, stop := context.WithCancel(w.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		w.Listen(ctx, func(sig store.Signal) {
			select {
			case heard <- sig:
			case <-ctx.Done():
			}
		})
	})
	w.t.Cleanup(func() { stop(); wg.Wait() })
	return heard
}

// await returns the first signal of a kind.
func await(t *testing.T, heard chan store.Signal, kind store.SignalKind) store.Signal {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case sig := <-heard:
			if sig.Kind == kind {
				return sig
			}
		case <-limit:
			t.Fatalf("no signal of kind %v", kind)
		}
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	a, wire := wired(t)
	b := a.beside()
	atA, atB := a.listen(), b.listen()
	await(t, atA, store.Resync)
	await(t, atB, store.Resync)
	run := a.submit("r", func(n *store.NewRun) { n.Labels, n.Priority = map[string]string{"os": "linux"}, 7 })
	a.Publish(store.Signal{Kind: store.RunQueued, Run: &run}, store.Signal{Kind: store.WorkerNews, Name: "w"})
	sig := await(t, atB, store.RunQueued)
	if r := sig.Run; r == nil || r.Cookie != "r" || r.Queue != "q" || r.Pipeline != "p" || r.Labels["os"] != "linux" || r.Priority != 7 || r.Seq != run.Seq {
		t.Errorf("signal = %+v, want what the run asks for", sig.Run)
	}
	for i := range 500 { // more than one letter holds
		a.Publish(store.Signal{Kind: store.RunChanged, Name: fmt.Sprint("run-", i)})
	}
	got := map[string]bool{}
	for len(got) < 500 {
		got[await(t, atB, store.RunChanged).Name] = true
	}
	wire.cut()
	await(t, atA, store.Resync)
	await(t, atB, store.Resync)
	b.Publish(store.Signal{Kind: store.WorkerLeft, Name: "v"})
	if sig := await(t, atA, store.WorkerLeft); sig.Name != "v" {
		t.Errorf("signal = %+v, want it to be about v", sig)
	}
	for len(atA) > 0 {
		if sig := <-atA; sig.Kind == store.RunChanged {
			t.Errorf("a store hears its own %+v", sig)
		}
	}
}

// A server that is alone tells nobody. One that comes is told to look for what it
// was not told.
func TestAloneTellsNobody(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	a := newWorld(t)
	ears, err := pgx.Connect(t.Context(), a.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ears.Close(context.WithoutCancel(t.Context())) }) // nothing depends on it
	var name string
	if err := ears.QueryRow(t.Context(), `SELECT 'pullrun ' || hashtext(current_schema())`).Scan(&name); err != nil {
		t.Fatal(err)
	}
	if _, err := ears.Exec(t.Context(), `LISTEN `+pgx.Identifier{name}.Sanitize()); err != nil {
		t.Fatal(err)
	}
	a.submit("waits") // so that every look is heard of
	atA := a.listen()
	await(t, atA, store.Resync)
	await(t, atA, store.RunQueued)
	await(t, atA, store.RunQueued) // it has looked since
	a.Publish(store.Signal{Kind: store.RunChanged, Name: "unheard"})
	b := a.beside()
	atB := b.listen()
	await(t, atB, store.Resync) // of the connection
	await(t, atB, store.Resync) // of a, which was alone
	a.Publish(store.Signal{Kind: store.RunChanged, Name: "heard"})
	if sig := await(t, atB, store.RunChanged); sig.Name != "heard" {
		t.Errorf("signal = %+v, want it to be about the run that changed last", sig)
	}
	for {
		n, err := ears.WaitForNotification(t.Context())
		switch {
		case err != nil:
			t.Fatal(err)
		case strings.Contains(n.Payload, "unheard"):
			t.Errorf("letter %s with nobody to read it", n.Payload)
		case strings.Contains(n.Payload, `"heard"`):
			return
		}
	}
}

// A run whose signal was lost is told of by the tick, and the claim finds it
// though the store had seen its line empty.
func TestLostSignalCostsATick(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	a := newWorld(t)
	b := a.beside()
	b.register("w", 1)
	a.submit("first")
	b.finish(store.Result{Cookie: "first", Fence: b.run("w").Fence, Worker: "w", RC: "OK"})
	if out := b.poll("w"); len(out.Offers) > 0 {
		t.Fatalf("Poll() = %+v, want nothing", out)
	}
	a.submit("second")
	atB := b.listen()
	for await(t, atB, store.RunQueued).Name != "second" {
	}
	if out := b.poll("w"); len(out.Offers) != 1 || out.Offers[0].Run.Cookie != "second" {
		t.Errorf("Poll() = %+v, want the run of the other store", out)
	}
}

// A database that is not there and a user that is not known are the address's fault.
func TestPostgresThatDoesNotKnowTheAddress(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	good, err := url.Parse(storetest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*url.URL){
		"another database": func(u *url.URL) { u.Path = "/pullrun-none" },
		"another user":     func(u *url.URL) { u.User = url.UserPassword("pullrun-nobody", "x") },
	} {
		wrong := *good
		change(&wrong)
		if _, err := store.Open(t.Context(), wrong.String(), store.Options{Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, store.ErrAddress) {
			t.Errorf("%s: Open() = %v, want a wrong address", name, err)
		}
	}
}

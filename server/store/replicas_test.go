package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/pullrun/pullrun/server/store"
	"github.com/pullrun/pullrun/server/store/storetest"
)

// TestLeaseThatMovesMeanwhile has another server give a worker's lease away just
// when a call of that worker has listed it. The call must not take it for its
// own, nor touch the lease that is another's now.
func TestLeaseThatMovesMeanwhile(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	mine := store.Held{Cookie: "a", Fence: 1, Claim: true}
	for _, tt := range []struct {
		name string
		call func(w *world) any
		want any
	}{
		{"a claim", func(w *world) any { return w.beat("w", mine).Claimed }, []store.Held(nil)},
		{"an offer again", func(w *world) any { return len(w.poll("w").Offers) }, 0},
		{"an offer that is handed back", func(w *world) any {
			out, err := w.Poll(t.Context(), w.now, store.PollIn{Worker: "w", Session: "s", Draining: true})
			if err != nil {
				t.Errorf("Poll() = %v", err)
			}
			return len(out.Offers)
		}, 0},
		{"a new session", func(w *world) any { return w.register("w", 1).Adopted }, []store.Held(nil)},
		{"a new session that goes on", func(w *world) any {
			out := w.register("w", 1, func(n *store.NewSession) { n.Holding = []store.Held{mine} })
			return []any{out.Adopted, out.Lost}
		}, []any{[]store.Held(nil), []store.Held{mine}}},
		{"a session that ends", func(w *world) any {
			w.now = w.now.Add(2 * time.Minute)
			return moves(w.sweep().Moved)
		}, []string{}},
		{"a worker that leaves", func(w *world) any {
			moved, err := w.Leave(t.Context(), w.now, "w", "s")
			if err != nil {
				t.Errorf("Leave() = %v", err)
			}
			return moves(moved)
		}, []string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.register("w", 1)
			w.submit("a", func(n *store.NewRun) { n.Delivery = store.AtMostOnce })
			w.poll("w")
			var got any
			meanwhile(t, w, `UPDATE runs SET worker = 'v', session = 's', fence = 2, due = 0, version = version + 1 WHERE cookie = 'a'`,
				func() { got = tt.call(w) })
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("the call: (-want +got)\n%s", d)
			}
			if r := w.get("a"); r.Worker != "v" || r.Fence != 2 || r.State != store.Offered || !r.ClaimedAt.IsZero() {
				t.Errorf("run is %v, worker %q, fence %d, claimed at %v; want the offer to v left alone", r.State, r.Worker, r.Fence, r.ClaimedAt)
			}
		})
	}
}

// What a worker tells of a run that another server purges meanwhile leaves nothing
// behind.
func TestRunThatIsPurgedMeanwhile(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	told := []store.Event{{Cookie: "0", Fence: 1, No: 1, At: t0, Kind: "log", Data: []byte("{}")}}
	for _, tt := range []struct {
		name string
		tell func(w *world) error
	}{
		{"lines", func(w *world) error {
			out, err := w.AppendEvents(t.Context(), w.now, "w", told)
			if out.Kept != 0 {
				t.Errorf("AppendEvents() = %+v, want none kept", out)
			}
			return err
		}},
		{"progress", func(w *world) error { return w.Advance(t.Context(), w.now, "w", told) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.end("OK")
			meanwhile(t, w, `DELETE FROM events; DELETE FROM activity; DELETE FROM runs`, func() {
				if err := tt.tell(w); err != nil {
					t.Error(err)
				}
			})
			c, err := pgx.Connect(t.Context(), w.url)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(context.WithoutCancel(t.Context()))
			var left int
			if err := c.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM activity)`).Scan(&left); err != nil {
				t.Fatal(err)
			}
			if left != 0 {
				t.Errorf("%d rows are left of a run that is gone", left)
			}
		})
	}
}

// meanwhile runs statements in a transaction that call has to wait for, and ends
// that when call waits.
func meanwhile(t *testing.T, w *world, statements string, call func()) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	connect := func() *pgx.Conn {
		c, err := pgx.Connect(ctx, w.url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close(ctx) }) // nothing depends on it
		return c
	}
	other, watch := connect(), connect()
	var pid int
	if err := other.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
		t.Fatal(err)
	}
	tx, err := other.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, statements); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	for waits := false; !waits; {
		if err := watch.QueryRow(ctx, `SELECT count(*) > 0 FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))`, pid).Scan(&waits); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
			waits = true // it did not have to
		case <-time.After(time.Millisecond):
		}
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	<-done
}

// A server that is gone may have committed what it did not tell, so that the
// others look for themselves.
func TestOthersLookWhenAServerHasGone(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	w := newWorld(t)
	other := &world{t: t, url: w.url, now: t0}
	other.open()
	if err := other.Resume(t.Context(), t0); err != nil {
		t.Fatal(err)
	}
	w.submit("a") // of which every look tells

	heard := make(chan store.SignalKind)
	ctx, stop := context.WithCancel(t.Context())
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		w.Listen(ctx, func(sig store.Signal) {
			select {
			case heard <- sig.Kind:
			case <-ctx.Done():
			}
		})
	}()
	defer func() { stop(); <-listening }()
	until := func(want store.SignalKind) {
		t.Helper()
		for timeout := time.After(30 * time.Second); ; {
			select {
			case got := <-heard:
				if got == want {
					return
				}
			case <-timeout:
				t.Fatalf("signal %d did not come", want)
			}
		}
	}
	until(store.Resync)    // of the connection
	until(store.RunQueued) // and so it has seen the other server
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	until(store.Resync)
}

package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	w.submit("a")
	w.run("w")
	line := func(fence, no int64) store.Event {
		return store.Event{Cookie: "a", Fence: fence, No: no, At: t0, Kind: "log", Data: fmt.Appendf(nil, "%d.%d", fence, no)}
	}
	add := func(want int, events ...store.Event) {
		t.Helper()
		if got, err := w.AppendEvents(t.Context(), w.now, "w", events); got.Kept != want || err != nil {
			t.Errorf("AppendEvents() = %+v, %v, want %d", got, err, want)
		}
	}
	add(2, line(1, 1), line(1, 2))
	add(1, line(1, 2), line(1, 3))
	add(0, line(2, 1), line(0, 1), line(1, 0), store.Event{Cookie: "none", Fence: 1, No: 1})
	if got, err := w.AppendEvents(t.Context(), w.now, "other", []store.Event{line(1, 4)}); got.Kept != 0 || err != nil {
		t.Errorf("AppendEvents() of another worker = %+v, %v, want 0", got, err)
	}
	w.finish(store.Result{Cookie: "a", Fence: 1, Worker: "w", Release: true})
	add(1, line(1, 4)) // that was on its way
	w.run("w")
	add(1, line(1, 5), line(2, 1))
	var got []string
	var after int64
	for range 4 {
		events, err := w.Events(t.Context(), "a", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			got = append(got, string(e.Data))
			wantDiff(t, "Events()", e, func() store.Event { want := line(e.Fence, e.No); want.N = e.N; return want }())
			after = e.N
		}
	}
	wantDiff(t, "Events() in order", got, []string{"1.1", "1.2", "1.3", "1.4", "2.1"})
}

// A run that logs without end keeps what it logged last, and the numbers say how
// much is missing.
func TestTheNewestEventsAreKept(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		long  int // bytes of each
		lines int
		most  int
	}{
		{name: "by their number", long: 1, lines: store.MaxEvents * 3, most: store.MaxEvents},
		{name: "by their size", long: 16 << 10, lines: 1000, most: store.MaxEventBytes / (16 << 10)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.register("w", 1)
			w.submit("a")
			w.run("w")
			data := make([]byte, tt.long)
			trimmed := 0
			for no := 0; no < tt.lines; {
				var batch []store.Event
				for range 500 {
					no++
					batch = append(batch, store.Event{Cookie: "a", Fence: 1, No: int64(no), At: t0, Kind: "log", Data: data})
				}
				got, err := w.AppendEvents(t.Context(), w.now, "w", batch)
				if got.Kept != len(batch) || err != nil {
					t.Fatalf("AppendEvents() = %+v, %v, want %d kept", got, err, len(batch))
				}
				trimmed += got.Trimmed
			}
			all, err := w.Events(t.Context(), "a", 0, tt.lines)
			if err != nil {
				t.Fatal(err)
			}
			if len(all) > tt.most || len(all) < tt.most*4/5 {
				t.Errorf("%d events of %d are kept, want at most %d and not many less", len(all), tt.lines, tt.most)
			}
			first, last := all[0], all[len(all)-1]
			if trimmed != tt.lines-len(all) {
				t.Errorf("AppendEvents() says of %d that they were trimmed, want %d", trimmed, tt.lines-len(all))
			}
			if want := int64(tt.lines - len(all)); first.Missing(0) != want || last.No != int64(tt.lines) {
				t.Errorf("from %d to %d are kept, and %d missing before; want %d missing and the last", first.No, last.No, first.Missing(0), want)
			}
			if missing := all[1].Missing(first.N); missing != 0 {
				t.Errorf("%d are missing in between", missing)
			}
			after, err := w.BeforeLast(t.Context(), "a", 3)
			if err != nil || after != all[len(all)-4].N {
				t.Errorf("BeforeLast(3) = %d, %v, want %d", after, err, all[len(all)-4].N)
			}
			if after, err := w.BeforeLast(t.Context(), "a", tt.lines); after != 0 || err != nil {
				t.Errorf("BeforeLast() of all = %d, %v, want 0", after, err)
			}
		})
	}
}

// Of where a run is only the newest is kept, and only what the holder of the
// lease says.
func TestProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("w", 1)
	w.submit("a")
	w.run("w")
	tell := func(worker string, fence, no int64, what string) {
		t.Helper()
		err := w.Advance(t.Context(), w.now, worker, []store.Event{{Cookie: "a", Fence: fence, No: no, At: t0.Add(time.Duration(no)), Kind: "progress", Data: []byte(what)}})
		if err != nil {
			t.Fatalf("Advance() = %v", err)
		}
	}
	want := func(fence int64, what string) {
		t.Helper()
		a, err := w.Activity(t.Context(), "a")
		if err != nil || string(a.Progress) != what || a.Fence != fence {
			t.Errorf("Activity() = fence %d %q, %v, want fence %d %q", a.Fence, a.Progress, err, fence, what)
		}
	}
	want(0, "")
	tell("w", 1, 2, "second")
	want(1, "second")
	tell("w", 1, 1, "first, late")
	tell("w", 2, 1, "of no lease")
	tell("other", 1, 3, "of another worker")
	want(1, "second")
	w.finish(store.Result{Cookie: "a", Fence: 1, Worker: "w", Release: true})
	w.run("w")
	tell("w", 1, 9, "of an old lease")
	tell("w", 2, 1, "again")
	want(2, "again")
	if _, err := w.AppendEvents(t.Context(), w.now, "w", []store.Event{{Cookie: "a", Fence: 2, No: 1, Kind: "log", Data: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	w.finish(store.Result{Cookie: "a", Fence: 2, Worker: "w", RC: "OK", LastEvent: 7})
	want(2, "again")
	a, err := w.Activity(t.Context(), "a")
	if want := int64(2)<<32 | 7; a.Last != want || err != nil {
		t.Errorf("Activity() has %d for the last event, %v, want %d", a.Last, err, want)
	}
}

package server_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pullrun/pullrun/api"
)

// allocated is how many bytes were allocated while f ran.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A list is refused before it is decoded if it is longer than any may be,
// however short its entries and whatever its name is written like.
func TestLongListsAreNotDecoded(t *testing.T) { // not parallel: it measures
	w := newWorld(t, func(s *setup) { s.MaxBody, s.MaxResult = 1<<20, 1<<20 })
	wk := w.register("w", 1)
	const size = 600_000
	list := func(frame, entry string) string {
		return fmt.Sprintf(frame, strings.TrimSuffix(strings.Repeat(entry+",", size/len(entry+",")), ","))
	}
	for _, tt := range []struct{ name, path, body, says string }{
		{"results", wk.path("/results"), list(`{"session": "s", "results": [%s]}`, "{}"), "results"},
		{"submits", "/v1/runs/batch", list(`{"runs": [%s]}`, "{}"), "runs"},
		{"events", wk.path("/events"), list(`{"session": "s\\\"", "events": [%s]}`, "{}"), "events"},
		{"runs in hand", wk.path("/heartbeat"), list(`{"session": "s", "holding": [%s]}`, "{}"), "holding"},
		{"runs in hand of a poll", wk.path("/poll"), list(`{"session": "s", "hold_ms": 1, "holding": [%s]}`, "0"), "holding"},
		{"queues", "/v1/workers", list(`{"name": "w", "capacity": 1, "queues": [%s]}`, `""`), "queues"},
		{"in capitals", wk.path("/results"), list(`{"session": "s", "RESULTS": [%s]}`, "{}"), "RESULTS"},
		{"escaped", wk.path("/results"), list(`{"session": "s", "r\u0065sults": [%s]}`, "{}"), `r\\\\u0065sults`},
		{"behind another list", wk.path("/results"), list(`{"session": "s", "x": {"a": [1, 2]}, "y": [[3, {"z": "]"}]], "results": [%s]}`, "{}"), "results"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a answer
			took := allocated(func() { a = w.refused(api.CodeInvalidRequest, "POST", tt.path, tt.body) })
			if want := fmt.Sprintf(`%s\": may have at most 10000 entries`, tt.says); !strings.Contains(a.body, want) {
				t.Errorf("the problem is %s, want %q in it", a.body, want)
			}
			if most := uint64(20 * size); took > most {
				t.Errorf("%d bytes took %d of memory, want at most %d", len(tt.body), took, most)
			}
		})
	}
}

// Long lists and texts that are a run's own are nobody's business.
func TestLongVariablesAreTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.MaxBody, s.MaxResult = 1<<20, 1<<20 })
	for name, variables := range map[string]string{
		"list": `[` + strings.Repeat("0,", 50_000) + `0]`,
		"text": `"` + strings.Repeat(`[\",`, 20_000) + `"`,
	} {
		w.submit(api.Submit{Cookie: name, Variables: []byte(`{"x": ` + variables + `}`)})
		wk := w.register("w-"+name, 1)
		lease := wk.take()
		wk.post(api.Result{Cookie: name, Fence: lease.Fence, RC: api.RCOK, Result: []byte(variables)})
		if got := w.state(api.StateSucceeded, name); string(got.Result) != variables {
			t.Errorf("the result has %d bytes, want %d", len(got.Result), len(variables))
		}
	}
}

// Large bodies take turns, so that many of them at once do not take many times
// the memory of one.
func TestLargeBodiesTakeTurns(t *testing.T) { // not parallel: it measures
	w := newWorld(t, func(s *setup) { s.MaxBody = 1 << 20 })
	body := `{"pipeline": "p", "variables": {"x": [` + strings.Repeat(`{"":0},`, 20_000) + `0]}}`
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // so that what is in use is seen
	var peak uint64
	var calls sync.WaitGroup
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
			time.Sleep(time.Millisecond)
		}
	}()
	runtime.GC()
	for range 24 {
		r := w.request(t.Context(), "POST", "/v1/runs", body)
		calls.Go(func() {
			if a, err := w.send(r); err != nil || a.status != 201 {
				t.Errorf("submit = %d, %v", a.status, err)
			}
		})
	}
	calls.Wait()
	close(stop)
	<-stopped
	t.Logf("the peak is %d MB", peak>>20)
	if most := uint64(100 << 20); peak > most {
		t.Errorf("%d bodies of %d bytes took %d of memory at the same time, want at most %d", 24, len(body), peak, most)
	}
}

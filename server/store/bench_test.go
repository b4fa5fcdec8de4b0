package store_test

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store"
)

// callers runs do b.N times in all, from n goroutines at once, and reports the
// rate per second.
func callers(b *testing.B, n int, do func(i int)) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range n {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				do(i)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
}

func BenchmarkSubmit(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprint("callers=", n), func(b *testing.B) {
			w := newWorld(b)
			callers(b, n, func(i int) { w.submit(fmt.Sprint("run-", i)) })
		})
	}
}

// drainer is a worker that takes runs, accepts them with its next poll, and
// sends their results at once.
type drainer struct {
	w        *world
	name     string
	slots    int // that it asks for at once; zero is ten
	finished func(cookie string)
}

func (d *drainer) poll(b testing.TB, slots int, holding []store.Held) []store.Offer {
	out, err := d.w.Poll(b.Context(), d.w.now, store.PollIn{Worker: d.name, Session: "s", Holding: holding, Max: slots})
	if err != nil {
		b.Error(err)
	}
	return out.Offers
}

// turn returns how many runs it finished.
func (d *drainer) turn(b testing.TB) int {
	offers := d.poll(b, cmp.Or(d.slots, 10), nil)
	if len(offers) == 0 {
		return 0
	}
	d.poll(b, 0, held(offers))
	results := make([]store.Result, len(offers))
	for i, o := range offers {
		results[i] = store.Result{
			Cookie: o.Run.Cookie, Fence: o.Run.Fence, Worker: d.name, RC: "OK", Result: o.Run.Variables,
		}
	}
	if _, _, err := d.w.Finish(b.Context(), d.w.now, results); err != nil {
		b.Error(err)
	}
	for _, r := range results {
		d.finished(r.Cookie)
	}
	return len(results)
}

// BenchmarkClaimFinish has 16 workers with ten slots drain a filled queue.
func BenchmarkClaimFinish(b *testing.B) {
	w := newWorld(b)
	var fill sync.WaitGroup
	for c := range 64 {
		fill.Go(func() {
			for i := c; i < b.N; i += 64 {
				w.submit(fmt.Sprint("run-", i))
			}
		})
	}
	fill.Wait()
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range 16 {
		d := &drainer{w: w, name: fmt.Sprint("w", i), finished: func(string) {}}
		w.register(d.name, 10)
		wg.Go(func() {
			for d.turn(b) > 0 {
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
}

// BenchmarkEndToEnd has 64 clients that submit, wait and read the result, and 16
// workers with ten slots, woken as a server would wake them.
func BenchmarkEndToEnd(b *testing.B) {
	w := newWorld(b)
	wake := make(chan struct{}, 16)
	quit := make(chan struct{})
	var waiting sync.Map // cookie to chan struct{}
	var wg sync.WaitGroup
	for i := range 16 {
		d := &drainer{w: w, name: fmt.Sprint("w", i), finished: func(cookie string) {
			done, _ := waiting.LoadAndDelete(cookie)
			close(done.(chan struct{}))
		}}
		w.register(d.name, 10)
		wg.Go(func() {
			for {
				select {
				case <-wake:
					for d.turn(b) > 0 {
					}
				case <-quit:
					return
				}
			}
		})
	}
	callers(b, 64, func(i int) {
		cookie := fmt.Sprint("run-", i)
		done := make(chan struct{})
		waiting.Store(cookie, done)
		w.submit(cookie)
		select {
		case wake <- struct{}{}:
		default: // every worker has been woken and will look
		}
		<-done
		if r := w.get(cookie); r.State != store.Succeeded {
			b.Errorf("run %s is %v", cookie, r.State)
		}
	})
	close(quit)
	wg.Wait()
}

// BenchmarkIdlePoll is a poll that changes nothing.
func BenchmarkIdlePoll(b *testing.B) {
	w := newWorld(b)
	w.register("w", 10)
	for i := range 9 {
		w.submit(fmt.Sprint("run-", i))
	}
	holding := held(w.poll("w").Offers)
	w.poll("w", holding...)
	w.now = w.now.Add(time.Millisecond)
	b.ResetTimer()
	for b.Loop() {
		w.poll("w", holding...)
	}
}

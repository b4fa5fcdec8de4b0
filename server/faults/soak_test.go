package faults

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/server/store/storetest"
)

// TestADayOfIdling lets a server and a worker idle for a simulated day: neither
// memory nor goroutines nor open files grow.
func TestADayOfIdling(t *testing.T) {
	storetest.Only(t, storetest.SQLite)
	if raceEnabled {
		out, err := simulation(t, withoutRace(t), t.Name(), 0).CombinedOutput()
		if err != nil {
			t.Errorf("without the race detector: %v\n%s", err, out)
		}
		return
	}
	dir := simDir(t)
	defer os.RemoveAll(dir)
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, dir)
		s.healed.Store(true)
		ctx, stop := context.WithCancel(context.Background())
		var all sync.WaitGroup
		all.Go(func() { s.serve(ctx) })
		synctest.Wait()
		w := &simWorker{sim: s, name: "idle", path: s.newPath(0, 1)}
		all.Go(func() { w.live(ctx, time.Second) })
		time.Sleep(time.Hour)
		early := use()
		for range 23 {
			time.Sleep(time.Hour)
		}
		late := use()
		t.Logf("after an hour %v, after a day %v", early, late)
		if late.goroutines > early.goroutines || late.files > early.files {
			t.Errorf("after an hour %v, after a day %v", early, late)
		}
		// Heaps are counted in full collections; what the runtime itself keeps
		// differs a little.
		if late.heap > early.heap+early.heap/10+256<<10 {
			t.Errorf("the heap grew from %d to %d bytes", early.heap, late.heap)
		}
		if n := s.history.made(); n < 24*120 {
			t.Errorf("the worker made %d calls in a day, want at least one every 30 s", n)
		}
		stop()
		all.Wait()
		for _, p := range s.paths {
			p.proxy.Close()
		}
	})
}

// What a process has in use.
type usage struct {
	heap              uint64 // bytes
	goroutines, files int
}

func (u usage) String() string {
	return fmt.Sprintf("%d KiB, %d goroutines, %d files", u.heap>>10, u.goroutines, u.files)
}

func use() usage {
	synctest.Wait()
	var m runtime.MemStats
	for range 2 { // what has a finalizer goes with the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	u := usage{heap: m.HeapAlloc, goroutines: runtime.NumGoroutine()}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil { // elsewhere they are not counted
		u.files = len(files)
	}
	return u
}

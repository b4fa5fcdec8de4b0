package store

import (
	"log/slog"
	"sync"
	"testing"

	"github.com/pullrun/pullrun/server/store/storetest"
)

// Two servers that wait for each other's runs are told apart by PostgreSQL, and
// the one that was ended tries again, unnoticed.
func TestDeadlockIsTriedAgain(t *testing.T) {
	t.Parallel()
	storetest.Only(t, storetest.Postgres)
	a, url := openTest(t, Options{})
	b, err := Open(t.Context(), url, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, cookie := range []string{"x", "y"} {
		if _, _, err := a.Submit(t.Context(), scriptStart, newRun(cookie)); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	attempts := 0
	var both sync.WaitGroup // have locked their first
	both.Add(2)
	var calls sync.WaitGroup
	for s, order := range map[*Store][]string{a: {"x", "y"}, b: {"y", "x"}} {
		calls.Go(func() {
			var first sync.Once
			_, err := write(t.Context(), s.writer, scriptStart, func(t *tx) (n int, err error) {
				mu.Lock()
				attempts++
				mu.Unlock()
				if _, _, err = t.run(`WHERE r.cookie = ?1`, order[0]); err != nil {
					return 0, err
				}
				first.Do(func() {
					both.Done()
					both.Wait()
				})
				_, _, err = t.run(`WHERE r.cookie = ?1`, order[1])
				return 0, err
			})
			if err != nil {
				t.Errorf("write(%v) = %v", order, err)
			}
		})
	}
	calls.Wait()
	if attempts < 3 {
		t.Errorf("there were %d attempts, want one more than calls", attempts)
	}
}

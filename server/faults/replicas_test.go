package faults

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store/storetest"
)

// TestPromisesHoldOnReplicas runs three servers on one PostgreSQL server behind
// a load balancer. One after the other is killed and replaced, and in the middle
// the database itself is killed and recovers.
func TestPromisesHoldOnReplicas(t *testing.T) {
	storetest.Only(t, storetest.Postgres)
	t.Parallel()
	seed := newSeed(t)
	dice := rand.New(rand.NewPCG(seed, 2))
	kills := 8
	if long() {
		kills = 400
	}
	db := newPostgres(t)
	b := newBalancer(t, seed)
	replicas := make([]*process, 3)
	deploy := func(i int) {
		replicas[i] = start(t, os.Args[0], role{Store: db.url})
		var alive []string
		for _, r := range replicas {
			if r != nil {
				alive = append(alive, r.addr)
			}
		}
		b.serve(alive...)
	}
	for i := range replicas {
		deploy(i)
	}
	l := &load{t: t, url: b.url(), seed: seed, clients: 6, workers: 20, history: newHistory()}
	h := l.run(func() {
		for kill := range kills {
			l.history.goOn(t, 500)
			if kill == kills/2 {
				db.restart(t)
				l.history.goOn(t, 500)
			}
			i := dice.IntN(len(replicas))
			replicas[i].kill()
			l.history.goOn(t, 100) // without it
			deploy(i)
		}
	})
	report(t, h, kills)
}

// goOn waits until there have been so many calls more. A busy machine may take
// its time over them.
func (h *history) goOn(t *testing.T, calls int) {
	t.Helper()
	last, at := h.made(), time.Now()
	for until := last + calls; last < until; time.Sleep(5 * time.Millisecond) {
		if now := h.made(); now > last {
			last, at = now, time.Now()
		} else if time.Since(at) > patience {
			t.Errorf("nothing goes on: there has been no call in %v", patience)
			return
		}
	}
}

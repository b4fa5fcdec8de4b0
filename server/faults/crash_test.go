package faults

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/pullrun/pullrun/server/store/storetest"
)

// everyPoint is each name that the store's probe is called with, but for purge,
// which a server does once a minute, and requeue, which is a submit as well.
var everyPoint = []string{
	"submit", "poll", "heartbeat", "finish", "cancel", "register", "leave", "shutdown", "events", "sweep", "resume",
	"offer", "reoffer", "accept", "adopt", "claim", "release", "expire", "due", "grant",
}

// TestPromisesHoldThroughKills kills the server under load at every point, before
// the commit and after it, and starts it again on the same database.
func TestPromisesHoldThroughKills(t *testing.T) {
	t.Parallel()
	seed := newSeed(t)
	dice := rand.New(rand.NewPCG(seed, 1))
	rounds := 1
	if long() {
		rounds = 50
	}
	url := storetest.URL(t)
	var roles []role
	for range rounds {
		for _, point := range everyPoint {
			for _, moment := range []string{".before", ".after"} {
				roles = append(roles, role{Store: url, Point: point + moment, Nth: nth(dice, point)})
			}
		}
	}
	dice.Shuffle(len(roles), func(i, j int) { roles[i], roles[j] = roles[j], roles[i] })
	report(t, killing(t, os.Args[0], seed, roles), len(roles))
}

// nth is how often a point is passed before it kills: what happens all the time
// may have happened for a while, what is rare has to come first.
func nth(dice *rand.Rand, point string) int {
	switch point {
	case "submit", "poll", "offer", "accept", "finish":
		return 1 + dice.IntN(20)
	case "heartbeat", "cancel", "claim":
		return 1 + dice.IntN(4)
	}
	return 1
}

// killing has a load call a server that ends in each role in turn.
func killing(t *testing.T, binary string, seed uint64, roles []role) *history {
	t.Helper()
	b := newBalancer(t, seed)
	l := &load{t: t, url: b.url(), seed: seed, clients: 4, workers: 4, history: newHistory()}
	return l.run(func() {
		for _, r := range roles {
			p := start(t, binary, r)
			b.serve(p.addr)
			p.killed(t, r)
		}
		last := start(t, binary, role{Store: roles[0].Store})
		b.serve(last.addr)
	})
}

// report fails the test if a promise was broken, or if the load was none.
func report(t *testing.T, h *history, faults int) {
	t.Helper()
	problems := h.problems()
	for i, p := range problems {
		if i == 5 {
			t.Errorf("and %d runs more", len(problems)-i)
			break
		}
		t.Error(p)
	}
	runs := h.byCookie()
	t.Logf("%d calls (%d without an answer), %d operations on %d runs, %d faults, %v",
		h.calls, h.silent, len(h.ops), len(runs), faults, time.Since(h.began).Round(time.Millisecond))
	if len(runs) < faults || h.silent < faults/4 {
		t.Errorf("there were %d runs and %d calls without an answer, which is too little to prove anything", len(runs), h.silent)
	}
}

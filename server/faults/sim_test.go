package faults

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullrun/pullrun/server/store/storetest"
)

const (
	// simulatedHours is how many hours are simulated, each with its own seed.
	simulatedHours = 200
	// racedHours are those of them that the race detector watches. It makes
	// them ten times as long.
	racedHours = 4
)

// hoursEnv says how many hours a process of its own simulates.
const hoursEnv = "PULLRUN_TEST_HOURS"

// TestPromisesHoldInSimulatedTime lets a server, real workers and clients go
// through hours in which the network, the server and the workers fail, and gives
// what they were told to the check that the killed servers get. A connection to
// PostgreSQL cannot be simulated, so it is SQLite alone.
func TestPromisesHoldInSimulatedTime(t *testing.T) {
	storetest.Only(t, storetest.SQLite)
	seed := newSeed(t)
	hours := simulatedHours
	switch {
	case os.Getenv("PULLRUN_TEST_SEED") != "":
		hours = 1
	case os.Getenv(hoursEnv) != "":
		hours, _ = strconv.Atoi(os.Getenv(hoursEnv)) // this test has set it
	case raceEnabled:
		simulateHours(t, seed+simulatedHours, racedHours)
		out, err := simulation(t, withoutRace(t), "TestPromisesHoldInSimulatedTime", simulatedHours).CombinedOutput()
		if err != nil {
			t.Errorf("without the race detector: %v\n%s", err, out)
		}
		t.Logf("without the race detector: %s", bytes.TrimSpace(out))
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	simulateHours(t, seed, hours)
}

// simulateHours simulates hours with seeds of their own, two at a time.
func simulateHours(t *testing.T, seed uint64, hours int) {
	began := time.Now()
	const shards = 2
	var calls, silent, runs, faults [shards]int
	t.Run("hours", func(t *testing.T) {
		for shard := range shards {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for i := shard; i < hours; i += shards {
					h, n := hour(t, seed+uint64(i))
					calls[shard], silent[shard], runs[shard], faults[shard] = calls[shard]+h.calls, silent[shard]+h.silent, runs[shard]+len(h.byCookie()), faults[shard]+n
					problems := h.problems()
					if len(problems) > 0 {
						t.Errorf("%d runs; the first: %s", len(problems), problems[0])
					}
					if t.Failed() {
						t.Fatalf("PULLRUN_TEST_SEED=%d has it again", seed+uint64(i))
					}
				}
			})
		}
	})
	all := func(n [shards]int) int { return n[0] + n[1] }
	t.Logf("%d hours: %d calls (%d without an answer) on %d runs, %d faults of the network, %v", hours, all(calls), all(silent), all(runs), all(faults), time.Since(began).Round(time.Millisecond))
	if all(runs) < 20*hours || all(faults) < 20*hours {
		t.Errorf("there were %d runs and %d faults in %d hours, which is too little to prove anything", all(runs), all(faults), hours)
	}
}

// hour simulates an hour, and returns what everybody was told and how many
// faults the network had.
func hour(t *testing.T, seed uint64) (h *history, faults int) {
	t.Helper()
	dir := simDir(t)
	defer os.RemoveAll(dir)
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, seed, dir)
		s.simulate(time.Hour, 2, 2)
		h, faults = s.history, int(s.faults.Load())
	})
	return h, faults
}

// withoutRace builds this test binary without the race detector.
func withoutRace(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "simulation")
	compile(t, binary)
	return binary
}

// simulation is a process that runs one of these tests.
func simulation(t *testing.T, binary, test string, hours int) *exec.Cmd {
	c := exec.CommandContext(t.Context(), binary, "-test.run", "^"+test+"$", "-test.v", "-test.timeout", "30m")
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%d", hoursEnv, hours))
	return c
}

// TestTheSimulationNoticesBugs gives a server and workers with a bug to the
// simulation that the true ones pass.
func TestTheSimulationNoticesBugs(t *testing.T) {
	storetest.Only(t, storetest.SQLite)
	t.Parallel()
	for _, b := range []bug{
		bugs[0],
		{
			name: "a worker starts an at-most-once run unasked", file: "../../manager/run.go",
			old: `waiting: p.Delivery == api.AtMostOnce,`, new: `waiting: false,`,
		},
	} {
		t.Run(strings.ReplaceAll(b.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			out, err := simulation(t, b.build(t), "TestPromisesHoldInSimulatedTime", 50).CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte("has it again")) {
				t.Errorf("nothing was noticed: %v\n%s", err, out)
			}
			t.Logf("noticed: %s", out)
		})
	}
}

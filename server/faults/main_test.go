// Package faults holds no code but tests: that a server keeps what it promises
// while it is killed, cut off and used badly.
//
// A [load] of clients and workers calls servers over HTTP, through the real
// client library, and records each operation with what its caller was told: the
// [history]. [history.problems] then looks for promises that were broken, and
// asks whether any order of the operations explains all the answers (run.step is
// the model). An operation without an answer may have happened or not.
//
// The servers are processes of their own, made from this test binary, that kill
// themselves at a named point of the store. Whether the check would notice a bug
// is tested with servers that have one.
//
// PULLRUN_TEST_LONG=1 makes the tests go on for much longer, PULLRUN_TEST_SEED
// repeats the choices of a run, whose seed is in its log.
package faults

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/server/store/storetest"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(serverEnv); role != "" {
		serve(role)
		return
	}
	goleak.VerifyTestMain(storetest.OnBoth(m))
}

// long reports whether the tests may take their time.
func long() bool { return os.Getenv("PULLRUN_TEST_LONG") != "" }

// newSeed is where a test's choices come from.
func newSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64() >> 32
	if text := os.Getenv("PULLRUN_TEST_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("PULLRUN_TEST_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("seed %d: PULLRUN_TEST_SEED=%d go test -run '^%s$' ./server/faults", seed, seed, t.Name())
	return seed
}

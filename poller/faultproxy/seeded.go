package faultproxy

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// Seed is where a test's choices come from: PULLRUN_TEST_SEED, or else by
// chance. A test that fails prints it.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64() >> 32
	if text := os.Getenv("PULLRUN_TEST_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("PULLRUN_TEST_SEED: %v", err)
		}
		seed = n
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d: set PULLRUN_TEST_SEED=%[1]d to have it again", seed)
		}
	})
	return seed
}

// Mixed chooses a fault of any kind for one exchange in so many, and for each
// exchange that has none the zero value. Its choices follow from the seed.
func Mixed(seed uint64, oneIn int) func(Exchange) Fault {
	r := rand.New(rand.NewPCG(seed, 1))
	kinds := []Kind{CutAt, BadGateway, Timeout, Duplicate, Drip, Late, CutAfter, Reset, Delay, BlackHole}
	return func(Exchange) Fault {
		f := Fault{Kind: kinds[r.IntN(len(kinds))], After: time.Duration(r.Int64N(int64(40 * time.Second))), At: r.IntN(1200)}
		if f.Kind == Drip {
			f.After = time.Duration(r.Int64N(int64(time.Second)))
		}
		if r.IntN(oneIn) > 0 {
			return Fault{}
		}
		return f
	}
}

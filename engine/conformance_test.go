package engine_test

import (
	"os"
	"sync/atomic"
	"testing"

	"github.com/pullrun/pullrun/engine/testcase"
)

// TestConformance runs every case of testdata/conformance, or of the
// directory that PULLRUN_CONFORMANCE names: pipelines, and what they do on the
// original engine or, under `ours`, here where they differ on purpose.
func TestConformance(t *testing.T) {
	dir := os.Getenv("PULLRUN_CONFORMANCE")
	if dir == "" {
		dir = "testdata/conformance"
	}
	// Every case has chips of its own, since some count their calls.
	runner := func() *testcase.Runner {
		return testcase.NewRunner(testcase.Options{Chips: kitChips(), Real: func(string) bool { return true }})
	}
	cases, err := runner().Dir(dir)
	if err != nil || len(cases) == 0 {
		t.Fatalf("found %d cases in %s: %v", len(cases), dir, err)
	}
	var passed atomic.Int64
	t.Run("cases", func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				if err := runner().Run(t.Context(), c); err != nil {
					t.Error(err)
					return
				}
				passed.Add(1)
			})
		}
	})
	t.Logf("%d of %d cases passed", passed.Load(), len(cases))
}

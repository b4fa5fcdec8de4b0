package engine_test

import (
	"testing"

	"github.com/pullrun/pullrun/engine/testcase"
)

// What people test their pipelines with comes to the same as TestConformance.
func TestConformanceByTestcase(t *testing.T) {
	t.Parallel()
	real := func(string) bool { return true }
	cases, err := testcase.NewRunner(testcase.Options{Chips: kitChips(), Real: real}).Dir("testdata/conformance")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 200 {
		t.Errorf("found %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			// Chips of its own, since some count their calls.
			if err := testcase.NewRunner(testcase.Options{Chips: kitChips(), Real: real}).Run(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
}

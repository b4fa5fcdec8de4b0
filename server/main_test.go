package server_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/server/store/storetest"
)

// TestMain makes sure that the tests, when all of them ran, made every call of
// the contract, and left no goroutine behind.
func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(storetest.OnBoth(everyCall{m}))
}

type everyCall struct{ *testing.M }

func (m everyCall) Run() int {
	status := m.M.Run()
	if storetest.Kind() != storetest.SQLite { // where some are refused
		return status
	}
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return status
		}
	}
	for _, missing := range contract.missing() {
		fmt.Fprintf(os.Stderr, "no test made the call %s and had its success\n", missing)
		status = max(status, 1)
	}
	return status
}

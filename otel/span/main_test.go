package span_test

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pullrun/pullrun/otel/span"
)

func TestMain(m *testing.M) {
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "OTEL_") {
			os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m)
}

var (
	run   = span.Run{Cookie: "c-4711", Pipeline: "greet", Queue: "default"}
	first = span.Attempt{Number: 1, Worker: "w-1"}
)

const (
	sampled   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	sibling   = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
	stranger  = "00-11111111111111111111111111111111-00f067aa0ba902b7-01"
)

//go:build !linux

package chips

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"time"

	"github.com/pullrun/pullrun/engine"
)

// runGroup refuses: how a program and all that it has started is ended for
// certain is known for Linux alone.
func runGroup(context.Context, *exec.Cmd, time.Duration) (ended, error) {
	return ended{}, &engine.Raised{Class: "ProgramRefused", Message: fmt.Sprintf("programs are run on Linux alone, not on %s", runtime.GOOS)}
}

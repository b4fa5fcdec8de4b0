package main

import (
	"os"
	"runtime"

	"github.com/spf13/cobra"
)

// spareHeap is how much more a long-running command may have on its heap, in
// bytes, before it is collected.
const spareHeap = 24 << 20

// roomy lets a long-running command collect its garbage less often. Go collects
// when the heap has doubled, and one of a few megabytes doubles many times a
// second under load: that took a third of a worker's CPU and a sixth of a
// server's. Memory that is never touched takes none of the machine's, but counts
// as in use, so that the heap may grow by spareHeap more, which is little to a
// large one. Whoever sets one of Go's own variables has decided otherwise.
func roomy(c *cobra.Command) *cobra.Command {
	run := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
			untouched := make([]byte, spareHeap)
			defer runtime.KeepAlive(untouched)
		}
		return run(cmd, args)
	}
	return c
}

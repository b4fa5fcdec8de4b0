package main

import (
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"
)

// profiled lets a long-running command write a CPU profile, for bench and for
// whoever looks into a busy server or worker: go tool pprof reads it.
func profiled(c *cobra.Command) *cobra.Command {
	var path string
	c.Flags().StringVar(&path, "cpu-profile", "", "`file` to write a CPU profile to, until the process ends")
	if err := c.Flags().MarkHidden("cpu-profile"); err != nil {
		panic(err) // the flag is not the one above
	}
	run := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if path == "" {
			return run(cmd, args)
		}
		f, err := os.Create(path)
		if err != nil {
			return fmt.Errorf("CPU profile: %w", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("CPU profile %q: %w", path, err)
		}
		defer pprof.StopCPUProfile()
		return run(cmd, args)
	}
	return c
}

package main

import (
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/spf13/cobra"
)

func TestRoomy(t *testing.T) { // not parallel: it looks at the heap of the whole process
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	goal := func() (bytes int64) {
		c := roomy(&cobra.Command{RunE: func(*cobra.Command, []string) error {
			runtime.GC()
			s := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
			metrics.Read(s)
			bytes = int64(s[0].Value.Uint64())
			return nil
		}})
		c.SetArgs(nil)
		if err := c.Execute(); err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	room := goal()
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		t.Run("but not where "+name+" is set", func(t *testing.T) {
			t.Setenv(name, "100")
			if usual := goal(); room-usual < spareHeap {
				t.Errorf("the heap may grow to %d bytes, and to %d without room; want %d more at least", room, usual, spareHeap)
			}
		})
	}
}

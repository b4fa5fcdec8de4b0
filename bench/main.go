// Command bench measures the whole system: real processes, real HTTP, every
// acknowledged write synced.
//
//	go run ./bench run      submit to result, with many clients at once
//	go run ./bench latency  submit to start on an idle system
//	go run ./bench polls    parked polls: memory, CPU, and the time until all are back after a restart
//
// Figures are of one machine; compare them with each other, and with those of
// another version on the same machine.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

type options struct {
	store    string // URL of the database; empty makes a file of its own
	pullrun  string // the binary to measure
	profile  string // directory for CPU profiles; empty makes none
	clients  int
	capacity int
	warm     time.Duration
	measure  time.Duration
}

var measurements = map[string]func(context.Context, options) (any, error){
	"run":     measureRuns,
	"latency": measureLatency,
	"polls":   measurePolls,
}

func main() {
	var o options
	flag.StringVar(&o.store, "store", "", "`URL` of an empty database, such as postgres://localhost/bench; empty is a new file")
	flag.StringVar(&o.pullrun, "pullrun", "bin/pullrun", "the `program` to measure")
	flag.StringVar(&o.profile, "profile", "", "`directory` to write CPU profiles of server and worker to; empty writes none")
	flag.IntVar(&o.clients, "clients", 64, "how many clients submit at once, or polls are parked")
	flag.IntVar(&o.capacity, "capacity", 128, "slots of the worker")
	flag.DurationVar(&o.warm, "warm", 2*time.Second, "how long to run before measuring")
	flag.DurationVar(&o.measure, "measure", 10*time.Second, "how long to measure")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: bench [flags] run|latency|polls")
		flag.PrintDefaults()
	}
	flag.Parse()
	measure, ok := measurements[flag.Arg(0)]
	if !ok || flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if o.profile != "" {
		if err := os.MkdirAll(o.profile, 0o755); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	figures, err := measure(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	_ = out.Encode(figures) // nobody is left to tell
}

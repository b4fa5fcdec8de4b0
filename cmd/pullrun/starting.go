package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"
)

// startPatience is how long a start may go on when a signal has come.
const startPatience = time.Second

// starting ends the process when a signal comes and the start is not over soon
// after, or a second one comes. Whatever the start hangs at, such as a file that is
// a pipe to nobody, there may be no other way out of it, and nothing is lost: nothing
// moves before the start is over, which it is when over is called.
func starting(t terminal) (over func()) {
	signals, done := caughtEnds(), make(chan struct{})
	go func() {
		var came os.Signal
		select {
		case came = <-signals:
		case <-done:
			return
		}
		select {
		case <-time.After(startPatience):
		case <-signals:
		case <-done:
			return
		}
		fmt.Fprintf(t.err, "pullrun: %s signal received while it was starting\n", came)
		os.Exit(exitInterrupted)
	}()
	return sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
	})
}

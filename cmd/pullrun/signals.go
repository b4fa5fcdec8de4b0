package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// caught are signals that do not end the process any more. It is the first thing
// that a command which takes them does: they may come while it starts, and wait
// then, as many as there is room for.
func caught(room int, which ...os.Signal) chan os.Signal {
	signals := make(chan os.Signal, room) // the runtime sends
	signal.Notify(signals, which...)
	return signals
}

// caughtEnds are the signals of twoSignals and of starting.
func caughtEnds() chan os.Signal { return caught(3, syscall.SIGINT, syscall.SIGTERM) }

// caughtHangups are the signals of onHangup. One that waits stands for all.
func caughtHangups() chan os.Signal { return caught(1, syscall.SIGHUP) }

// twoSignals gives a context that ends with the first of the signals and one
// that ends with the second. A third one ends the program where it stands: the
// runtime's own way would not do so in a container, whose first process is spared
// by signals that it does not handle.
func twoSignals(ctx context.Context, signals chan os.Signal, log *slog.Logger) (first, second context.Context, stop func()) {
	first, cancelFirst := context.WithCancel(ctx)
	second, cancelSecond := context.WithCancel(ctx)
	var watching sync.WaitGroup
	over := make(chan struct{}) // closed by stop
	watching.Go(func() {
		for _, obey := range []func(){cancelFirst, cancelSecond, func() { os.Exit(exitInterrupted) }} {
			select {
			case s := <-signals:
				log.Info("signal received", "signal", s.String())
				obey()
			case <-over:
				return
			}
		}
	})
	return first, second, func() {
		signal.Stop(signals)
		close(over)
		cancelFirst()
		cancelSecond()
		watching.Wait()
	}
}

package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// twoSignals gives a context that ends with the first SIGTERM or SIGINT and
// one that ends with the second. A third one ends the program where it stands:
// the runtime's own way would not do so in a container, whose first process is
// spared by signals that it does not handle.
func twoSignals(ctx context.Context, log *slog.Logger) (first, second context.Context, stop func()) {
	first, cancelFirst := context.WithCancel(ctx)
	second, cancelSecond := context.WithCancel(ctx)
	signals := make(chan os.Signal, 3) // the runtime sends
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
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

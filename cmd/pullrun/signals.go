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
// one that ends with the second.
func twoSignals(ctx context.Context, log *slog.Logger) (first, second context.Context, stop func()) {
	first, cancelFirst := context.WithCancel(ctx)
	second, cancelSecond := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2) // the runtime sends
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	var watching sync.WaitGroup
	watching.Go(func() {
		for _, cancel := range []func(){cancelFirst, cancelSecond} {
			select {
			case s := <-signals:
				log.Info("signal received", "signal", s.String())
				cancel()
			case <-second.Done():
				return
			}
		}
		signal.Stop(signals) // a third one kills the process
	})
	return first, second, func() {
		signal.Stop(signals)
		cancelFirst()
		cancelSecond()
		watching.Wait()
	}
}

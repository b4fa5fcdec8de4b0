package main

import (
	"context"

	"github.com/pullrun/pullrun/otel/forward"
)

// forwarding sends on what workers export. It ends with the process's own exports,
// so that a collector that does not answer is waited for once. The zero forwarding
// has not begun.
type forwarding struct {
	stop  context.CancelFunc
	ended chan struct{} // closed when nothing is sent any more
}

// begin sends what f takes.
func (f *forwarding) begin(to *forward.Forwarder) {
	ctx, stop := context.WithCancel(context.Background())
	f.stop, f.ended = stop, make(chan struct{})
	go func() {
		defer close(f.ended)
		to.Run(ctx)
	}()
}

// end sends what is left, for at most [forward.FlushTimeout].
func (f *forwarding) end() {
	if f.stop != nil {
		f.stop()
		<-f.ended
	}
}

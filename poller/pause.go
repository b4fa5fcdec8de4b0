package poller

import (
	"context"
	"errors"
	"time"

	"github.com/pullrun/pullrun/api"
)

// pauseLook is how often it is looked whether a pause has begun or ended while a
// poll is held.
const pauseLook = 5 * time.Second

// errPause ends a poll of which what it says of the worker's pause has become
// wrong.
var errPause = errors.New("a pause of the worker has begun or ended")

// polled makes a poll. It gives it up with errPause so that the next one tells the
// server what has become of the worker's pause. What the server may have sent, it
// sends again.
func (p *Poller) polled(ctx context.Context, s *session, in api.Poll) ([]api.Packet, error) {
	held, stop := context.WithCancelCause(ctx)
	over := make(chan struct{}) // closed when nobody looks any more
	go func() {
		defer close(over)
		tick := time.NewTicker(pauseLook)
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			if p.cfg.Paused() != in.Paused {
				stop(errPause)
			}
		}
	}()
	packets, err := p.server.Poll(held, s.worker, in)
	stop(nil)
	<-over
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(held), errPause) {
		err = errPause
	}
	return packets, err
}

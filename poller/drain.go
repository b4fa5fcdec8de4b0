package poller

import (
	"context"
	"fmt"
	"time"

	"github.com/pullrun/pullrun/api"
)

// parting is how long each call may take that tells the server of a drain: one
// that does not answer learns of it by the end of the leases.
const parting = 3 * time.Second

// Drain tells the server that the worker takes no more runs, and every later
// session too. The leases that are held stay, and are renewed until Run ends. It
// takes no longer than six seconds.
func (p *Poller) Drain(ctx context.Context) error {
	p.draining.Store(true)
	if s := p.session.Load(); s != nil {
		// Leave takes back every offer that no poll has named. This one names
		// those that have just arrived, and would be run twice otherwise.
		soon, cancel := soon(ctx)
		packets, err := p.server.Poll(soon, s.worker, api.Poll{Session: s.id, Holding: p.handler.Holding(), Draining: true})
		cancel()
		if err == nil { // if not, Leave says why
			p.deliver(s, packets)
		}
	}
	return p.Leave(ctx)
}

// Leave tells the server that the current session takes no more runs. Once the
// session holds nothing, it is over. It takes no longer than three seconds.
func (p *Poller) Leave(ctx context.Context) error {
	worker, id := p.Session()
	if worker == "" {
		return nil
	}
	soon, cancel := soon(ctx)
	defer cancel()
	return p.server.Leave(soon, worker, id)
}

func soon(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, parting, fmt.Errorf("no answer within %s", parting))
}

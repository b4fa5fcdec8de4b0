package poller

import (
	"context"
	"time"
)

// leaseLook is how often it is looked for contact while there are no leases, or
// they have been given up.
const leaseLook = time.Second

// leases gives the leases up when the server has not been heard of for so long that
// it may have leased the runs to somebody else, once for each silence of the server.
// It does so whatever the other loops are waiting for.
func (p *Poller) leases(ctx context.Context) {
	var silence time.Time // the contact after which they were given up
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(leaseLook)
		s, last := p.session.Load(), p.contact.last()
		if s == nil || last.Equal(silence) {
			continue
		}
		if left := time.Until(p.deadline(s)); left > 0 {
			timer.Reset(left)
			continue
		}
		if held := p.handler.Holding(); len(held) > 0 {
			p.log.WarnContext(ctx, "no contact for as long as leases last, giving them up", "leases", len(held), "lease", s.lease)
			p.handler.Leases(held, nil)
			silence = last
		}
	}
}

// LeasesEnd is when the leases that are held must be taken as lost, unless they
// are renewed. It is zero before the first registration.
func (p *Poller) LeasesEnd() time.Time {
	if s := p.session.Load(); s != nil {
		return p.deadline(s)
	}
	return time.Time{}
}

// deadline is when the leases must be taken as lost: a margin before the
// server would take them back, counted on the monotonic clock from before the
// last request that it answered.
func (p *Poller) deadline(s *session) time.Time {
	return p.contact.last().Add(s.lease - min(5*time.Second, s.lease/10))
}

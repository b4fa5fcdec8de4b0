package poller

import (
	"context"
	"time"

	"github.com/pullrun/pullrun/api"
)

// gatherFor is how long the poll after an answer with several runs waits for
// their results.
const gatherFor = 20 * time.Millisecond

// gather gives several runs that came at once a moment to end. A result tells the
// server as well as the next poll does that its run has arrived, so that of short
// runs one change less is written, and the next poll finds more slots free. One
// run alone, as an idle system has it, is not waited for.
func (p *Poller) gather(ctx context.Context, packets []api.Packet) {
	came := make(map[string]bool, len(packets))
	for _, packet := range packets {
		if packet.PacketType == api.PacketRun {
			came[packet.Cookie] = true
		}
	}
	if p.cfg.Judged == nil || len(came) < 2 {
		return
	}
	over := time.NewTimer(gatherFor)
	defer over.Stop()
	for {
		judged := p.cfg.Judged() // before the look, so that nothing is missed
		if !p.holds(came) {
			return
		}
		select {
		case <-judged:
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// holds reports whether the result of one of the runs has not been judged.
func (p *Poller) holds(cookies map[string]bool) bool {
	for _, h := range p.handler.Holding() {
		if cookies[h.Cookie] {
			return true
		}
	}
	return false
}

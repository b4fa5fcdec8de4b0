package server

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/pullrun/pullrun/api"
)

// pace holds each token to a number of calls per second, with a second's worth
// at once. What a worker calls is not counted: it has a pace of its own, and a
// result is never in the way of anything.
type pace struct {
	perSecond int // zero is no limit

	mu      sync.Mutex
	callers map[string]*rate.Limiter // by the token's name; guarded by mu
}

// check returns an error that says when to try again, if the caller has to.
func (p *pace) check(caller string, needed Scope) error {
	if p.perSecond == 0 || needed == ScopeWork {
		return nil
	}
	p.mu.Lock()
	l := p.callers[caller]
	if l == nil {
		if p.callers == nil {
			p.callers = make(map[string]*rate.Limiter)
		}
		l = rate.NewLimiter(rate.Limit(p.perSecond), p.perSecond)
		p.callers[caller] = l
	}
	p.mu.Unlock()
	place := l.Reserve()
	if place.Delay() == 0 {
		return nil
	}
	e := api.Errorf(api.CodeTooManyRequests, "token %q has made more than %d calls in a second, which is this server's limit", caller, p.perSecond)
	e.RetryAfter = (place.Delay() + time.Second - 1).Truncate(time.Second)
	place.Cancel()
	return e
}

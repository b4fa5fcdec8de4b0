package server

import (
	"math"
	"net/http"
	"sync"

	"github.com/pullrun/pullrun/api"
)

// admitted are the calls that follow a run or wait for its end. Each of them
// costs a connection for as long as its caller likes.
type admitted struct {
	mu sync.Mutex
	// Guarded by mu.
	all int
	of  map[string]int // by the token's name
}

// count is how many there are.
func (a *admitted) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all
}

// admit takes a place for a reader. When it returns without an error, leave must
// be called. Where there are tokens, one may have half of the places, so that
// nobody shuts the others out.
func (s *Server) admit(r *http.Request) (leave func(), err error) {
	most, who := s.cfg().MaxReaders, caller(r).Name
	if most == 0 {
		most = math.MaxInt
	}
	share := most
	if len(s.cfg().Tokens) > 0 {
		share = most - most/2
	}
	a := &s.admitted
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.all >= most:
		return nil, api.Errorf(api.CodeTooManyRequests, "%d callers follow runs or wait for their end, which is this server's limit", most)
	case a.of[who] >= share:
		return nil, api.Errorf(api.CodeTooManyRequests, "token %q follows runs or waits for their end %d times, which is one token's share of this server's limit", who, share)
	}
	if a.of == nil {
		a.of = make(map[string]int)
	}
	a.all++
	a.of[who]++
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.all--
		if a.of[who]--; a.of[who] == 0 {
			delete(a.of, who)
		}
	}, nil
}

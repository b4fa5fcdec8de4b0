package server

import (
	"maps"
	"time"
)

// attention is which runs somebody is looking at, so that their workers tell
// where they are more often than they need for the record.
type attention struct {
	here      map[string]int       // readers at this server, by cookie
	elsewhere map[string]time.Time // until when readers at another are taken to be there
}

// elsewhereFor is how long a reader at another server counts that has not been
// heard of again.
const elsewhereFor = 2*keepAlive + 5*time.Second

func newAttention() attention {
	return attention{here: make(map[string]int), elsewhere: make(map[string]time.Time)}
}

// attend counts a reader of a run's progress until it leaves.
func (h *hub) attend(cookie string) (leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watched.here[cookie]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.watched.here[cookie]--; h.watched.here[cookie] == 0 {
			delete(h.watched.here, cookie)
		}
	}
}

// attendedElsewhere notes that a run has a reader at another server.
func (h *hub) attendedElsewhere(cookie string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.watched.elsewhere, func(_ string, until time.Time) bool { return until.Before(now) })
	h.watched.elsewhere[cookie] = now.Add(elsewhereFor)
}

// attended reports whether somebody is looking at the run.
func (h *hub) attended(cookie string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.watched.here[cookie] > 0 || now.Before(h.watched.elsewhere[cookie])
}

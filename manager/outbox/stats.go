package outbox

import "time"

// Stats says how much waits in an outbox.
type Stats struct {
	Entries int
	Bytes   int64
	// Oldest is when the longest waiting entry was put, or found by Open if an
	// earlier process had put it. Zero when nothing waits.
	Oldest time.Time
}

// Stats says how much waits now.
func (o *Outbox) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := Stats{Entries: len(o.live), Bytes: o.bytes}
	for _, r := range o.live {
		if s.Oldest.IsZero() || r.at.Before(s.Oldest) {
			s.Oldest = r.at
		}
	}
	return s
}

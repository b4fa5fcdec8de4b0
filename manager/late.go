package manager

import (
	"time"

	"github.com/pullrun/pullrun/api"
)

// Bounds of what is remembered of results that came too late.
const (
	lateAge   = time.Hour
	lateBytes = 16 << 20
)

// lateResults remember successes that came after their leases had ended, oldest
// first. While nobody else has had the run, it comes here again, and need not
// be done again.
type lateResults struct {
	answers []lateAnswer
	bytes   int
}

type lateAnswer struct {
	run *run
	at  time.Time
}

func (l *lateResults) add(r *run, now time.Time) {
	l.answers = append(l.answers, lateAnswer{r, now})
	l.bytes += len(r.result.Result)
	l.expire(now)
}

// of is the run of this packet, if its success is remembered.
func (l *lateResults) of(p api.Packet, now time.Time) *run {
	l.expire(now)
	for _, a := range l.answers {
		if a.run.packet.Cookie == p.Cookie && sameRun(a.run.packet, p) {
			return a.run
		}
	}
	return nil
}

// expire forgets what is old, and what is too much together.
func (l *lateResults) expire(now time.Time) {
	for len(l.answers) > 0 && (l.bytes > lateBytes || len(l.answers) > maxTombs || now.Sub(l.answers[0].at) > lateAge) {
		l.bytes -= len(l.answers[0].run.result.Result)
		l.answers = l.answers[1:]
	}
}

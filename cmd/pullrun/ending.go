package main

import (
	"context"
	"errors"
	"time"
)

// An ending is why a worker takes nothing more.
type ending struct {
	reason  string
	code    int   // of the program, as far as it is the ending's to say
	refused error // why the server does not have this worker, or nil
}

// err is the end of the program. room is how many runs the worker was still to
// take, or -1. One that has done them all is done, however it was told to end.
func (e ending) err(room int) error {
	switch {
	case e.refused != nil:
		return e.refused
	case e.code == exitUnreachable:
		return withCode(e.code, errors.New("the server was out of reach for longer than contact_timeout"))
	case e.code == exitDone, room == 0, room < 0 && e.code == exitDrained:
		return nil
	}
	return withCode(e.code, errSaid)
}

// lives returns why the worker is to end, when it is.
func (w *workplace) lives(drain context.Context, polling *pollerEnd) ending {
	uptime := after(w.settings().MaxUptime)
	for {
		look := after(w.nextLook())
		select {
		case <-drain.Done():
			return ending{reason: "it was told to", code: exitDrained}
		case <-w.toEnd:
			return ending{reason: "the server asked for it", code: exitDrained}
		case <-uptime:
			return ending{reason: "max_uptime is over", code: exitDrained}
		case <-w.manager.Through():
			return ending{reason: "it has done its runs", code: exitDone}
		case <-polling.over:
			switch {
			case polling.err == nil: // the server has let go of it, which may be seen before toEnd
				return ending{reason: "the server asked for it", code: exitDrained}
			case polling.refusal() == nil:
				return ending{reason: "the run has ended already", code: exitDone}
			}
			return ending{refused: polling.err}
		case <-look:
		}
		if limit := w.settings().ContactTimeout; limit > 0 && w.poller.LostFor() >= limit {
			return ending{reason: "contact with the server is lost", code: exitUnreachable}
		}
		if limit := w.settings().IdleTimeout; limit > 0 && w.manager.Idle() >= limit {
			return ending{reason: "there was nothing to do", code: exitIdle}
		}
	}
}

// nextLook is when a limit on idleness or on silence may next be reached. Zero is
// never.
func (w *workplace) nextLook() (next time.Duration) {
	for _, l := range []struct{ limit, passed time.Duration }{
		{w.settings().ContactTimeout, w.poller.LostFor()},
		{w.settings().IdleTimeout, w.manager.Idle()},
	} {
		if left := max(l.limit-l.passed, 1); l.limit > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	return next
}

// after is time.After, and nil for no time at all.
func after(d time.Duration) <-chan time.Time {
	if d <= 0 {
		return nil
	}
	return time.After(d)
}

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/pullrun/pullrun/api"
)

// A period is what is asked for by --since and --until.
type period struct{ since, until string }

func (p *period) flags(f *pflag.FlagSet) {
	f.StringVar(&p.since, "since", "", "only what was submitted at this `time` or later, such as 2026-11-25T10:00:00Z, or so long ago at most, such as 24h")
	f.StringVar(&p.until, "until", "", "only what was submitted before this `time`, or longer ago than that")
}

func (p *period) times() (since, until time.Time, err error) {
	if since, err = timeOf(p.since, ago); err != nil {
		return since, until, usageError(fmt.Errorf("--since: %w", err))
	}
	if until, err = timeOf(p.until, ago); err != nil {
		return since, until, usageError(fmt.Errorf("--until: %w", err))
	}
	if !api.Ordered(since, until) {
		return since, until, usageError(errors.New("--until must be later than --since"))
	}
	return since, until, nil
}

func ago(d time.Duration) time.Time     { return time.Now().Add(-d) }
func fromNow(d time.Duration) time.Time { return time.Now().Add(d) }

// timeOf reads a time, or how long ago it was, or is from now. Empty is the zero
// time.
func timeOf(text string, away func(time.Duration) time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return away(d), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("wants a time such as 2026-11-25T10:00:00Z or a duration such as 24h, got %q", text)
	}
	return at, nil
}

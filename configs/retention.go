package configs

import "time"

// Retention says how long what has ended is kept.
type Retention struct {
	SucceededAge   time.Duration `mapstructure:"succeeded_age" doc:"How long a run that succeeded is kept after its end, with its result. Zero keeps it for ever."`
	SucceededCount int           `mapstructure:"succeeded_count" doc:"Most runs that succeeded that are kept, the newest. Zero is no limit."`
	FailedAge      time.Duration `mapstructure:"failed_age" doc:"How long a run that failed is kept after its end, with its result. Zero keeps it for ever."`
	FailedCount    int           `mapstructure:"failed_count" doc:"Most runs that failed that are kept, the newest. Zero is no limit."`
	CancelledAge   time.Duration `mapstructure:"cancelled_age" doc:"How long a run that was cancelled is kept after its end, with its result. Zero keeps it for ever."`
	CancelledCount int           `mapstructure:"cancelled_count" doc:"Most runs that were cancelled that are kept, the newest. Zero is no limit."`
	TimedOutAge    time.Duration `mapstructure:"timed_out_age" doc:"How long a run that ran out of time is kept after its end, with its result. Zero keeps it for ever."`
	TimedOutCount  int           `mapstructure:"timed_out_count" doc:"Most runs that ran out of time that are kept, the newest. Zero is no limit."`
	DeadAge        time.Duration `mapstructure:"dead_age" doc:"How long a run that was given up because its workers were lost is kept after its end, with its result. Zero keeps it for ever."`
	DeadCount      int           `mapstructure:"dead_count" doc:"Most runs that were given up that are kept, the newest. Zero is no limit."`
	Audit          time.Duration `mapstructure:"audit" doc:"How long the audit is kept. Submits are in it for as long as their runs are kept. Zero keeps it for ever."`
}

// defaultRetention keeps for longer what somebody may want to look into.
func defaultRetention() Retention {
	const short, long, most = 7 * day, 30 * day, 1_000_000
	return Retention{
		SucceededAge: short, SucceededCount: most, FailedAge: long, FailedCount: most, CancelledAge: short, CancelledCount: most,
		TimedOutAge: long, TimedOutCount: most, DeadAge: long, DeadCount: most, Audit: 90 * day,
	}
}

func (r Retention) check(c *check) {
	for _, end := range []struct {
		state string
		age   time.Duration
		count int
	}{
		{"succeeded", r.SucceededAge, r.SucceededCount},
		{"failed", r.FailedAge, r.FailedCount},
		{"cancelled", r.CancelledAge, r.CancelledCount},
		{"timed_out", r.TimedOutAge, r.TimedOutCount},
		{"dead", r.DeadAge, r.DeadCount},
	} {
		atLeast(c, "retention."+end.state+"_age", end.age, 0)
		atLeast(c, "retention."+end.state+"_count", end.count, 0)
	}
	atLeast(c, "retention.audit", r.Audit, 0)
}

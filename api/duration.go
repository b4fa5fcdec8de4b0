package api

import (
	"math"
	"time"
)

// Milliseconds is a duration as it travels, which may be longer than there are
// durations for.
func Milliseconds(n int64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

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

// leastRate is the rate of the slowest path that a body is given time for, in bytes
// a second.
const leastRate = 16 << 10

// Carry is how long a body of so many bytes may be on its way, besides the time
// that its call may take. Whoever sends it and whoever reads it wait as long.
func Carry(bytes int64) time.Duration {
	return Milliseconds(max(bytes, 0) / leastRate * 1000)
}

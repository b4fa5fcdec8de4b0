package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is the clock that systemd orders its messages by.
func monotonic() time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return 0 // it has one
	}
	return time.Duration(now.Nano())
}

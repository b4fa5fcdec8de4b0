package engine

import "time"

func newDate(t time.Time) any     { return t.Format(time.DateOnly) }
func newDatetime(t time.Time) any { return t.Format(time.DateTime) }

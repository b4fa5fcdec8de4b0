package chips

import (
	"context"
	"time"

	"github.com/pullrun/pullrun/engine"
)

func timeChips() []engine.Chip {
	return []engine.Chip{
		engine.NewChip("utils.time.sleep", "Waits.", sleep),
		engine.NewChip("utils.time.now", "Tells the time.", now),
	}
}

type (
	sleepRequest struct {
		Milliseconds int64 `doc:"For how long." required:"true"`
	}
	sleepResponse struct {
		Status string `doc:"Always OK." enum:"OK,ERROR"`
	}
	nowResponse struct {
		Timestamp float64 `doc:"Seconds since 1970."`
		Iso       string  `doc:"The time in UTC, such as 2024-02-28T09:30:00.123Z."`
		Date      string  `doc:"The date in UTC, such as 2024-02-28."`
	}
)

func sleep(ctx context.Context, req sleepRequest) (sleepResponse, error) {
	timer := time.NewTimer(time.Duration(req.Milliseconds) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return sleepResponse{Status: "OK"}, nil
	case <-ctx.Done():
		return sleepResponse{}, context.Cause(ctx)
	}
}

func now(context.Context, struct{}) (nowResponse, error) {
	t := time.Now().UTC()
	return nowResponse{
		Timestamp: float64(t.UnixMicro()) / 1e6,
		Iso:       t.Format("2006-01-02T15:04:05.000Z07:00"),
		Date:      t.Format(time.DateOnly),
	}, nil
}

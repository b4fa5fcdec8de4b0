package chips

import (
	"context"
	"log/slog"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/expr"
)

func debugChips() []engine.Chip {
	return []engine.Chip{
		engine.NewChip("reasonchip.debug.log", "Writes a message to the log of the run.", debugLog),
	}
}

type debugLogRequest struct {
	Level   string `doc:"How much it matters." enum:"info,debug,warning,error,critical" default:"info"`
	Message any    `doc:"What to log; anything but text is written as Python prints it." required:"true"`
}

// levelCritical is above slog's own levels, as Python's is.
const levelCritical = slog.LevelError + 4

var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warning": slog.LevelWarn,
	"error": slog.LevelError, "critical": levelCritical,
}

func debugLog(ctx context.Context, req debugLogRequest) (struct{}, error) {
	return struct{}{}, engine.Log(ctx, levels[req.Level], expr.Str(req.Message))
}

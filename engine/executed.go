package engine

import "context"

// A ProgramRun is how a program did that a chip has run.
type ProgramRun struct {
	Name     string // of its file, without the directory
	ExitCode int    // -1 when a signal ended it
}

// programKeeper is an [Observer] that wants to know of programs.
type programKeeper interface {
	Program(ctx context.Context, p ProgramRun)
}

// RanProgram is called by a chip that has run a program to its end, with the
// context that it was given.
func RanProgram(ctx context.Context, p ProgramRun) {
	if r, ok := ctx.Value(runKey{}).(*run); ok {
		if keeper, ok := r.observer.(programKeeper); ok {
			keeper.Program(ctx, p)
		}
	}
}

package engine

import "context"

// A ModelCall is what the answer of a language model says of the call.
type ModelCall struct {
	Operation string // such as "chat", in the words of OpenTelemetry's conventions
	Provider  string // whose form the answer has, such as "openai"
	Model     string // that has answered
	Input     int    // tokens that were read
	Output    int    // tokens that were written
}

// modelKeeper is an [Observer] that wants to know of calls of language models.
type modelKeeper interface {
	Model(ctx context.Context, c ModelCall)
}

// UsedModel is called by a chip that has called a language model, with the context
// that it was given.
func UsedModel(ctx context.Context, c ModelCall) {
	if r, ok := ctx.Value(runKey{}).(*run); ok {
		if keeper, ok := r.observer.(modelKeeper); ok {
			keeper.Model(ctx, c)
		}
	}
}

package server

import "context"

const (
	// largeBody is what may take so much memory while it is decoded, in bytes,
	// that it goes through the gate.
	largeBody = 64 << 10
	// maxDecoding is how many large bodies are decoded at once. None of them
	// waits for anything but the processor meanwhile.
	maxDecoding = 4
)

// A gate lets few large bodies in at once: an object or a list may take fifty
// times as much memory as its text.
type gate chan struct{}

// enter waits for its turn if the size is that of a large body. When it returns
// without an error, leave must be called.
func (g gate) enter(ctx context.Context, size int) (leave func(), err error) {
	if size <= largeBody {
		return func() {}, nil
	}
	select {
	case g <- struct{}{}:
		return func() { <-g }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

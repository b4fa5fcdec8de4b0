package span

import (
	"context"
	"sync/atomic"
)

type sendsKey struct{}

// WithSends returns a context that counts the HTTP requests of one call
// through its retries and redirects.
func WithSends(ctx context.Context) context.Context {
	return context.WithValue(ctx, sendsKey{}, new(atomic.Int64))
}

// AddSend counts one request, and returns how many there were before it: 0
// for the first, and where nobody counts.
func AddSend(ctx context.Context) int {
	n, ok := ctx.Value(sendsKey{}).(*atomic.Int64)
	if !ok {
		return 0
	}
	return int(n.Add(1)) - 1
}

// Sends returns how many requests were counted under ctx.
func Sends(ctx context.Context) int {
	n, ok := ctx.Value(sendsKey{}).(*atomic.Int64)
	if !ok {
		return 0
	}
	return int(n.Load())
}

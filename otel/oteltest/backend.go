package oteltest

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// backendPatience bounds how long a Jaeger or a Prometheus may take to start.
const backendPatience = time.Minute

// startBackend starts a program, waits until the address answers that it is
// ready, and kills it at the end of the test.
func startBackend(t testing.TB, cmd *exec.Cmd, ready string) {
	t.Helper()
	log := new(lockedBuffer)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("%s:\n%s", cmd.Path, log)
		}
	})
	deadline := time.After(backendPatience)
	for !answers(t.Context(), ready) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s has ended: %v", cmd.Path, err)
		case <-deadline:
			t.Fatalf("%s is not ready after %s", cmd.Path, backendPatience)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// freePorts finds addresses on loopback that nobody listens on.
func freePorts(t testing.TB, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // when all are known, so that none comes twice
		out = append(out, l.Addr().String())
	}
	return out
}

// lockedBuffer is written by one goroutine and read by another.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

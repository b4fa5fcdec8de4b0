package faults

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// A balancer is the one address that clients know. It hands connections to the
// servers that are alive, in turn, and closes those for which there is none. Now
// and then it cuts one in the middle, as networks do.
type balancer struct {
	listener net.Listener
	conns    sync.WaitGroup

	mu       sync.Mutex
	backends []string          // guarded by mu
	turn     int               // guarded by mu
	open     map[net.Conn]bool // guarded by mu
	closed   bool              // guarded by mu
	rand     *rand.Rand        // guarded by mu
	cut      int               // one piece of an answer in so many is cut, and its connection with it
}

func newBalancer(t *testing.T, seed uint64) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{listener: l, open: map[net.Conn]bool{}, rand: rand.New(rand.NewPCG(seed, 77)), cut: 200}
	b.conns.Go(b.accept)
	t.Cleanup(b.close)
	return b
}

func (b *balancer) url() string { return "http://" + b.listener.Addr().String() }

// serve says which servers are alive.
func (b *balancer) serve(backends ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backends = backends
}

func (b *balancer) close() {
	b.listener.Close()
	b.mu.Lock()
	b.closed = true
	for c := range b.open {
		c.Close()
	}
	b.mu.Unlock()
	b.conns.Wait()
}

func (b *balancer) accept() {
	for {
		c, err := b.listener.Accept()
		if err != nil {
			return
		}
		if b.note(c) {
			b.conns.Go(func() { b.carry(c) })
		}
	}
}

// note remembers a connection for close, which it may have come too late for.
func (b *balancer) note(c net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		c.Close()
		return false
	}
	b.open[c] = true
	return true
}

func (b *balancer) drop(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, c)
	c.Close()
}

// carry copies a connection both ways until one side ends it.
func (b *balancer) carry(client net.Conn) {
	defer b.drop(client)
	server := b.dial()
	if server == nil || !b.note(server) {
		return
	}
	defer b.drop(server)
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, client) // whichever side fails, the connection is over
		server.Close()
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := server.Read(buf)
		if n > 0 && b.cuts() {
			n, err = n/2, io.ErrUnexpectedEOF
		}
		if _, werr := client.Write(buf[:n]); werr != nil || err != nil {
			break
		}
	}
	client.Close()
	up.Wait()
}

// dial connects to the next server that answers.
func (b *balancer) dial() net.Conn {
	b.mu.Lock()
	b.turn++
	backends, turn := b.backends, b.turn
	b.mu.Unlock()
	for i := range backends {
		if c, err := net.Dial("tcp", backends[(turn+i)%len(backends)]); err == nil {
			return c
		}
	}
	return nil
}

func (b *balancer) cuts() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rand.IntN(b.cut) == 0
}

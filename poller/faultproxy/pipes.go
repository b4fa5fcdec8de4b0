package faultproxy

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// Pipes is a listener whose connections are in memory, and fit for simulated
// time.
type Pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	dials  atomic.Int32
}

// NewPipes makes a listener that nobody has dialled yet.
func NewPipes() *Pipes { return &Pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

// Accept waits for somebody to dial.
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close refuses whoever dials from now on.
func (p *Pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr is a loopback address that nothing listens on.
func (p *Pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// Dialled is how many connections there have been.
func (p *Pipes) Dialled() int { return int(p.dials.Load()) }

// Dial connects to whoever accepts, whatever address it is asked for.
func (p *Pipes) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.dials.Add(1)
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

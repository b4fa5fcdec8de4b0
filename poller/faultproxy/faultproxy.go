// Package faultproxy is a bad network for tests: a proxy that cuts, resets,
// delays, duplicates, drips and swallows what goes through it, on demand and
// repeatably.
//
// The one idea: a fault belongs to one exchange, and the test says which. Of
// plain HTTP/1.1 an exchange is a request and its answer, and each has a
// connection of its own to the server, so that the bytes of an answer can be
// counted. Of anything else, such as TLS, it is a connection.
//
// It works over whatever listens and dials, so also over [Pipes], whose time
// may be simulated. [Proxy.Close] ends every connection and waits for all.
package faultproxy

import (
	"bufio"
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// An Exchange is what a fault may happen to.
type Exchange struct {
	N            int    // counts the exchanges of the proxy from 0
	Method, Path string // empty unless it is plain HTTP
}

// A Kind says what happens.
type Kind string

// The kinds of faults. The last four are also for what is not plain HTTP.
const (
	None       Kind = ""
	CutAt      Kind = "cut at"     // after At bytes of the answer, which may be none
	BadGateway Kind = "502"        // a page in HTML; the server is not asked
	Timeout    Kind = "504"        // a page in HTML, when the answer has not begun After the request
	Duplicate  Kind = "duplicate"  // the server gets the request twice, the caller the second answer
	Drip       Kind = "drip"       // a byte of the answer at a time, or At of them, After each other
	Late       Kind = "late"       // the answer is passed on After it came
	CutAfter   Kind = "cut after"  // After its beginning
	Reset      Kind = "reset"      // in place of the answer, which was on its way
	Delay      Kind = "delay"      // what the caller sends is passed on After it came
	BlackHole  Kind = "black hole" // nothing comes through, and nobody is told
)

// A Fault is what happens to an exchange. The zero value is nothing.
type Fault struct {
	Kind  Kind
	After time.Duration
	At    int
}

// Config says what a proxy stands between.
type Config struct {
	Listener net.Listener
	// Dial connects to the server.
	Dial func(context.Context) (net.Conn, error)
	// Fault decides for each exchange, one at a time. Nil lets all pass.
	Fault func(Exchange) Fault
}

// A Proxy passes connections on. Its methods may be called concurrently.
type Proxy struct {
	cfg    Config
	ending context.Context // of everything
	end    context.CancelFunc
	all    sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	conns    map[net.Conn]bool
	count    int
	happened map[Kind]int
	blocked  bool
}

// New makes a proxy, which serves until it is closed.
func New(cfg Config) *Proxy {
	p := &Proxy{cfg: cfg, conns: make(map[net.Conn]bool), happened: make(map[Kind]int)}
	p.ending, p.end = context.WithCancel(context.Background())
	p.all.Go(p.accept)
	return p
}

// Start makes a proxy before the address, on a free port of this machine,
// which ends with the test. It returns the proxy's address.
func Start(t testing.TB, addr string, fault func(Exchange) Fault) (*Proxy, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := New(Config{Listener: l, Fault: fault, Dial: func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}})
	t.Cleanup(p.Close)
	return p, l.Addr().String()
}

// Close ends every connection and returns when all have ended.
func (p *Proxy) Close() {
	p.end()
	_ = p.cfg.Listener.Close() // it may have been before
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close() // as above
	}
	p.mu.Unlock()
	p.all.Wait()
}

// Block makes the whole path a black hole, or ends that. A connection of which
// something was swallowed never comes through again.
func (p *Proxy) Block(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocked = on
}

// Happened is how often a fault of the kind was chosen.
func (p *Proxy) Happened(k Kind) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.happened[k]
}

// Exchanges is how many there have been.
func (p *Proxy) Exchanges() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *Proxy) accept() {
	for {
		c, err := p.cfg.Listener.Accept()
		if err != nil {
			return
		}
		if p.note(c) {
			p.all.Go(func() {
				defer p.forget(c)
				p.serve(c)
			})
		}
	}
}

// note remembers a connection for Close, which it may have come too late for.
func (p *Proxy) note(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending.Err() != nil {
		_ = c.Close() // it has not been used
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) forget(c net.Conn) {
	_ = c.Close() // it may have been before
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// dial connects to the server.
func (p *Proxy) dial() (net.Conn, error) {
	c, err := p.cfg.Dial(p.ending)
	if err != nil {
		return nil, err
	}
	if !p.note(c) {
		return nil, net.ErrClosed
	}
	return c, nil
}

// fault decides what happens to the next exchange.
func (p *Proxy) fault(method, path string) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := Exchange{N: p.count, Method: method, Path: path}
	p.count++
	var f Fault
	switch {
	case p.blocked:
		f.Kind = BlackHole
	case p.cfg.Fault != nil:
		f = p.cfg.Fault(e)
	}
	p.happened[f.Kind]++
	return f
}

func (p *Proxy) isBlocked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.blocked
}

// handshake is the first byte of a TLS connection.
const handshake = 0x16

// serve carries one connection of a caller.
func (p *Proxy) serve(c net.Conn) {
	in := bufio.NewReader(c)
	switch first, err := in.Peek(1); {
	case err != nil:
	case first[0] == handshake:
		p.tunnel(c, in)
	default:
		for p.exchange(c, in) {
		}
	}
}

// wait lets time pass, unless the proxy is closed before.
func (p *Proxy) wait(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.ending.Done():
		return net.ErrClosed
	}
}

// swallow reads until the caller has had enough.
func swallow(in *bufio.Reader) {
	var err error
	for err == nil {
		_, err = in.Discard(in.Buffered() + 1)
	}
}

// reset ends a connection the hard way.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // then it ends the soft way
	}
	_ = c.Close() // all that was wanted
}

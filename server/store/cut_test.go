package store_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/pullrun/pullrun/server/store/storetest"
)

// wire stands between a store and PostgreSQL and loses connections.
type wire struct {
	t      *testing.T
	server string // where PostgreSQL listens
	url    string // of the database through the wire

	mu sync.Mutex
	// Guarded by mu.
	refuse bool // no connection is let through
	answer int  // the answer that is lost, counted from 1; zero loses none
	conns  map[net.Conn]bool

	work sync.WaitGroup
}

func newWire(t *testing.T) *wire {
	t.Helper()
	storetest.Only(t, storetest.Postgres)
	u, err := url.Parse(storetest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, server: u.Host, conns: map[net.Conn]bool{}}
	u.Host = l.Addr().String()
	q := u.Query()
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	w.url = u.String()
	w.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.work.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // nobody dials any more
		w.shut(true)
		w.work.Wait()
	})
	return w
}

// carry carries one connection until either end, or the wire, breaks it.
func (w *wire) carry(client net.Conn) {
	defer client.Close()
	if !w.keep(client) {
		return
	}
	server, err := net.Dial("tcp", w.server)
	if err != nil {
		w.t.Error(err)
		return
	}
	defer server.Close()
	if !w.keep(server) {
		return
	}
	w.work.Go(func() {
		_, _ = io.Copy(server, client) // until either is closed
		_ = server.Close()
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil || w.loses() {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (w *wire) keep(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[c] = true
	return !w.refuse
}

// loses reports whether this answer is the one to lose.
func (w *wire) loses() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answer == 0 {
		return false
	}
	w.answer--
	return w.answer == 0
}

// lose has the n-th answer from now on lost, with its connection.
func (w *wire) lose(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = n
}

// left is how many answers are still to come before the one that is lost.
func (w *wire) left() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answer
}

// cut breaks all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Close() // it may be closed
	}
	clear(w.conns)
}

// shut breaks all connections, and lets none through until it is opened.
func (w *wire) shut(refuse bool) {
	w.mu.Lock()
	w.refuse = refuse
	w.mu.Unlock()
	if refuse {
		w.cut()
	}
}

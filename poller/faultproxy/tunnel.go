package faultproxy

import (
	"bufio"
	"io"
	"net"
	"time"
)

// tunnel carries a connection that it does not understand.
func (p *Proxy) tunnel(c net.Conn, in *bufio.Reader) {
	fault := p.fault("", "")
	if fault.Kind == BlackHole {
		swallow(in)
		return
	}
	server, err := p.dial()
	if err != nil {
		return
	}
	defer p.forget(server)
	end := func() {
		_ = c.Close()      // it may have been before
		_ = server.Close() // as above
	}
	if fault.Kind == CutAfter {
		cut := time.AfterFunc(fault.After, end)
		defer cut.Stop()
	}
	p.all.Go(func() {
		defer end()
		p.copy(server, in, func() error {
			if fault.Kind == Delay {
				return p.wait(fault.After)
			}
			return nil
		})
	})
	defer end()
	switch fault.Kind {
	case Reset:
		_, _ = server.Read(make([]byte, 1)) // it has been answered
		reset(c)
	case Drip:
		p.copy(dripping{p, c, fault.After, max(fault.At, 1)}, server, nil)
	default:
		p.copy(c, server, nil)
	}
}

// copy passes on what comes until the path is blocked, after which it swallows
// the rest. before may hold each piece up.
func (p *Proxy) copy(to io.Writer, from io.Reader, before func() error) {
	piece := make([]byte, 32<<10)
	swallowed := false
	for {
		n, err := from.Read(piece)
		swallowed = swallowed || n > 0 && p.isBlocked()
		if n > 0 && !swallowed {
			if before != nil && before() != nil {
				return
			}
			if _, err := to.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if swallowed {
				<-p.ending.Done() // nobody is told of the end
			}
			return
		}
	}
}

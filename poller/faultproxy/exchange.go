package faultproxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"
)

// exchange carries one request and its answer, and reports whether the
// connection may carry another.
func (p *Proxy) exchange(c net.Conn, in *bufio.Reader) bool {
	req, err := http.ReadRequest(in)
	if err != nil {
		return false
	}
	began := time.Now()
	fault := p.fault(req.Method, req.URL.Path)
	switch fault.Kind {
	case BlackHole:
		swallow(in)
		return false
	case BadGateway:
		page(c, http.StatusBadGateway)
		return false
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return false
	}
	if fault.Kind == Delay && p.wait(fault.After) != nil {
		return false
	}
	if fault.Kind == Duplicate {
		if first, err := p.ask(req, body); err == nil {
			_, _ = io.Copy(io.Discard, first) // whatever it says
			p.forget(first)
		}
	}
	server, err := p.ask(req, body)
	if err != nil {
		page(c, http.StatusBadGateway)
		return false
	}
	defer p.forget(server)
	p.all.Go(func() { // a caller who leaves is not waited for
		_, _ = in.Peek(1)  // only its end matters
		_ = server.Close() // it may have been before
	})
	p.answer(c, server, fault, began)
	// The answer says that its connection ends with it, and so it must.
	_ = c.Close() // it may have been before
	return false
}

// ask sends the request to the server, on a connection of its own.
func (p *Proxy) ask(req *http.Request, body []byte) (net.Conn, error) {
	server, err := p.dial()
	if err != nil {
		return nil, err
	}
	out := req.Clone(p.ending)
	out.Close = true
	out.Body = io.NopCloser(bytes.NewReader(body))
	if err := out.Write(server); err != nil {
		p.forget(server)
		return nil, err
	}
	return server, nil
}

// answer passes the server's answer on.
func (p *Proxy) answer(c, server net.Conn, fault Fault, began time.Time) {
	switch fault.Kind {
	case CutAt:
		answer := bufio.NewReader(server)
		_, _ = answer.Peek(1)                       // it has been answered
		_, _ = io.CopyN(c, answer, int64(fault.At)) // a cut comes anyway
	case CutAfter:
		_ = server.SetReadDeadline(began.Add(fault.After)) // of a connection that has deadlines
		_, _ = io.Copy(c, server)                          // as above
	case Timeout:
		_ = server.SetReadDeadline(began.Add(fault.After)) // as above
		answer := bufio.NewReader(server)
		if _, err := answer.Peek(1); err != nil {
			page(c, http.StatusGatewayTimeout)
			return
		}
		_ = server.SetReadDeadline(time.Time{}) // as above
		_, _ = io.Copy(c, answer)               // its caller sees the end
	case Reset:
		_, _ = server.Read(make([]byte, 1)) // it has been answered
		reset(c)
	case Drip:
		_, _ = io.Copy(dripping{p, c, fault.After, max(fault.At, 1)}, server) // its caller sees the end
	case Late:
		raw, _ := io.ReadAll(server) // what has come is passed on
		if p.wait(fault.After) == nil {
			_, _ = c.Write(raw) // its caller sees the end
		}
	default:
		p.copy(c, server, nil)
	}
}

// page answers as proxies do.
func page(c net.Conn, status int) {
	text := fmt.Sprintf("<html><head><title>%d</title></head><body><h1>%[1]d %s</h1></body></html>\n", status, http.StatusText(status))
	fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, http.StatusText(status), len(text), text)
}

// dripping writes a few bytes at a time.
type dripping struct {
	p      *Proxy
	to     net.Conn
	every  time.Duration
	atOnce int
}

func (d dripping) Write(b []byte) (int, error) {
	written := 0
	for drop := range slices.Chunk(b, d.atOnce) {
		if err := d.p.wait(d.every); err != nil {
			return written, err
		}
		n, err := d.to.Write(drop)
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

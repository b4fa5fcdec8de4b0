package status

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// Auto listens on the first free port from 7790 to 7799 of 127.0.0.1, so that
// several workers of a machine find one each.
const Auto = "auto"

const (
	firstPort = 7790
	lastPort  = 7799
)

// ErrNoPort says that all ports of Auto are taken.
var ErrNoPort = fmt.Errorf("ports %d to %d of 127.0.0.1 are taken; set listen to another address", firstPort, lastPort)

func listen(addr string) (net.Listener, error) {
	if addr != Auto {
		l, err := net.Listen("tcp", addr)
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%w; does another worker listen there? listen: auto finds a free port", err)
		}
		return l, err
	}
	return firstFree(func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) })
}

// firstFree listens on the first address of Auto that is not taken.
func firstFree(listen func(addr string) (net.Listener, error)) (net.Listener, error) {
	for _, addr := range AutoAddrs() {
		l, err := listen(addr)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
	}
	return nil, ErrNoPort
}

// isLoopback reports whether an address, with a port or without, is one of
// this machine for itself.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// AutoAddrs are the addresses that Auto tries, in its order.
func AutoAddrs() []string {
	var out []string
	for port := firstPort; port <= lastPort; port++ {
		out = append(out, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	return out
}

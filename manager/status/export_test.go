package status

import (
	"net"
	"slices"
)

// Paths are the paths of all calls.
func (s *Surface) Paths() []string {
	var out []string
	for _, r := range s.routes() {
		out = append(out, r.path)
	}
	slices.Sort(out)
	return out
}

// FirstFree is how Auto finds a port.
func FirstFree(listen func(addr string) (net.Listener, error)) (net.Listener, error) {
	return firstFree(listen)
}

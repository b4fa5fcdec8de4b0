package status

import "slices"

// Paths are the paths of all calls.
func (s *Surface) Paths() []string {
	var out []string
	for _, r := range s.routes() {
		out = append(out, r.path)
	}
	slices.Sort(out)
	return out
}

package engine

import "fmt"

// Find finds a chip as [Chips.Lookup] does. Its error says which chip may
// have been meant.
func (cs *Chips) Find(name string) (*Chip, error) {
	if c := cs.Lookup(name); c != nil {
		return c, nil
	}
	if hint := didYouMean(name, cs.names()); hint != "" {
		return nil, fmt.Errorf("unknown chip %q; %s", name, hint)
	}
	return nil, fmt.Errorf("unknown chip %q", name)
}

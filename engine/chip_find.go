package engine

import "fmt"

// Find finds a chip as [Chips.Lookup] does. Its error is an *[Error] of class
// NoSuchChipException that says which chip may have been meant.
func (cs *Chips) Find(name string) (*Chip, error) {
	if c := cs.Lookup(name); c != nil {
		return c, nil
	}
	msg := fmt.Sprintf("unknown chip %q", name)
	if hint := didYouMean(name, cs.names()); hint != "" {
		msg += "; " + hint
	}
	return nil, &Error{Class: NoSuchChipException, Message: msg}
}

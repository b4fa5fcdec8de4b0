//go:build race

package faults

// buildFlags build servers with a bug as the tests are built.
var buildFlags = []string{"-race"}

// raceEnabled says that the race detector slows the tests down.
const raceEnabled = true

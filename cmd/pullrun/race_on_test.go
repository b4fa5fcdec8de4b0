//go:build race

package main

// buildFlags build the program under test as the tests are.
var buildFlags = []string{"-race"}

// raceFactor is how much longer things may take than they should, in halves.
const raceFactor = 3

//go:build !race

package main

// buildFlags build the program under test as the tests are.
var buildFlags []string

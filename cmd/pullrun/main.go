// Command pullrun runs pipelines on machines that nobody can reach: it is the
// server, the worker and the client in one program. "pullrun help" lists its
// commands.
//
// This package only wires the others together: one file per command, which
// reads settings, introduces the parts to each other, and waits.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(execute(context.Background(), os.Args[1:], terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/pullrun/pullrun/api"
)

// limitFlag gives a command --limit, for how many things it is about at once.
func limitFlag(c *cobra.Command, to *int, otherwise int, things string) {
	*to = otherwise
	c.Flags().Var((*limit)(to), "limit", fmt.Sprintf("how many %s, from 1 to %d", things, api.MaxListed))
}

// A limit is the value of a --limit.
type limit int

func (l *limit) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > api.MaxListed {
		return fmt.Errorf("must be a whole number from 1 to %d", api.MaxListed)
	}
	*l = limit(n)
	return nil
}

func (l *limit) String() string { return strconv.Itoa(int(*l)) }
func (l *limit) Type() string   { return "int" }

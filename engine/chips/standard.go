// Package chips holds the standard chips: HTTP requests, programs, logging,
// standard streams, JSON, text and time.
//
// All but process.run have the names and parameters of ReasonChip's, and answer to the long
// form of their names too. A chip that works with the outside world answers
// with a `status` instead of failing where that is what its pipelines were
// written for; each chip's documentation says so.
//
// [Standard] gives all of them, to be handed to [engine.NewChips].
package chips

import "github.com/pullrun/pullrun/engine"

// Options set up the standard chips.
type Options struct {
	HTTP    HTTPOptions
	Process ProcessOptions
}

// Standard gives the standard chips. It may be called more than once; each
// call has its own HTTP connections.
func Standard(opts Options) []engine.Chip {
	var list []engine.Chip
	list = append(list, httpChips(opts.HTTP)...)
	list = append(list, processChips(opts.Process)...)
	list = append(list, debugChips()...)
	list = append(list, streamsChips()...)
	list = append(list, jsonChips()...)
	list = append(list, stringsChips()...)
	list = append(list, timeChips()...)
	return list
}

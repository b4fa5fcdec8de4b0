package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong with the settings.
type Problem struct {
	Key     string `json:"key,omitempty"`    // "server.url"; empty when a file as a whole is wrong
	Message string `json:"message"`          // "must be at least 1, got 0"
	From    string `json:"source,omitempty"` // where the value came from, as in [Source]

	other string // key of the setting that this one is in conflict with, if it is
}

func (p Problem) Error() string {
	text := p.Message
	if p.Key != "" {
		text = p.Key + ": " + text
	}
	if p.From != "" {
		text += " (" + p.From + ")"
	}
	return text
}

// Problems is everything that is wrong with the settings, sorted by key.
type Problems []Problem

// Error gives each problem a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each problem to errors.As.
func (p Problems) Unwrap() []error {
	all := make([]error, len(p))
	for i, problem := range p {
		all[i] = problem
	}
	return all
}

func (p *Problems) add(key, from, format string, args ...any) {
	*p = append(*p, Problem{Key: key, Message: fmt.Sprintf(format, args...), From: from})
}

// err returns the problems in order, or nil if there are none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return cmp.Compare(a.Key, b.Key) })
	return p
}

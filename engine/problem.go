package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Phase says which part of loading found a [Problem].
type Phase string

const (
	// PhaseLoad reads files and the shape of their tasks.
	PhaseLoad Phase = "load"
	// PhaseValidate checks what tasks refer to: pipelines, chips, expressions.
	PhaseValidate Phase = "validate"
)

// A Problem is one thing that is wrong in a pipeline file.
type Problem struct {
	File    string `json:"file"`             // as the author knows it, a path
	Line    int    `json:"line,omitempty"`   // from 1; 0 where the whole file is meant
	Column  int    `json:"column,omitempty"` // from 1; 0 where the whole line is meant
	At      string `json:"at,omitempty"`     // pipeline and task, such as "main/3 > <taskset>/1"
	Class   string `json:"class"`            // of the error it is, or would be at run time
	Phase   Phase  `json:"phase"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to do about it, where that is known
}

// String gives the problem as `file:line:column: message; hint`.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	b.WriteString(": ")
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString("; ")
		b.WriteString(p.Hint)
	}
	return b.String()
}

// A LoadError says that a collection cannot be used. It holds everything
// that is wrong with it, at least one problem.
type LoadError struct {
	Problems []Problem
	Warnings []Problem // what is doubtful besides
}

// Error gives one line for each problem.
func (e *LoadError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problems collects what loading finds.
type problems struct {
	errors   []Problem
	warnings []Problem
}

func (ps *problems) error(p Problem) { ps.errors = append(ps.errors, p) }
func (ps *problems) warn(p Problem)  { ps.warnings = append(ps.warnings, p) }

// sorted puts problems in the order in which an author fixes them: what
// keeps a file from being read comes before what it refers to.
func sorted(list []Problem) []Problem {
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Phase, b.Phase), // "load" < "validate"
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
		)
	})
	return list
}

// didYouMean gives the hint for a misspelt name, or "" when no candidate is
// near.
func didYouMean(name string, candidates []string) string {
	best, distance := "", max(2, len(name)/4)+1
	for _, c := range candidates {
		if c == name {
			continue
		}
		if d := editDistance(name, c, distance+1); d < distance || d == distance && best != "" && c < best {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours between two names. It gives up at limit.
func editDistance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	var before []int
	last, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if before != nil && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, make([]int, len(b)+1)
	}
	return last[len(b)]
}

package engine

import "time"

// Limits bound what a pipeline file may hold and what one run may use. A
// field that is zero stands for its default, so Limits{} is [DefaultLimits].
// A run that reaches a limit ends with a [LimitException] that names it.
type Limits struct {
	// Time is how long a run may take, its background tasks included. An
	// error about it wraps [ErrTimeLimit]. Defaults to 1h.
	Time time.Duration

	// Grace is how long a run that was stopped waits for chips that do not
	// heed their context before it leaves them behind. Defaults to 5s.
	Grace time.Duration

	// Depth is how many task sets and pipelines may be nested, whether in a
	// file or by dispatching. Defaults to 300.
	Depth int

	// Tasks is how many tasks a run may start, each iteration of a loop
	// counted. Defaults to 1,000,000.
	Tasks int64

	// Handles is how many background tasks of a run may be alive at once.
	// Defaults to 1,000.
	Handles int64

	// Steps is how many evaluation steps a run may take in all expressions
	// and code together. Defaults to 200,000,000.
	Steps int64

	// EvalSteps is how many steps one evaluation may take.
	// Defaults to 10,000,000.
	EvalSteps int64

	// EvalMemory is how many bytes one evaluation may allocate, estimated
	// before it allocates them. Defaults to 64 MiB.
	EvalMemory int64

	// Variables is how many bytes the variables of a run may hold at once,
	// estimated. Defaults to 256 MiB.
	Variables int64

	// Output is how many bytes a run may print and log. Defaults to 4 MiB.
	Output int64

	// Result is how many bytes the result of a run may have as JSON.
	// Defaults to 16 MiB.
	Result int64

	// FileBytes is how large a pipeline file may be. Defaults to 1 MiB.
	FileBytes int64

	// FileDepth is how deeply the values in a pipeline file may be nested.
	// Defaults to 100.
	FileDepth int

	// FileNodes is how many values a pipeline file may hold once its
	// aliases are written out. Defaults to 200,000.
	FileNodes int
}

// DefaultLimits returns the limits that hold where nothing else is said.
func DefaultLimits() Limits {
	return Limits{}.filled()
}

// filled replaces what is zero by its default.
func (l Limits) filled() Limits {
	fill(&l.Time, time.Hour)
	fill(&l.Grace, 5*time.Second)
	fill(&l.Depth, 300)
	fill(&l.Tasks, 1_000_000)
	fill(&l.Handles, 1_000)
	fill(&l.Steps, 200_000_000)
	fill(&l.EvalSteps, 10_000_000)
	fill(&l.EvalMemory, 64<<20)
	fill(&l.Variables, 256<<20)
	fill(&l.Output, 4<<20)
	fill(&l.Result, 16<<20)
	fill(&l.FileBytes, 1<<20)
	fill(&l.FileDepth, 100)
	fill(&l.FileNodes, 200_000)
	return l
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

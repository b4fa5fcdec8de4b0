package engine

import (
	"strconv"
	"time"
)

// A Kind says what a task does.
type Kind string

// The kinds of tasks, in the order in which their keys are looked for.
const (
	KindTasks     Kind = "tasks"
	KindDispatch  Kind = "dispatch"
	KindBranch    Kind = "branch"
	KindReturn    Kind = "return"
	KindDeclare   Kind = "declare"
	KindTerminate Kind = "terminate"
	KindChip      Kind = "chip"
	KindCode      Kind = "code"
	KindAssert    Kind = "assert"
	KindComment   Kind = "comment" // the last, since any task may have a comment
)

// A task is one entry of a pipeline or a task set, compiled.
type task struct {
	kind   Kind
	number int // in its list, from 1
	name   string
	at     *place
	file   string
	line   int
	col    int

	when *program // nil without a condition
	log  logLevel

	loop         *loop
	variables    []variable // set as they stand
	params       []param    // rendered
	runAsync     bool
	store        *varPath
	appendInto   *varPath
	keyInto      *keyInto
	returnResult bool

	guard *guard // what is new in our language; nil for most tasks

	tasks   []*task   // of tasks
	target  string    // of dispatch, branch and chip
	next    *pipeline // of dispatch and branch
	chip    *Chip     // of chip
	code    *program  // of code
	declare []param   // of declare
	asserts []*program
	value   template // of return and terminate

	ownScope bool             // it needs a scope of its own
	nodes    map[string]*node // its fields, while the collection is loaded
}

// keepsResult reports whether a variable or the caller gets the result.
func (t *task) keepsResult() bool {
	return t.store != nil || t.appendInto != nil || t.keyInto != nil || t.returnResult
}

// A variable is an entry of `variables`.
type variable struct {
	path  varPath
	value any
}

// A param is an entry of `params` or `declare`.
type param struct {
	name    string
	path    varPath
	value   template
	perItem bool  // it mentions the item of the task's own loop
	node    *node // while the collection is loaded
}

// A loop is what `loop` holds: a list of templates, or text that gives a
// collection when it is rendered or, without a placeholder, evaluated.
type loop struct {
	items    template
	bare     *program
	parallel int // how many iterations run at once; 0 and 1 mean one
}

// A keyInto is what `key_result_into` holds.
type keyInto struct {
	name varPath
	key  template
}

// A guard holds what may happen around a task: `timeout`, `retry`, `rescue`
// and `finally`.
type guard struct {
	timeout time.Duration
	retry   *retry
	rescue  []*task
	finally []*task
}

type logLevel uint8

const (
	logNone logLevel = iota
	logTrace
	logDebug
	logInfo
)

// A place is the position of a task: its list and its number in it.
type place struct {
	parent *place // nil in a pipeline
	list   string // the pipeline, or "<taskset>"
	number int    // 0 for the list itself
}

func (p *place) String() string {
	s := p.list
	if p.number > 0 {
		s += "/" + strconv.Itoa(p.number)
	}
	if p.parent != nil {
		s = p.parent.String() + levelSep + s
	}
	return s
}

// ends reports whether a task always ends its list.
func (t *task) ends() bool {
	return t.when == nil && (t.kind == KindReturn || t.kind == KindTerminate || t.kind == KindBranch)
}

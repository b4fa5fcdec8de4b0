package expr

import (
	"maps"
	"slices"
)

// Source is compiled to closures: each node of the tree becomes a function
// that calls the functions of its parts. Names are resolved here, so that a
// local variable is a slot of a frame and a constant is just a value.

// A code evaluates an expression in a frame.
type code func(fr *frame) (Value, error)

// An action runs a statement in a frame.
type action func(fr *frame) (flow, error)

// A flow says how a statement ended.
type flow uint8

const (
	flowNext flow = iota
	flowBreak
	flowContinue
	flowReturn
)

// A frame holds the local variables of one call of a function, or of one run
// of a comprehension that needs its own.
type frame struct {
	ev       *eval
	parent   *frame // of the enclosing function
	slots    []Value
	result   Value      // of return, and of a block
	handling *Exc       // what an except clause is handling
	gen      *generator // if the function is a generator
}

// unbound is what a slot holds before its variable is assigned.
var unbound Value = &unboundSlot{}

type unboundSlot struct{ _ byte }

func isUnbound(v Value) bool {
	_, ok := v.(*unboundSlot)
	return ok
}

func newSlots(n int) []Value {
	slots := make([]Value, n)
	for i := range slots {
		slots[i] = unbound
	}
	return slots
}

// A frameInfo is what is known of a frame at compile time.
type frameInfo struct {
	outer   *frameInfo
	size    int
	outside bool // it uses variables beyond its own
	mutates bool // it may change a value in place
}

func (f *frameInfo) slot() int {
	f.size++
	return f.size - 1
}

// A scope maps the names of a function or comprehension to slots. Names
// found in no scope are the program's: they live in its Scope.
type scope struct {
	outer  *scope
	frame  *frameInfo
	slots  map[string]int
	global map[string]bool
	comp   bool // of a comprehension, through which := passes
}

// A compiler compiles one program.
type compiler struct {
	src      string
	world    *world
	scope    *scope
	block    bool // a code task, which has print
	names    map[string]bool
	mentions map[string]bool
	mutates  bool
	warnings []Warning
}

func newCompiler(src string, block bool) *compiler {
	return &compiler{
		src: src, world: theWorld(), block: block,
		scope: &scope{frame: &frameInfo{}},
		names: map[string]bool{}, mentions: map[string]bool{},
	}
}

func (c *compiler) fail(at pos, msg string) { panic(faultAt(c.src, int(at), msg, "", false)) }

func (c *compiler) program(run code) *Program {
	return &Program{
		run: run, slots: c.scope.frame.size,
		names: slices.Sorted(maps.Keys(c.names)), mentions: c.mentions,
		mutates: c.mutates, warnings: c.warnings,
	}
}

// changes notes that the program, and the functions around this place, may
// change a value in place.
func (c *compiler) changes() {
	c.mutates = true
	for f := c.scope.frame; f != nil; f = f.outer {
		f.mutates = true
	}
}

// A ref is where a name lives: in a slot of a frame some hops up, or, if
// global, in the program's Scope.
type ref struct {
	hops, slot int
	global     bool
}

func (c *compiler) resolve(name string) ref {
	for s := c.scope; s != nil; s = s.outer {
		if s.global[name] {
			break
		}
		slot, ok := s.slots[name]
		if !ok {
			continue
		}
		hops := 0
		for f := c.scope.frame; f != s.frame; f = f.outer {
			f.outside = true
			hops++
		}
		return ref{hops: hops, slot: slot}
	}
	c.mentions[name] = true
	return ref{global: true}
}

// outsideName notes that the functions around this place use a variable of
// the program.
func (c *compiler) outsideName() {
	for f := c.scope.frame; f != nil; f = f.outer {
		f.outside = true
	}
}

// enter opens a scope, with a frame of its own unless it shares that around.
func (c *compiler) enter(ownFrame bool) (leave func()) {
	outer := c.scope
	f := outer.frame
	if ownFrame {
		f = &frameInfo{outer: outer.frame}
	}
	c.scope = &scope{outer: outer, frame: f, slots: map[string]int{}}
	return func() { c.scope = outer }
}

// declare gives a name a slot in the current scope.
func (c *compiler) declare(name string) int {
	slot, ok := c.scope.slots[name]
	if !ok {
		slot = c.scope.frame.slot()
		c.scope.slots[name] = slot
	}
	return slot
}

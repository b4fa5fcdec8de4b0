package expr

import "fmt"

type opcode uint8

const (
	rxOpMatch opcode = iota
	rxOpChar
	rxOpFold
	rxOpSet
	rxOpJump
	rxOpSplit   // try the next instruction, then x
	rxOpSplitTo // try x, then the next instruction
	rxOpSave    // note the position in slot x
	rxOpAssert
	rxOpBackref
	rxOpLook   // try the code that follows, up to its match; then go to x
	rxOpAtomic // the same, and go on where it ended
	rxOpCond   // if group y has not matched, go to x
	rxOpRepeat // a set, repeated
	rxOpInit   // begin loop y
	rxOpLoop   // one more round of loop y, at the next instruction, or go to x
)

// An instr is an instruction of the matching machine.
type instr struct {
	op       opcode
	fold     bool
	lazy     bool
	behind   bool
	negate   bool
	r        rune
	x, y     int
	min, max int
	kind     assertKind
	test     func(rune) bool
	wide     int // ticks of the test for a character beyond ASCII
}

// maxRegexCode bounds the instructions of one pattern.
const maxRegexCode = 100_000

// compileRegex compiles a pattern.
func compileRegex(pattern string, flags int) (*regex, error) {
	root, p, err := parseRegex(pattern, flags)
	if err != nil {
		return nil, err
	}
	c := &regexCompiler{}
	c.node(root)
	c.emit(instr{op: rxOpMatch})
	if c.full {
		return nil, raise(excRegexError, "pattern is too large")
	}
	return &regex{
		pattern: pattern, flags: p.flags, groups: p.groups, names: p.names, order: p.order,
		code: c.code, loops: c.loops, prefix: rxPrefix(root),
	}, nil
}

type regexCompiler struct {
	code  []instr
	loops int
	full  bool
}

func (c *regexCompiler) emit(in instr) int {
	if len(c.code) >= maxRegexCode {
		c.full = true
		return 0
	}
	c.code = append(c.code, in)
	return len(c.code) - 1
}

// here makes the instruction at i lead to the next one that is emitted.
func (c *regexCompiler) here(i int) { c.code[i].x = len(c.code) }

func (c *regexCompiler) node(x rxNode) {
	switch x := x.(type) {
	case rxEmpty:
	case rxChar:
		op := rxOpChar
		if x.fold {
			op = rxOpFold
		}
		c.emit(instr{op: op, r: x.r})
	case rxSet:
		c.emit(instr{op: rxOpSet, test: x.test, wide: x.wide})
	case rxSeq:
		for _, part := range x.parts {
			c.node(part)
		}
	case rxAlt:
		c.alternatives(x.choices)
	case rxRepeat:
		c.repeat(x)
	case rxGroup:
		c.emit(instr{op: rxOpSave, x: 2 * x.index})
		c.node(x.x)
		c.emit(instr{op: rxOpSave, x: 2*x.index + 1})
	case rxBackref:
		c.emit(instr{op: rxOpBackref, x: x.index, fold: x.fold})
	case rxAssert:
		c.emit(instr{op: rxOpAssert, kind: x.kind})
	case rxLook:
		c.sub(instr{op: rxOpLook, behind: x.behind, negate: x.negate, y: x.width}, x.x)
	case rxAtomic:
		c.sub(instr{op: rxOpAtomic}, x.x)
	case rxCond:
		cond := c.emit(instr{op: rxOpCond, y: x.group})
		c.node(x.yes)
		over := c.emit(instr{op: rxOpJump})
		c.here(cond)
		c.node(x.no)
		c.here(over)
	default:
		panic(fmt.Sprintf("regex node %T is not compiled", x))
	}
}

func (c *regexCompiler) sub(in instr, x rxNode) {
	i := c.emit(in)
	c.node(x)
	c.emit(instr{op: rxOpMatch})
	c.here(i)
}

func (c *regexCompiler) alternatives(choices []rxNode) {
	var ends []int
	for i, x := range choices {
		if i == len(choices)-1 {
			c.node(x)
			break
		}
		split := c.emit(instr{op: rxOpSplit})
		c.node(x)
		ends = append(ends, c.emit(instr{op: rxOpJump}))
		c.here(split)
	}
	for _, i := range ends {
		c.here(i)
	}
}

func (c *regexCompiler) repeat(x rxRepeat) {
	if set, ok := single(x.x); ok {
		c.emit(instr{op: rxOpRepeat, test: set.test, wide: set.wide, min: x.min, max: x.max, lazy: x.lazy})
		return
	}
	if x.min == 0 && x.max == 1 {
		op := rxOpSplit
		if x.lazy {
			op = rxOpSplitTo
		}
		i := c.emit(instr{op: op})
		c.node(x.x)
		c.here(i)
		return
	}
	loop := c.loops
	c.loops++
	c.emit(instr{op: rxOpInit, y: loop})
	i := c.emit(instr{op: rxOpLoop, y: loop, min: x.min, max: x.max, lazy: x.lazy})
	c.node(x.x)
	c.emit(instr{op: rxOpJump, x: i})
	c.here(i)
}

// single gives a node that matches one character as a set.
func single(x rxNode) (rxSet, bool) {
	switch x := x.(type) {
	case rxSet:
		return x, true
	case rxChar:
		if x.fold {
			return rxSet{func(r rune) bool { return equalFold(x.r, r) }, wideTicks}, true
		}
		return rxSet{func(r rune) bool { return r == x.r }, 0}, true
	}
	return rxSet{}, false
}

// rxPrefix gives the text that every match of a node begins with.
func rxPrefix(x rxNode) string {
	switch x := x.(type) {
	case rxChar:
		if !x.fold {
			return string(x.r)
		}
	case rxGroup:
		return rxPrefix(x.x)
	case rxSeq:
		s := ""
		for _, part := range x.parts {
			c, ok := part.(rxChar)
			if !ok || c.fold {
				return s + rxPrefix(part)
			}
			s += string(c.r)
		}
		return s
	case rxRepeat:
		if x.min > 0 {
			return rxPrefix(x.x)
		}
	}
	return ""
}

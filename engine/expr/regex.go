package expr

// Regular expressions in Python's syntax, by backtracking: Go's own engine
// has neither look-around nor back-references. A pattern is parsed to a tree
// (regex_parse.go), compiled to instructions (regex_compile.go) and run by a
// machine with its own stack (regex_match.go), so that neither a pattern nor
// a text can exhaust Go's. Every instruction counts against the step limit.

// Flags, with Python's numbers.
const (
	flagIgnoreCase = 2
	flagMultiline  = 8
	flagDotAll     = 16
	flagUnicode    = 32
	flagVerbose    = 64
	flagASCII      = 256
)

// A regex is a compiled pattern.
type regex struct {
	pattern string
	flags   int
	groups  int
	names   map[string]int
	order   []string // the names, by number
	code    []instr
	loops   int    // counters that the code uses
	prefix  string // text that every match begins with
}

// A rxNode is a part of a pattern.
type rxNode interface{}

type (
	rxEmpty struct{}
	rxChar  struct {
		r    rune
		fold bool
	}
	rxSet struct { // one character
		test func(r rune) bool
		wide int // ticks of the test for a character beyond ASCII
	}
	rxSeq    struct{ parts []rxNode }
	rxAlt    struct{ choices []rxNode }
	rxRepeat struct {
		x        rxNode
		min, max int
		lazy     bool
	}
	rxGroup struct {
		x     rxNode
		index int
	}
	rxBackref struct {
		index int
		fold  bool
	}
	rxAssert struct {
		kind assertKind
	}
	rxLook struct {
		x      rxNode
		behind bool
		negate bool
		width  int // of look-behind, in characters
	}
	rxAtomic struct{ x rxNode }
	rxCond   struct {
		group   int
		yes, no rxNode
	}
)

type assertKind uint8

const (
	assertStart     assertKind = iota // \A, or ^
	assertLineStart                   // ^ in multi-line mode
	assertEnd                         // \Z
	assertTextEnd                     // $: at the end, or ahead of a last line break
	assertLineEnd                     // $ in multi-line mode
	assertWord                        // \b
	assertNotWord                     // \B
	assertWordASCII
	assertNotWordASCII
)

// rxForever is the upper bound of `*`.
const rxForever = 1 << 30

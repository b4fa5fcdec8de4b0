package expr

// The syntax tree. Expressions know where they begin; statements know their
// line, which exceptions carry.

type expression interface{ at() pos }

func (p pos) at() pos { return p }

type (
	constExpr struct {
		pos
		val Value
	}
	nameExpr struct {
		pos
		name string
	}
	fstringExpr struct {
		pos
		parts []fstringPart
	}
	unaryExpr struct {
		pos
		op unaryOp
		x  expression
	}
	binaryExpr struct {
		pos
		op   binaryOp
		x, y expression
	}
	// logicExpr is `x and y and z`, or the same with or.
	logicExpr struct {
		pos
		or bool
		xs []expression
	}
	// compareExpr is `x < y <= z`: each operand is evaluated once.
	compareExpr struct {
		pos
		first expression
		ops   []compareOp
		rest  []expression
	}
	condExpr struct {
		pos
		test, yes, no expression
	}
	lambdaExpr struct {
		pos
		fn *function
	}
	callExpr struct {
		pos
		fn   expression
		args []argument
	}
	attrExpr struct {
		pos
		x    expression
		name string
	}
	indexExpr struct {
		pos
		x, key expression
	}
	// sliceExpr is `low:high:step` within brackets; parts may be nil.
	sliceExpr struct {
		pos
		low, high, step expression
	}
	listExpr struct {
		pos
		items []expression
	}
	tupleExpr struct {
		pos
		items []expression
	}
	setExpr struct {
		pos
		items []expression
	}
	// dictExpr pairs keys and values; a nil key is `**value`.
	dictExpr struct {
		pos
		keys, vals []expression
	}
	starExpr struct {
		pos
		x expression
	}
	walrusExpr struct {
		pos
		name string
		x    expression
	}
	compExpr struct {
		pos
		kind    compKind
		item    expression // the key, in a dictionary
		val     expression // of a dictionary
		clauses []clause
	}
	yieldExpr struct {
		pos
		x    expression // may be nil
		from bool
	}
	// resultExpr is a target: the value of the whole block.
	resultExpr struct{ pos }
)

type compKind uint8

const (
	compList compKind = iota
	compSet
	compDict
	compGenerator
)

// A clause is `for target in iter`, or `if test`, where target is nil.
type clause struct {
	target expression
	iter   expression
	test   expression
}

// An fstringPart is text, or an expression with its conversion and spec.
type fstringPart struct {
	text string
	x    expression
	conv byte
	spec []fstringPart
}

// An argument of a call: `x`, `name=x`, `*x` or `**x`.
type argument struct {
	name  string
	stars int
	x     expression
}

// A function is the common part of def and lambda.
type function struct {
	name     string
	params   []param // by position
	posOnly  int     // so many of them cannot be named
	rest     string  // *rest
	keywords []param // by name only
	named    string  // **named
	body     []statement
	value    expression // of a lambda
}

type param struct {
	name string
	def  expression // default, or nil
}

type statement interface{ lineNo() int }

type line int

func (l line) lineNo() int { return int(l) }

type (
	exprStmt struct {
		line
		x expression
	}
	assignStmt struct {
		line
		targets []expression
		x       expression // nil for a bare annotation
	}
	augStmt struct {
		line
		target expression
		op     binaryOp
		x      expression
	}
	delStmt struct {
		line
		targets []expression
	}
	passStmt     struct{ line }
	breakStmt    struct{ line }
	continueStmt struct{ line }
	returnStmt   struct {
		line
		x expression // may be nil
	}
	raiseStmt struct {
		line
		x, from expression // may be nil
	}
	assertStmt struct {
		line
		test, msg expression
	}
	ifStmt struct {
		line
		tests  []expression
		bodies [][]statement
		orelse []statement
	}
	whileStmt struct {
		line
		test         expression
		body, orelse []statement
	}
	forStmt struct {
		line
		target, iter expression
		body, orelse []statement
	}
	tryStmt struct {
		line
		body     []statement
		handlers []handler
		orelse   []statement
		finally  []statement
	}
	defStmt struct {
		line
		fn         *function
		decorators []expression
	}
	scopeStmt struct {
		line
		nonlocal bool
		names    []string
	}
	importStmt struct {
		line
		module string
		names  []importName // of `from module import ...`, else nil
		as     string
	}
)

// A handler is `except kind as name:`; kind may be nil.
type handler struct {
	line
	kind expression
	name string
	body []statement
}

type importName struct{ name, as string }

package expr

type (
	unaryOp   uint8
	binaryOp  uint8
	compareOp uint8
)

const (
	opNeg unaryOp = iota
	opPos
	opInvert
	opNot
)

const (
	opAdd binaryOp = iota
	opSub
	opMul
	opDiv
	opFloorDiv
	opMod
	opPow
	opShl
	opShr
	opAnd
	opOr
	opXor
	opMatMul
)

var binaryText = [...]string{"+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^", "@"}

func (op binaryOp) String() string { return binaryText[op] }

const (
	opEq compareOp = iota
	opNe
	opLt
	opLe
	opGt
	opGe
	opIs
	opIsNot
	opIn
	opNotIn
)

var compareText = [...]string{"==", "!=", "<", "<=", ">", ">=", "is", "is not", "in", "not in"}

func (op compareOp) String() string { return compareText[op] }

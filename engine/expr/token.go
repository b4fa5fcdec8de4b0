package expr

// A pos is an octet offset in the source.
type pos int32

type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokNewline
	tokIndent
	tokDedent
	tokName
	tokKeyword
	tokNumber
	tokString
	tokOp
)

// A token is one word of the source. Its text is that of names, keywords and
// operators; numbers and bytes have a value, text has parts.
type token struct {
	kind  tokenKind
	pos   pos
	end   pos
	text  string
	val   Value
	parts []textPart
}

// A textPart is a piece of a text literal: literal text, or a replacement
// field of an f-string.
type textPart struct {
	text  string
	field *field
}

// A field is `{expr = !conv :spec}` in an f-string.
type field struct {
	tokens []token // of the expression, ended by tokEOF
	debug  string  // the source of the expression up to `=`, if that is there
	conv   byte    // s, r, a or 0
	spec   []textPart
}

var keywords = map[string]bool{
	"False": true, "None": true, "True": true, "and": true, "as": true, "assert": true, "async": true,
	"await": true, "break": true, "class": true, "continue": true, "def": true, "del": true, "elif": true,
	"else": true, "except": true, "finally": true, "for": true, "from": true, "global": true, "if": true,
	"import": true, "in": true, "is": true, "lambda": true, "nonlocal": true, "not": true, "or": true,
	"pass": true, "raise": true, "return": true, "try": true, "while": true, "with": true, "yield": true,
}

// operators, longest first.
var operators = []string{
	"**=", "//=", ">>=", "<<=", "...",
	"**", "//", ">>", "<<", "<=", ">=", "==", "!=", "->", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "@=", ":=",
	"+", "-", "*", "/", "%", "@", "&", "|", "^", "~", "<", ">", "(", ")", "[", "]", "{", "}", ",", ":", ".", ";", "=",
}

package expr_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/engine/expr"
)

func TestSyntaxErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, src string
		line, col int
		msg       string // a part of the message
		hint      string // a part of the hint
	}{
		{"nothing", "", 1, 1, "an expression is missing", ""},
		{"an operand is missing", "1 +", 1, 4, "unexpected end", ""},
		{"columns count characters", "'世界' +", 1, 7, "unexpected end", ""},
		{"lines are counted", "(1 +\n 2 +\n )", 3, 2, "unexpected )", ""},
		{"a bracket is not closed", "[1, 2", 1, 6, "'[' was never closed", ""},
		{"a bracket does not match", "(1]", 1, 3, "closing parenthesis ']' does not match opening parenthesis '('", ""},
		{"a bracket too many", "1)", 1, 2, "unmatched ')'", ""},
		{"text does not end", "'abc", 1, 1, "unterminated string literal", ""},
		{"triple text does not end", "'''abc", 1, 1, "unterminated triple-quoted string literal", ""},
		{"a line break outside of brackets", "n +\n 1", 1, 4, "unexpected end of line", "parentheses"},
		{"a second line", "1\n2", 1, 2, "ends at the line break", "parentheses"},
		{"an assignment", "a = 1", 1, 3, "cannot assign", "=="},
		{"a comparison with one sign in a call's condition", "[x for x in y if x = 1]", 1, 20, "invalid syntax", "'=='"},
		{"a bare assignment expression", "a := 1", 1, 3, "needs parentheses", "(name := value)"},
		{"a condition without else", "1 if x", 1, 7, "expected 'else'", "if test else"},
		{"another language's not", "!x", 1, 1, "invalid syntax", "not x"},
		{"another language's and", "a && b", 1, 4, "unexpected &", ""},
		{"curly quotes", "“x”", 1, 1, "invalid character", "plain quotes"},
		{"leading zeros", "012", 1, 1, "leading zeros", "0o"},
		{"a number with letters", "3px", 1, 1, "invalid decimal literal", ""},
		{"a keyword as an attribute", "a.class", 1, 3, "`class` cannot be an attribute", "['class']"},
		{"an argument twice", "f(a=1, a=2)", 1, 8, "keyword argument repeated: a", ""},
		{"a position after a name", "f(a=1, 2)", 1, 8, "positional argument follows keyword argument", ""},
		{"a star alone", "*a", 1, 1, "can't use starred expression here", ""},
		{"an empty field", "f'{}'", 1, 3, "valid expression required", ""},
		{"a field that does not end", "f'{a!r'", 1, 3, "expecting '}'", ""},
		{"a brace too many", "f'}'", 1, 3, "single '}'", ""},
		{"bytes and text", "b'a' 'b'", 1, 1, "cannot mix bytes", ""},
		{"bytes beyond ASCII", "b'é'", 1, 3, "ASCII", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := expr.Compile(tt.src)
			checkSyntax(t, err, tt.line, tt.col, tt.msg, tt.hint, false)
		})
	}
}

func TestSyntaxErrorsOfCode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, src string
		line, col int
		msg, hint string
	}{
		{"two signs", "x = = 1", 1, 5, "unexpected =", ""},
		{"no colon", "if x\n    y = 1", 1, 5, "expected ':'", ""},
		{"no body", "if x:\ny = 1", 2, 1, "expected an indented block", ""},
		{"an indent too many", "x = 1\n  y = 2", 2, 1, "unexpected indent", ""},
		{"an unindent to nowhere", "if x:\n        y = 1\n    z = 2", 3, 1, "unindent does not match", ""},
		{"return outside of a function", "x = 1\nreturn x", 2, 1, "'return' outside function", "last expression"},
		{"break outside of a loop", "break", 1, 1, "'break' outside loop", ""},
		{"yield outside of a function", "yield 1", 1, 1, "'yield' outside function", ""},
		{"an assignment to a call", "f() = 1", 1, 2, "cannot assign to a function call", ""},
		{"an assignment to a literal", "1 = x", 1, 1, "cannot assign to a literal", ""},
		{"print without parentheses", "print 'x'", 1, 1, "missing parentheses", "print(...)"},
		{"try alone", "try:\n    x = 1\ny = 2", 3, 1, "expected 'except' or 'finally'", ""},
		{"a parameter twice", "def f(a, a): pass", 1, 10, "duplicate argument 'a'", ""},
		{"a parameter without default after one with", "def f(a=1, b): pass", 1, 12, "without a default", ""},
		{"nonlocal of nothing", "def f():\n    nonlocal x", 2, 1, "no binding for nonlocal 'x'", ""},
		{"a rebound variable of a comprehension", "[(x := 1) for x in y]", 1, 3, "cannot rebind", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := expr.CompileBlock(tt.src)
			checkSyntax(t, err, tt.line, tt.col, tt.msg, tt.hint, false)
		})
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, src string
		line      int
		msg, hint string
	}{
		{"class", "x = 1\nclass P:\n    pass", 2, "`class` is not supported", "dictionaries"},
		{"with", "with f() as g:\n    pass", 1, "`with` is not supported", "finally"},
		{"async", "async def f(): pass", 1, "`async` is not supported", "run_async"},
		{"await", "x = await f()", 1, "`await` is not supported", "wait_for"},
		{"match", "match x:\n    case 1:\n        y = 2", 1, "`match` is not supported", "elif"},
		{"except groups", "try:\n    x = 1\nexcept* ValueError:\n    pass", 3, "`except*` is not supported", "except"},
		{"import of everything", "from math import *", 1, "`import *` is not supported", "names"},
		{"relative imports", "from . import x", 1, "relative imports are not supported", "modules"},
		{"complex numbers", "x = 2j", 1, "complex numbers are not supported", "floats"},
		{"named characters", `x = '\N{BULLET}'`, 1, "named characters", "character itself"},
		{"an ellipsis", "x = ...", 1, "`...` is not supported", "None"},
		{"type aliases", "type A = int", 1, "`type` statements are not supported", "alias"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := expr.CompileBlock(tt.src)
			checkSyntax(t, err, tt.line, 0, tt.msg, tt.hint, true)
		})
	}
}

// checkSyntax checks a SyntaxError; column 0 stands for any.
func checkSyntax(t *testing.T, err error, line, col int, msg, hint string, unsupported bool) {
	t.Helper()
	var got *expr.SyntaxError
	if !errors.As(err, &got) {
		t.Fatalf("error = %v, want a SyntaxError", err)
	}
	if got.Line != line || col != 0 && got.Col != col {
		t.Errorf("at %d:%d, want %d:%d", got.Line, got.Col, line, col)
	}
	if !strings.Contains(got.Msg, msg) || !strings.Contains(got.Hint, hint) || hint == "" && got.Hint != "" {
		t.Errorf("message %q with hint %q, want %q with %q", got.Msg, got.Hint, msg, hint)
	}
	if got.Unsupported != unsupported {
		t.Errorf("Unsupported = %v, want %v", got.Unsupported, unsupported)
	}
}

func TestSoftKeywordsAreNames(t *testing.T) {
	t.Parallel()
	v, err := evalBlock(t, "match = 1\ncase = 2\ntype = 3\nmatch + case + type", expr.Vars{})
	if err != nil || !expr.Equal(v, int64(6)) {
		t.Errorf("Eval() = %v, %v, want 6", v, err)
	}
}

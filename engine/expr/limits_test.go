package expr_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/engine/expr"
)

// evalExpr evaluates an expression with defaults.
func evalExpr(t *testing.T, src string, vars expr.Vars) (expr.Value, error) {
	t.Helper()
	p, err := expr.Compile(src)
	if err != nil {
		return nil, err
	}
	return p.Eval(t.Context(), vars, expr.Options{})
}

func evalBlock(t *testing.T, src string, vars expr.Vars) (expr.Value, error) {
	t.Helper()
	p, err := expr.CompileBlock(src)
	if err != nil {
		return nil, err
	}
	return p.Eval(t.Context(), vars, expr.Options{})
}

// outcomeOf names what an evaluation ended with: the limit, the exception's
// class, or "value".
func outcomeOf(err error) string {
	var limit *expr.LimitError
	var exc *expr.Exc
	var syntax *expr.SyntaxError
	switch {
	case err == nil:
		return "value"
	case errors.As(err, &limit):
		return limit.What
	case errors.As(err, &exc):
		return exc.Class()
	case errors.As(err, &syntax):
		return "SyntaxError"
	}
	return err.Error()
}

// bounded holds limits below the defaults, so that the tests are quick.
var bounded = expr.Options{Limits: expr.Limits{Steps: 500_000, Memory: 2 << 20}}

// TestBounds tries what would take all memory or time. Each must be refused
// at once, by the bound that the row names.
func TestBounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, src, want string }{
		{"a large sum is stopped by its steps", "sum(x for x in range(10**12))", "steps"},
		{"a list of a large range is not begun", "list(range(10**12))", "memory"},
		{"a comprehension counts its items", "[x for x in range(10**12)]", "memory"},
		{"text is not repeated beyond memory", "'a' * 10**12", "memory"},
		{"a list is not repeated beyond memory", "[0] * 10**12", "memory"},
		{"a tuple is not repeated beyond memory", "(0,) * 10**12", "memory"},
		{"bytes are not repeated beyond memory", "b'ab' * 10**12", "memory"},
		{"a count beyond int64 does not repeat", "'a' * 10**30", "TypeError"},
		{"a power is not computed beyond memory", "10 ** 10 ** 10", "memory"},
		{"a power of a power is refused", "7 ** 10**9", "memory"},
		{"a power that fits in memory is bounded by its work", "7 ** 10**6", "steps"},
		{"a shift is not computed beyond memory", "1 << 10**15", "memory"},
		{"a shift by more than int64 is refused", "1 << 10**30", "memory"},
		{"a product of large numbers is bounded", "(1 << 10**6) * (1 << 10**6)", "steps"},
		{"pow is bounded like the operator", "pow(7, 10**9)", "memory"},
		{"pow with a modulus is bounded by the exponent", "pow(3, 1 << 1000000, (1 << 5000) + 1)", "steps"},
		{"padding is bounded", "'x'.ljust(10**13)", "memory"},
		{"padding with wide characters is bounded", "'x'.center(40000000, '世')", "memory"},
		{"zeros are bounded", "'x'.zfill(10**13)", "memory"},
		{"tabs are bounded", "'\\t'.expandtabs(10**13)", "memory"},
		{"replace is bounded", "('a' * 1000000).replace('a', 'b' * 1000)", "memory"},
		{"replace of nothing is bounded", "('a' * 1000000).replace('', 'b' * 1000)", "memory"},
		{"join is bounded", "('x' * 1000000).join(['a'] * 1000)", "memory"},
		{"a format's width is bounded", "'{:>10000000000000}'.format(1)", "memory"},
		{"a format's precision is bounded", "'{:.1000000000000f}'.format(1.5)", "memory"},
		{"a width given as a value is bounded", "'{:>{}}'.format(1, 10**13)", "memory"},
		{"a percent width is bounded", "'%10000000000000d' % 1", "memory"},
		{"a percent precision is bounded", "'%.10000000000000f' % 1.5", "memory"},
		{"a percent width given as a value is bounded", "'%*d' % (10**13, 1)", "memory"},
		{"an f-string's width is bounded", "f'{1:>{10**13}}'", "memory"},
		{"many fields are bounded", "('{0}' * 100000).format('x' * 10000)", "memory"},
		{"a slice of everything counts", "[x[:] for x in [[0] * 100000] * 1000]", "memory"},
		{"split counts its parts", "('a ' * 5000000).split()", "memory"},
		{"concatenation counts", "[y for x in range(100000) for y in ['a' * 1000 + str(x)]]", "memory"},
		{"digits of an integer as text are limited", "str(10**5000)", "ValueError"},
		{"digits of a text as integer are limited", "int('1' * 5000)", "ValueError"},
		{"recursion of lambdas is limited", "(lambda f: f(f))(lambda f: f(f))", "call depth"},
		{"a negative factor gives nothing", "'a' * -10**12", "value"},
		{"zip of endless iterators is stopped", "list(zip(range(10**15)))", "memory"},
		{"any over an endless iterator is stopped", "any(x < 0 for x in range(10**15))", "steps"},
		{"membership in an endless iterator is stopped", "-1 in (x for x in range(10**15))", "steps"},
		{"membership in a range is no search", "-1 in range(10**15)", "value"},
		{"sorting a large range is refused", "sorted(range(10**9))", "memory"},
		{"unpacking into a call is refused", "max(*range(10**9))", "memory"},
		{"unpacking into a list is refused", "[*range(10**9)]", "memory"},
		{"bytes.hex is bounded", "(b'a' * 60000000).hex()", "memory"},
		{"escape is bounded", "escape('{{' * 15000000)", "memory"},
		{"a set of a large range is refused", "set(range(10**9))", "memory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := expr.Compile(tt.src)
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Eval(t.Context(), expr.Vars{}, bounded)
			if got := outcomeOf(err); got != tt.want {
				t.Errorf("Eval(%s) ended with %s (%v), want %s", tt.src, got, err, tt.want)
			}
		})
	}
}

func TestBoundsOfCode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, src, want string }{
		{"a loop is stopped by its steps", "while True: pass", "steps"},
		{"a loop that catches everything is stopped", "while True:\n    try:\n        1 / 0\n    except:\n        pass", "steps"},
		{"a limit cannot be caught", "try:\n    x = 'a' * 10**12\nexcept BaseException:\n    x = 1\nx", "memory"},
		{"a limit is not held up by finally", "try:\n    x = 'a' * 10**12\nfinally:\n    x = 1\nx", "memory"},
		{"recursion is limited", "def f(): return f()\nf()", "call depth"},
		{"recursion through sorted is limited", "def f(x): return sorted([1, 2], key=f)\nf(1)", "call depth"},
		{"recursion through a generator is limited", "def g():\n    yield from g()\nlist(g())", "call depth"},
		{"recursion through generator expressions is limited", "g = iter([1])\nfor i in range(5000):\n    g = (x for x in g)\nlist(g)", "call depth"},
		{"doubling text is stopped", "s = 'x'\nwhile True: s += s", "memory"},
		{"doubling a list is stopped", "x = [1]\nwhile True: x += x", "memory"},
		{"appending is stopped", "x = []\nwhile True: x.append(1)", "memory"},
		{"appending while iterating is stopped", "x = [1]\nfor y in x: x.append(y)", "memory"},
		{"filling a dictionary is stopped", "d = {}\ni = 0\nwhile True:\n    d[i] = i\n    i += 1", "memory"},
		{"an integer that grows is stopped", "n = 3\nwhile True: n = n * n", "steps"},
		{"a list inside itself is printed", "x = []\nx.append(x)\nstr(x)", "value"},
		{"a list inside itself is compared", "x = []\nx.append(x)\ny = []\ny.append(y)\nx == y", "value depth"},
		{"a list inside itself is ordered", "x = []\nx.append(x)\ny = []\ny.append(y)\nx < y", "value depth"},
		{"a list inside itself has no JSON", "import json\nx = []\nx.append(x)\njson.dumps(x)", "ValueError"},
		{"a deep list is not printed", "x = []\nfor i in range(2000): x = [x]\nstr(x)", "value depth"},
		{"a deep list is not compared", "x = y = []\nfor i in range(2000): x, y = [x], [y]\nx == y", "value depth"},
		{"a deep list has no JSON", "import json\nx = []\nfor i in range(2000): x = [x]\njson.dumps(x)", "value depth"},
		{"a deep tuple is not hashed", "x = ()\nfor i in range(2000): x = (x,)\n{x: 1}", "value depth"},
		{"a deep list is copied", "import copy\nx = []\nfor i in range(2000): x = [x]\ny = copy.deepcopy(x)\n1", "value"},
		{"shared parts are not printed without end", "x = ['a' * 100]\nfor i in range(50): x = [x, x]\nstr(x)", "memory"},
		{"shared parts are not compared without end", "x = y = [0.5]\nfor i in range(50): x, y = [x, x], [y, y]\nx == [y, [1]]", "value"},
		{"shared parts are not hashed without end", "x = (1,)\nfor i in range(50): x = (x, x)\n{x: 1}", "tuple key"},
		{"shared parts are copied once", "import copy\nx = [1]\nfor i in range(50): x = [x, x]\ny = copy.deepcopy(x)\ny[0] is y[1]", "value"},
		{"shared parts have no JSON without end", "import json\nx = ['a' * 100]\nfor i in range(50): x = [x, x]\njson.dumps(x)", "memory"},
		{"a regular expression is stopped", "import re\nre.match('(a+)+$', 'a' * 40 + 'b')", "steps"},
		{"nested repeats are stopped", "import re\nre.search('(x*)*(x*)*y', 'x' * 60)", "steps"},
		{"a back-reference is stopped", "import re\nre.search('(.*)(.*)(.*)(.*)\\\\1\\\\2z', 'a' * 300)", "steps"},
		{"a pattern is not nested too deeply", "import re\nre.compile('(' * 1000 + ')' * 1000)", "error"},
		{"a substitution is bounded", "import re\nre.sub('a', 'b' * 1000, 'a' * 1000000)", "memory"},
		{"a large repeat of nothing is stopped", "import re\nre.match('(){1000000000}', '')", "memory"},
		{"indentation of JSON is bounded", "import json\njson.dumps([1], indent=10**12)", "memory"},
		{"indentation of JSON counts for each line", "import json\njson.dumps([1] * 1000, indent=' ' * 1000000)", "memory"},
		{"JSON is not nested too deeply", "import json\njson.loads('[' * 100000)", "JSONDecodeError"},
		{"a factorial is bounded", "import math\nmath.factorial(10**9)", "steps"},
		{"permutations are lazy", "import itertools\nnext(itertools.permutations(range(100)))", "value"},
		{"a product repeated is bounded", "import itertools\nitertools.product([1], repeat=10**12)", "memory"},
		{"an endless count is stopped", "import itertools\nlist(itertools.count())", "memory"},
		{"an endless cycle is stopped", "import itertools\nsum(itertools.cycle([1]))", "steps"},
		{"wrapping is bounded", "import textwrap\ntextwrap.wrap('a' * 1000000, 1, initial_indent='x', subsequent_indent=' ' * 1000)", "memory"},
		{"a counter's elements are bounded", "from collections import Counter\nCounter(a=10**12).elements()", "memory"},
		{"random bits are bounded", "import random\nrandom.getrandbits(10**12)", "memory"},
		{"a year far off is an error", "import datetime\ndatetime.datetime.fromtimestamp(10**18)", "OverflowError"},
		{"sharing a default is no leak", "def f(x=[]):\n    while True: x.append(1)\nf()", "memory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := expr.CompileBlock(tt.src)
			if err == nil {
				_, err = p.Eval(t.Context(), expr.Vars{}, bounded)
			}
			if got := outcomeOf(err); got != tt.want {
				t.Errorf("Eval(%s) ended with %s (%v), want %s", tt.src, got, err, tt.want)
			}
		})
	}
}

// TestSource tries source that would exhaust the compiler.
func TestSource(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, src, want string }{
		{"parentheses are not nested without end", strings.Repeat("(", 20000) + "1" + strings.Repeat(")", 20000), "SyntaxError"},
		{"200 parentheses are too many", strings.Repeat("(", 201) + "1" + strings.Repeat(")", 201), "SyntaxError"},
		{"100 parentheses are fine", strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100), "value"},
		{"lists are not nested without end", strings.Repeat("[", 20000), "SyntaxError"},
		{"signs are not nested without end", strings.Repeat("-", 100000) + "1", "SyntaxError"},
		{"not is not nested without end", strings.Repeat("not ", 100000) + "1", "SyntaxError"},
		{"lambdas are not nested without end", strings.Repeat("lambda: ", 100000) + "1", "SyntaxError"},
		{"conditions are not nested without end", strings.Repeat("1 if 1 else ", 50000) + "1", "SyntaxError"},
		{"powers are not nested without end", strings.Repeat("1 ** ", 50000) + "1", "SyntaxError"},
		{"sums are not chained without end", strings.Repeat("1 + ", 100000) + "1", "SyntaxError"},
		{"attributes are not chained without end", "a" + strings.Repeat(".a", 100000), "SyntaxError"},
		{"a long sum is fine", strings.Repeat("1 + ", 4000) + "1", "value"},
		{"f-strings are not nested without end", strings.Repeat("f'{", 5000), "SyntaxError"},
		{"a source beyond 1 MiB is refused", "'" + strings.Repeat("a", 1<<20) + "'", "SyntaxError"},
		{"a long list is fine", "[" + strings.Repeat("1, ", 100000) + "]", "value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := evalExpr(t, tt.src, expr.Vars{"a": expr.NewDict()})
			if got := outcomeOf(err); got != tt.want {
				t.Errorf("ended with %s (%v), want %s", got, err, tt.want)
			}
		})
	}
}

func TestEvalEndsWithItsContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("stopped by its owner")
	ctx, cancel := context.WithCancelCause(t.Context())
	p, err := expr.CompileBlock("def spin():\n    try:\n        while True: stop(i)\n    finally:\n        while True: pass\ni = 0\nspin()")
	if err != nil {
		t.Fatal(err)
	}
	stop := expr.NewFunc("stop", func(context.Context, []expr.Value, *expr.Dict) (expr.Value, error) {
		cancel(cause)
		return nil, nil
	})
	_, err = p.Eval(ctx, expr.Vars{"stop": stop}, expr.Options{Limits: expr.Limits{Steps: 1 << 40}})
	if !errors.Is(err, cause) {
		t.Errorf("Eval() = %v, want %v", err, cause)
	}
}

func TestLimitsAreSettable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, src string
		limits    expr.Limits
		want      string
	}{
		{"few steps", "[x for x in range(100)]", expr.Limits{Steps: 50}, "steps"},
		{"enough steps", "[x for x in range(100)]", expr.Limits{Steps: 200}, "value"},
		{"little memory", "'a' * 1000", expr.Limits{Memory: 999}, "memory"},
		{"enough memory", "'a' * 1000", expr.Limits{Memory: 1000}, "value"},
		{"a shallow stack", "(lambda f, n: f(f, n))(lambda f, n: n and f(f, n - 1), 5)", expr.Limits{Depth: 5}, "call depth"},
		{"a deep enough stack", "(lambda f, n: f(f, n))(lambda f, n: n and f(f, n - 1), 5)", expr.Limits{Depth: 7}, "value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := expr.Compile(tt.src)
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Eval(t.Context(), expr.Vars{}, expr.Options{Limits: tt.limits})
			if got := outcomeOf(err); got != tt.want {
				t.Errorf("Eval(%s) ended with %s (%v), want %s", tt.src, got, err, tt.want)
			}
		})
	}
}

package expr_test

import (
	"testing"

	"github.com/pullrun/pullrun/engine/expr"
)

// What a pattern costs is near to the work that it makes, so that no pattern
// works for long within few steps.
func TestPatternsPayForTheirWork(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, src string
		least     int64 // steps
	}{
		{"a search for a character", "re.search('b', a)", 100_000 / 256},
		{"a search for a character that is there", "re.search('b', a + 'b')", 100_000 / 256},
		{"a search that is done again and again", "[re.search('b', a + 'b') for i in range(10)]", 10 * 100_000 / 256},
		{"repetitions that are given back", "re.search('a*b', a[:1000])", 1000 * 1000 / 8},
		{"a back-reference", "re.match('(a*)(?:\\\\1)b', a[:5000])", 2500 * 5000 / 2048},
		{"a back-reference in any case", "re.match('(?i)(a*)(?:\\\\1)b', a[:1000].upper())", 500 * 1000 / 16},
		{"a look far behind", "re.search('(?<=' + a[:500] + ')b', a[:1500])", 1000 * 500 / 4},
		{"many groups", "re.search('[ax]c' + '()' * 2000, a[:5000])", 5000 * 4000 / 128},
		{"many calls with many groups", "[p.match('') for p in [re.compile('b()' * 2000)] for i in range(100)]", 100 * 4000 / 128},
		{"a character that is looked for in tables", "re.match('(?i)[^äé\\\\d\\\\s]*', 'ß' * 1000)", 1000 * 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := expr.CompileBlock("import re\na = 'a' * 100000\n" + tt.src)
			if err != nil {
				t.Fatal(err)
			}
			b := expr.NewBudget(1 << 40)
			if _, err := p.Eval(t.Context(), expr.Vars{}, expr.Options{Budget: b, Limits: expr.Limits{Steps: 1 << 40}}); err != nil {
				t.Fatal(err)
			}
			if got := b.Used(); got < tt.least {
				t.Errorf("%s took %d steps, want %d at least", tt.src, got, tt.least)
			}
		})
	}
}

// Patterns for which the time grows with the power of the text, or worse, end
// with their steps.
func TestHostilePatternsEnd(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		"re.match('(a*)*b', 'a' * 30)",
		"re.match('(a|a)*b', 'a' * 3000)",
		"re.match('(?:a|aa)+$', 'a' * 100 + 'b')",
		"re.search('(.*)\\\\1x', 'ab' * 200000)",
		"re.search('(?i)(.*)\\\\1x', 'ab' * 20000)",
		"re.search('(.*).*\\\\1x', 'a' * 20000)",
		"re.search('(.+?)(?:\\\\1)+?y', 'a' * 100000)",
		"re.search('(?<=' + 'a' * 20000 + ')b', 'a' * 200000)",
		"re.search('(\\\\w*)*!', 'é' * 30)",
		"re.search('(?:(?:(?:x?)*)*)*y', 'x' * 40)",
		"re.findall('(?=(.*))', 'x' * 20000)",
		"re.match('(?:' + '(?:a|' * 90 + 'b' + ')*' * 90 + ')$', 'a' * 60 + 'c')",
	} {
		t.Run(src, func(t *testing.T) {
			t.Parallel()
			p, err := expr.CompileBlock("import re\n" + src)
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Eval(t.Context(), expr.Vars{}, bounded)
			if got := outcomeOf(err); got != "steps" && got != "memory" {
				t.Errorf("Eval(%s) ended with %s (%v), want steps or memory", src, got, err)
			}
		})
	}
}

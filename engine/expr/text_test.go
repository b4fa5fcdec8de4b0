package expr_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pullrun/pullrun/engine/expr"
)

// Positions in a text are those of its characters, wherever they lie.
func TestPositionsInLongTexts(t *testing.T) {
	t.Parallel()
	p, err := expr.CompileBlock("import re\n[s[i], s[i - n], s[i:j], s[i - n:j], s.find('x', i, j), s.startswith(s[i], i), s.count(s[i], i, j), re.compile('.').match(s, i, j) and re.compile('.').match(s, i, j).group()]")
	if err != nil {
		t.Fatal(err)
	}
	for _, unit := range []string{"abx", "äöx", "世x界", "ax😀"} {
		for _, n := range []int{3, 63, 64, 65, 128, 129, 1000} {
			text := []rune(strings.Repeat(unit, n))[:n]
			for _, at := range [][2]int{{0, 1}, {n / 2, n}, {n - 1, n}, {min(63, n-1), min(64, n)}, {min(64, n-1), min(66, n)}, {min(127, n-1), min(130, n)}} {
				i, j := at[0], at[1]
				vars := expr.Vars{"s": string(text), "n": int64(n), "i": int64(i), "j": int64(j)}
				v, err := p.Eval(t.Context(), vars, expr.Options{})
				if err != nil {
					t.Fatal(err)
				}
				part := string(text[i:j])
				found := -1
				for k := i; k < j && found < 0; k++ {
					if text[k] == 'x' {
						found = k
					}
				}
				c := string(text[i])
				want := fmt.Sprintf("[%s, %s, %s, %s, %d, True, %d, %s]", expr.Repr(c), expr.Repr(c), expr.Repr(part), expr.Repr(part), found, strings.Count(part, c), expr.Repr(c))
				if got := expr.Repr(v); got != want {
					t.Errorf("%d times %q, from %d to %d: %s, want %s", n, unit, i, j, got, want)
				}
			}
		}
	}
}

// Going through a text by position costs as much for each character however
// long the text is.
func TestPositionsInALongTextAreCheap(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"a", "ä"} {
		text := strings.Repeat(unit, 50_000)
		for _, src := range []string{"[s[i] for i in range(len(s))]", "[s[i:i + 3] for i in range(len(s))]", "[s[i] == t[i] for i in range(len(s))]"} {
			p, err := expr.Compile(src)
			if err != nil {
				t.Fatal(err)
			}
			b := expr.NewBudget(1 << 40)
			if _, err := p.Eval(t.Context(), expr.Vars{"s": text, "t": text + "b"}, expr.Options{Budget: b}); err != nil {
				t.Fatal(err)
			}
			if most := int64(6 * 50_000); b.Used() > most {
				t.Errorf("%s of %q takes %d steps, want %d at most", src, unit, b.Used(), most)
			}
		}
	}
}

// What goes through all of a long value costs accordingly.
func TestLongValuesPayForTheirWork(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		src   string
		least int64
	}{
		{"[s == t for i in range(10)]", 10 * 1_000_000 / 1024},
		{"[s < t for i in range(10)]", 10 * 1_000_000 / 1024},
		{"[s.encode() == b for i in range(2)]", 2 * 1_000_000 / 1024},
		{"[98 in b for i in range(10)]", 10 * 1_000_000 / 64},
		{"[x == y for i in range(10)]", 10 * 10_000},
		{"[x <= y for i in range(10)]", 10 * 10_000},
		{"[x.issubset(y) for i in range(10)]", 10 * 10_000},
		{"[len(x & y) for i in range(10)]", 10 * 10_000},
		{"[u[i] for u in [s + str(k) for k in range(8)] for i in range(3)]", 8 * 1_000_000 / 64},
	} {
		t.Run(tt.src, func(t *testing.T) {
			t.Parallel()
			const values = "s = 'a' * 1000000\nt = 'a' * 999999 + 'b'\nb = s.encode()\nx = set(range(10000))\ny = set(range(10000))\n"
			var used [2]int64
			for i, src := range []string{values, values + tt.src} {
				p, err := expr.CompileBlock(src)
				if err != nil {
					t.Fatal(err)
				}
				b := expr.NewBudget(1 << 40)
				if _, err := p.Eval(t.Context(), expr.Vars{}, expr.Options{Budget: b}); err != nil {
					t.Fatal(err)
				}
				used[i] = b.Used()
			}
			if got := used[1] - used[0]; got < tt.least {
				t.Errorf("%s took %d steps, want %d at least", tt.src, got, tt.least)
			}
		})
	}
}

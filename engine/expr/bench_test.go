package expr_test

import (
	"testing"

	"github.com/pullrun/pullrun/engine/expr"
)

// benchVars is data of the size that pipelines have.
func benchVars(b *testing.B) expr.Vars {
	b.Helper()
	v, err := expr.FromJSON([]byte(`{
		"user": {"name": "Elvis", "age": 42, "email": "e@x.io", "active": true},
		"users": [{"name": "Ann", "age": 31}, {"name": "Bob", "age": 17}, {"name": "Cid", "age": 65}],
		"words": ["apple", "Banana", "cherry", "date"]
	}`))
	if err != nil {
		b.Fatal(err)
	}
	vars := make(expr.Vars)
	for k, val := range v.(*expr.Dict).All() {
		vars[k.(string)] = val
	}
	return vars
}

func BenchmarkEval(b *testing.B) {
	for _, bb := range []struct{ name, src string }{
		{"attribute", "user.age + 1"},
		{"condition", "len(words) > 0 and user.active"},
		{"get", "user.get('email', 'not set')"},
		{"fstring", "f'{user.name} is {user.age}'"},
		{"fstring method", "f'{user.name.upper()} is {user.age:>4}'"},
		{"comprehension", "[v.name for v in users if v.age > 18]"},
		{"sorted", "sorted(users, key=lambda v: v.age)[0].name"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p, err := expr.Compile(bb.src)
			if err != nil {
				b.Fatal(err)
			}
			vars := benchVars(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval(b.Context(), vars, expr.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEvalBlock(b *testing.B) {
	p, err := expr.CompileBlock("total = 0\nfor i in range(1000):\n    if i % 3 == 0:\n        total += i\ntotal")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Eval(b.Context(), expr.Vars{}, expr.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := expr.Compile("[v.name for v in users if v.age > 18]"); err != nil {
			b.Fatal(err)
		}
	}
}

package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/pullrun/pullrun/engine/expr"
)

// A renderer renders one template in one scope.
type renderer struct {
	strand *strand
	ctx    context.Context
	scope  *scope
	data   bool     // something that came from outside went in
	open   []string // the var() calls that are being rendered
}

// maxVarDepth bounds how deep var() may lead through values that hold var()
// themselves.
const maxVarDepth = 100

// render gives the value of a template, and whether it came from outside.
func (s *strand) render(ctx context.Context, sc *scope, t template) (v expr.Value, data bool, err error) {
	if lit, ok := t.(literal); ok {
		return lit.value, false, nil
	}
	r := renderer{strand: s, ctx: ctx, scope: sc}
	v, err = t.render(&r)
	return v, r.data, err
}

func (t literal) render(*renderer) (expr.Value, error) { return t.value, nil }

func (t placeholder) render(r *renderer) (expr.Value, error) {
	return r.evaluate(t.prog, EvaluationException)
}

func (t textTemplate) render(r *renderer) (expr.Value, error) {
	var b strings.Builder
	limit := r.strand.run.limits.EvalMemory
	for _, part := range t.parts {
		text := part.text
		if part.prog != nil {
			v, err := r.evaluate(part.prog, EvaluationException)
			if err != nil {
				return nil, err
			}
			if text, err = expr.Text(v, limit); err != nil {
				return nil, r.strand.evaluationError(r.ctx, part.prog, EvaluationException, err)
			}
		}
		if limit -= int64(len(text)); limit < 0 {
			return nil, r.strand.limit("memory", "of %d bytes for one text", r.strand.run.limits.EvalMemory)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func (t listTemplate) render(r *renderer) (expr.Value, error) {
	items := make([]expr.Value, len(t.items))
	for i, item := range t.items {
		var err error
		if items[i], err = item.render(r); err != nil {
			return nil, err
		}
	}
	return expr.NewList(items...), nil
}

func (t mapTemplate) render(r *renderer) (expr.Value, error) {
	d := expr.NewDict()
	for i, value := range t.values {
		v, err := value.render(r)
		if err != nil {
			return nil, err
		}
		if err := d.Set(t.keys[i], v); err != nil {
			return nil, r.strand.fail(EvaluationException, err, "%v", err)
		}
	}
	return d, nil
}

// render gives the value that var() names and renders what is in it, unless
// it came from outside. A value that leads back to itself is given as it is.
func (t varTemplate) render(r *renderer) (expr.Value, error) {
	before := r.data
	r.data = false
	v, err := r.evaluate(t.prog, VariableNotFoundException)
	outside := r.data
	r.data = outside || before
	if err != nil || outside || slices.Contains(r.open, t.prog.src) {
		return v, err
	}
	if len(r.open) == maxVarDepth {
		return nil, r.strand.limit("depth", "of %d var() inside each other", maxVarDepth)
	}
	r.open = append(r.open, t.prog.src)
	v, err = r.again(v, 0)
	r.open = r.open[:len(r.open)-1]
	return v, err
}

// again renders the texts in a value.
func (r *renderer) again(v expr.Value, depth int) (expr.Value, error) {
	if depth > maxValueDepth {
		return nil, r.strand.limit("depth", "of %d levels in a value", maxValueDepth)
	}
	switch v := v.(type) {
	case string:
		if !strings.Contains(v, "{{") && !strings.HasPrefix(v, "var(") {
			return v, nil
		}
		return r.strand.parsed(v).render(r)
	case *expr.List:
		items, err := r.eachAgain(v.Items(), depth)
		return expr.NewList(items...), err
	case expr.Tuple:
		items, err := r.eachAgain(v, depth)
		return expr.Tuple(items), err
	case *expr.Dict:
		d := expr.NewDict()
		for key, value := range v.All() {
			now, err := r.again(value, depth+1)
			if err != nil {
				return nil, err
			}
			_ = d.Set(key, now) // it is a key already
		}
		return d, nil
	}
	return v, nil
}

func (r *renderer) eachAgain(items []expr.Value, depth int) ([]expr.Value, error) {
	now := make([]expr.Value, len(items))
	for i, item := range items {
		var err error
		if now[i], err = r.again(item, depth+1); err != nil {
			return nil, err
		}
	}
	return now, nil
}

// maxParsed is how many texts a strand keeps parsed.
const maxParsed = 1000

// parsed gives the template in a text that var() led to.
func (s *strand) parsed(text string) template {
	if t := s.texts[text]; t != nil {
		return t
	}
	t := parseTemplate(text, func(src string) *program { return newProgram(strings.TrimSpace(src), false) })
	if s.texts == nil || len(s.texts) == maxParsed {
		s.texts = map[string]template{}
	}
	s.texts[text] = t
	return t
}

func (r *renderer) evaluate(p *program, class string) (expr.Value, error) {
	v, data, err := r.strand.evaluate(r.ctx, r.scope, p, class)
	r.data = r.data || data
	return v, err
}

// evaluate runs a program. Its error has the given class, unless a limit was
// reached or the strand was stopped.
func (s *strand) evaluate(ctx context.Context, sc *scope, p *program, class string) (v expr.Value, data bool, err error) {
	if p.err != nil {
		return nil, false, s.evaluationError(ctx, p, class, p.err)
	}
	sc.before(p)
	opts := s.run.evaluation()
	opts.Print, opts.NoBuiltins = s.print, class == VariableNotFoundException
	s.printing = ctx
	v, err = p.code.Eval(ctx, sc, opts)
	if err != nil {
		return nil, false, s.evaluationError(ctx, p, class, err)
	}
	sc.after(p, v)
	if err := s.checkRun(); err != nil {
		return nil, false, err
	}
	switch v.(type) {
	case nil, bool, int64, float64:
		return v, false, nil
	}
	return v, sc.outside(p), nil
}

// checkRun sees what a program may have used up unnoticed.
func (s *strand) checkRun() error {
	if s.run.meter.fits() != nil {
		return s.limit("variables", "of %d bytes", s.run.limits.Variables)
	}
	if s.run.printed.Load() > s.run.limits.Output {
		return s.limit("output", "of %d bytes", s.run.limits.Output)
	}
	return nil
}

// evaluationError makes the error of a program that failed.
func (s *strand) evaluationError(ctx context.Context, p *program, class string, err error) *Error {
	var limit *expr.LimitError
	switch {
	case errors.As(err, &limit) && limit.Budget:
		return s.limit("steps", "of %d", s.run.limits.Steps)
	case ctx.Err() != nil:
		return s.interrupted(ctx)
	case errors.As(err, &limit):
		return s.fail(LimitException, err, "%s: %v", p.quoted(limit.Line), err)
	}
	if p.err != nil {
		return s.fail(class, err, "%q: SyntaxError: %v", shorten(p.src), err)
	}
	var passed *Error // of a handle whose result was asked for
	if errors.As(err, &passed) && class == EvaluationException {
		return s.fail(class, err, "%q: %s: %s", shorten(p.src), passed.Class, passed.Message)
	}
	line := 0
	if exc, ok := err.(*expr.Exc); ok {
		line = exc.Line()
	}
	return s.fail(class, err, "%s: %v", p.quoted(line), err)
}

// print logs what code prints. When it is too much, that is an error at the
// end of the program.
func (s *strand) print(line string) {
	_ = s.run.write(s.printing, slog.LevelInfo, "print", line) // checkRun tells
}

package engine

import (
	"context"
	"errors"

	"github.com/pullrun/pullrun/engine/expr"
)

// declare sets variables. The entries do not see each other.
func (s *strand) declare(ctx context.Context, t *task, sc *scope) error {
	args, err := s.args(ctx, t.declare, sc, nil, false)
	if err != nil {
		return err
	}
	return s.merge(sc, args)
}

// assert checks conditions until one does not hold.
func (s *strand) assert(ctx context.Context, t *task, sc *scope) error {
	for _, p := range t.asserts {
		v, _, err := s.evaluate(ctx, sc, p, EvaluationException)
		if err != nil {
			return err
		}
		if !expr.Truth(v) {
			return s.fail(AssertException, nil, "%q does not hold", shorten(p.src))
		}
	}
	return nil
}

// branch leaves all levels for another pipeline, which goes on with the
// variables as they are here.
func (s *strand) branch(ctx context.Context, t *task, sc *scope) error {
	if s.prefix != nil {
		return s.fail(ValidationException, nil, "a branch cannot leave a background task or a parallel loop; dispatch instead")
	}
	if err := s.setVariables(t, sc); err != nil {
		return err
	}
	args, err := s.args(ctx, t.params, sc, nil, false)
	if err != nil {
		return err
	}
	if err := s.merge(sc, args); err != nil {
		return err
	}
	if sc.parent != nil {
		sc = sc.snapshot()
	}
	return &branched{t.next, sc}
}

// An arg is a param that was rendered.
type arg struct {
	param *param
	value expr.Value
	data  bool
}

// args renders params and appends them to those that are there. With items,
// it takes those that mention the item of the task's loop, without, the
// others.
func (s *strand) args(ctx context.Context, params []param, sc *scope, args []arg, items bool) ([]arg, error) {
	for i := range params {
		p := &params[i]
		if p.perItem != items {
			continue
		}
		v, data, err := s.render(ctx, sc, p.value)
		if err != nil {
			return nil, err
		}
		args = append(args, arg{p, v, data})
	}
	return args, nil
}

// merge puts rendered params into a scope.
func (s *strand) merge(sc *scope, args []arg) error {
	for _, a := range args {
		if err := sc.assign(a.param.path, a.value, a.data, true); err != nil {
			return s.unset(err)
		}
	}
	return nil
}

func (s *strand) setVariables(t *task, sc *scope) error {
	for _, v := range t.variables {
		if err := sc.assign(v.path, v.value, false, true); err != nil {
			return s.unset(err)
		}
	}
	return nil
}

// unset makes the error of a variable that could not be set.
func (s *strand) unset(err error) *Error {
	var wrong *wrongTarget
	switch {
	case errors.Is(err, errVariables):
		return s.limit("variables", "of %d bytes", s.run.limits.Variables)
	case errors.As(err, &wrong):
		return s.fail(InvalidChipParametersException, err, "%v", err)
	}
	return s.fail(VariablePathException, err, "%v", err)
}

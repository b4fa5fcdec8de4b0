package chips

import (
	"context"
	"errors"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/expr"
)

func jsonChips() []engine.Chip {
	dumps := evaluator("import json\njson.dumps(obj)")
	loads := evaluator("import json\njson.loads(string)")
	return []engine.Chip{
		engine.NewChip("utils.json.dumps", "Writes a value as JSON.",
			func(ctx context.Context, req dumpsRequest) (dumpsResponse, error) {
				v, err := dumps(ctx, expr.Vars{"obj": req.Obj})
				text, _ := v.(string)
				return dumpsResponse{answer(err), optional(text, err), message(err)}, fatal(ctx, err)
			}).Answering(),
		engine.NewChip("utils.json.loads", "Reads a value from JSON.",
			func(ctx context.Context, req loadsRequest) (loadsResponse, error) {
				v, err := loads(ctx, expr.Vars{"string": req.String})
				return loadsResponse{answer(err), v, message(err)}, fatal(ctx, err)
			}).Answering(),
	}
}

type (
	dumpsRequest struct {
		Obj any `doc:"The value." required:"true"`
	}
	dumpsResponse struct {
		Status       string  `doc:"Whether it could be written." enum:"OK,ERROR"`
		Result       *string `doc:"The JSON text."`
		ErrorMessage *string `doc:"Why not."`
	}
	loadsRequest struct {
		String string `doc:"The JSON text." required:"true"`
	}
	loadsResponse struct {
		Status       string  `doc:"Whether it could be read." enum:"OK,ERROR"`
		Result       any     `doc:"The value."`
		ErrorMessage *string `doc:"Why not."`
	}
)

// evaluator gives a function that evaluates a piece of code, so that a chip
// does exactly what the same call in a pipeline's code does.
func evaluator(src string) func(context.Context, expr.Vars) (expr.Value, error) {
	p, err := expr.CompileBlock(src)
	if err != nil {
		panic(err)
	}
	return func(ctx context.Context, vars expr.Vars) (expr.Value, error) {
		return p.Eval(ctx, vars, engine.Evaluation(ctx))
	}
}

// fatal gives the error that is the run's and not the value's.
func fatal(ctx context.Context, err error) error {
	var limit *expr.LimitError
	if errors.As(err, &limit) && limit.Budget {
		return err
	}
	return ctx.Err()
}

// answer, optional and message give the parts of a response that tells of an
// error in its status.
func answer(err error) string {
	if err != nil {
		return "ERROR"
	}
	return "OK"
}

func optional(text string, err error) *string {
	if err != nil {
		return nil
	}
	return &text
}

func message(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	return &text
}

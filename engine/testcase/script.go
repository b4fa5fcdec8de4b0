package testcase

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/expr"
)

// A script is what a chip answers in a case: one answer to every call, or one
// after the other.
type script struct {
	answers []answer
	inOrder bool
}

// An answer is a response, or the text of an error.
type answer struct {
	response json.RawMessage
	failure  string
}

// scripts reads which chip answers what, and checks that it could.
func (r *reader) scripts(n *yaml.Node) map[string]script {
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "chips is a map of names to answers")
		return nil
	}
	all := map[string]script{}
	for key, value := range pairs(n) {
		chip, err := r.chips.Find(key.Value)
		switch {
		case err != nil:
			r.wrong(key, "%v", err)
			continue
		case chip.Name() == waitFor:
			r.wrong(key, "%s waits for what really happens, and cannot be answered for", waitFor)
			continue
		}
		s := script{inOrder: value.Kind == yaml.SequenceNode}
		items := []*yaml.Node{value}
		if s.inOrder {
			items = value.Content
		}
		for _, item := range items {
			s.answers = append(s.answers, r.answer(chip, item))
		}
		all[chip.Name()] = s
	}
	return all
}

func (r *reader) answer(chip *engine.Chip, n *yaml.Node) answer {
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Value == "error" {
		return answer{failure: r.text(n.Content[1])}
	}
	a := answer{response: r.value(n)}
	if _, err := chip.Respond(a.response); err != nil {
		r.wrong(n, "%v", err)
	}
	return a
}

// waitFor is the one chip that can have no script.
const waitFor = "reasonchip.async.wait_for"

// Harmless reports whether a chip only works with what it is given and the
// standard streams, so that a case may call it as it is.
func Harmless(chip string) bool {
	return strings.HasPrefix(chip, "utils.") || strings.HasPrefix(chip, "reasonchip.debug.") ||
		strings.HasPrefix(chip, "reasonchip.streams.") || chip == waitFor
}

// A stage is what the chips of one run see of their case. It observes the run
// to know where they are called.
type stage struct {
	scripts map[string]script

	mu     sync.Mutex // guards what follows
	calls  map[string]int
	missed string // the first call that nobody had an answer for
}

// stageKey and placeKey are where a context holds its stage, and the task
// that calls a chip.
type stageKey struct{}
type placeKey struct{}

// Task implements [engine.Observer].
func (*stage) Task(ctx context.Context, _ engine.TaskInfo) (context.Context, func(error)) {
	return ctx, func(error) {}
}

// Chip implements [engine.Observer].
func (*stage) Chip(ctx context.Context, c engine.ChipInfo) (context.Context, func(error)) {
	return context.WithValue(ctx, placeKey{}, fmt.Sprintf("%s/%d calls ", c.Pipeline, c.Number)), func(error) {}
}

// staged gives the chips with the stage of the run in their place.
func staged(all *engine.Chips, real func(string) bool) *engine.Chips {
	var list []engine.Chip
	for _, c := range all.All() {
		if c.Name() == waitFor { // the engine brings it along
			continue
		}
		list = append(list, c.Around(func(ctx context.Context, call func(context.Context) (expr.Value, error)) (expr.Value, error) {
			s := ctx.Value(stageKey{}).(*stage)
			a, err := s.next(ctx, c.Name(), real(c.Name()))
			switch {
			case err != nil:
				return nil, err
			case a == nil:
				return call(ctx)
			case a.failure != "":
				return nil, &engine.Raised{Class: "RuntimeError", Message: a.failure}
			}
			return c.Respond(a.response)
		}))
	}
	return engine.NewChips(list...)
}

// next gives the answer to a call, or nil if the chip is to answer itself.
func (s *stage) next(ctx context.Context, chip string, real bool) (*answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	script, ok := s.scripts[chip]
	if !ok && real {
		return nil, nil
	}
	n := s.calls[chip]
	s.calls[chip]++
	switch {
	case ok && !script.inOrder:
		return &script.answers[0], nil
	case n < len(script.answers):
		return &script.answers[n], nil
	}
	place, _ := ctx.Value(placeKey{}).(string)
	missed := fmt.Sprintf("%s%s, which has no answer in the case", place, chip)
	if ok {
		missed = fmt.Sprintf("%s%s for the %d. time, which has only %d answers in the case", place, chip, n+1, len(script.answers))
	}
	if s.missed == "" {
		s.missed = missed
	}
	return nil, &engine.Raised{Class: "NoAnswer", Message: missed}
}

func (s *stage) missing() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.missed
}

package engine_test

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/pullrun/pullrun/engine"
	"github.com/pullrun/pullrun/engine/chips"
)

type (
	echoRequest  struct{ Value any }
	echoResponse struct{ Value any }

	addRequest struct {
		A int `required:"true"`
		B int
	}
	addResponse struct{ Total int }

	failRequest struct {
		Message string `default:"boom"`
	}

	sleepRequest struct {
		Ms    int `required:"true"`
		Value any
	}

	markRequest struct {
		Mark string `required:"true"`
		Ms   int
	}
	markResponse struct {
		Mark string
		Seen []string
	}
	marksResponse struct{ Marks []string }

	greetRequest struct {
		Name   string `required:"true"`
		Times  int    `default:"1"`
		Style  string `default:"plain" enum:"plain,loud"`
		Tags   []string
		Scores *map[string]int
		Ratio  *float64
		Active bool `default:"true"`
	}
	greetResponse struct {
		Text   string
		Times  int
		Tags   []string
		Scores *map[string]int
		Ratio  *float64
		Active bool
	}

	Person struct {
		Name string `required:"true"`
		Age  int    `required:"true"`
	}
	gradeRequest struct {
		Person Person `required:"true"`
		Limit  int    `default:"18"`
	}
	gradeResponse struct {
		Person Person
		Adult  bool
	}
)

// kitChips gives the chips that the conformance cases call, with an empty
// list of marks.
func kitChips() *engine.Chips {
	var marks markList
	list := []engine.Chip{
		engine.NewChip("kit.echo", "Gives a value back.", func(_ context.Context, r echoRequest) (echoResponse, error) {
			return echoResponse(r), nil
		}),
		engine.NewChip("kit.add", "Adds.", func(_ context.Context, r addRequest) (addResponse, error) {
			return addResponse{r.A + r.B}, nil
		}),
		engine.NewChip("kit.fail", "Fails.", func(_ context.Context, r failRequest) (struct{}, error) {
			return struct{}{}, &engine.Raised{Class: "RuntimeError", Message: r.Message}
		}),
		engine.NewChip("kit.sleep", "Waits.", func(ctx context.Context, r sleepRequest) (echoResponse, error) {
			return echoResponse{r.Value}, pause(ctx, r.Ms)
		}),
		engine.NewChip("kit.mark", "Waits and leaves a mark.", marks.mark),
		engine.NewChip("kit.marks", "Gives the marks.", marks.all),
		engine.NewChip("kit.greet", "Greets.", greet),
		engine.NewChip("kit.grade", "Tells adults.", func(_ context.Context, r gradeRequest) (gradeResponse, error) {
			return gradeResponse{r.Person, r.Person.Age >= r.Limit}, nil
		}).Strict(),
	}
	return engine.NewChips(append(list, chips.Standard(chips.Options{})...)...)
}

func pause(ctx context.Context, ms int) error {
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

type markList struct {
	mu   sync.Mutex // guards marks
	list []string
}

func (m *markList) mark(ctx context.Context, r markRequest) (markResponse, error) {
	if err := pause(ctx, r.Ms); err != nil {
		return markResponse{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append(m.list, r.Mark)
	return markResponse{r.Mark, append([]string(nil), m.list...)}, nil
}

func (m *markList) all(context.Context, struct{}) (marksResponse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return marksResponse{append([]string(nil), m.list...)}, nil
}

func greet(_ context.Context, r greetRequest) (greetResponse, error) {
	words := make([]string, r.Times)
	for i := range words {
		words[i] = "hello " + r.Name
	}
	text := strings.Join(words, ", ")
	if r.Style == "loud" {
		text = strings.ToUpper(text) + "!"
	}
	return greetResponse{text, r.Times, r.Tags, r.Scores, r.Ratio, r.Active}, nil
}

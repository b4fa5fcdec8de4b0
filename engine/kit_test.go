package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"

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

var (
	yamlInt   = regexp.MustCompile(`^-?[0-9]+$`)
	yamlFloat = regexp.MustCompile(`^-?[0-9]+(\.[0-9]*([eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)$`)
)

// plainJSON gives the JSON of a value in a case. It reads scalars by itself,
// so that the cases do not depend on what they test.
func plainJSON(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	err := writeJSON(&b, n)
	return b.Bytes(), err
}

func writeJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.AliasNode:
		return writeJSON(b, n.Alias)
	case yaml.SequenceNode, yaml.MappingNode:
		opening, closing := "[", "]"
		if n.Kind == yaml.MappingNode {
			opening, closing = "{", "}"
		}
		b.WriteString(opening)
		for i, c := range n.Content {
			isKey := n.Kind == yaml.MappingNode && i%2 == 0
			switch {
			case n.Kind == yaml.MappingNode && i%2 == 1:
				b.WriteString(":")
			case i > 0:
				b.WriteString(",")
			}
			if isKey {
				b.WriteString(strconv.Quote(c.Value))
				continue
			}
			if err := writeJSON(b, c); err != nil {
				return err
			}
		}
		b.WriteString(closing)
		return nil
	}
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	switch v := n.Value; {
	case quoted:
		return writeText(b, v)
	case v == "" || v == "null" || v == "~":
		b.WriteString("null")
	case v == "true" || v == "false" || yamlInt.MatchString(v) || yamlFloat.MatchString(v):
		b.WriteString(v)
	default:
		return writeText(b, v)
	}
	return nil
}

func writeText(b *bytes.Buffer, s string) error {
	data, err := json.Marshal(s)
	b.Write(data)
	return err
}

// decode reads JSON so that integers and floats differ.
func decode(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("decode %s: %w", data, err)
	}
	return numbers(v), nil
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, ok := new(big.Int).SetString(v.String(), 10); ok {
			return "int " + n.String()
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/pullrun/pullrun/engine/expr"
)

// Around gives the chip with a function around each call, which may look at
// it, or answer in its place. It is called when the params have been found
// right; call makes the real call.
func (c *Chip) Around(f func(ctx context.Context, call func(context.Context) (expr.Value, error)) (expr.Value, error)) Chip {
	around := *c
	around.prepare = func(p params) (call, error) {
		inner, err := c.prepare(p)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) (expr.Value, error) { return f(ctx, inner) }, nil
	}
	return around
}

// Respond gives a JSON object as a response of the chip, as if the chip had
// made it. A field that is left out is empty; one that has a fixed set of
// values, as many a `status` has, holds the first. Its error says what does
// not fit the response.
func (c *Chip) Respond(object json.RawMessage) (expr.Value, error) {
	v, err := expr.FromJSON(object)
	if err != nil {
		return nil, fmt.Errorf("response of %s: %w", c.name, err)
	}
	s := c.response
	if len(s.fields) == 0 {
		if v != nil {
			return nil, fmt.Errorf("response of %s: wants null, not %s", c.name, brief(v))
		}
		return nil, nil
	}
	d, ok := v.(*expr.Dict)
	if !ok {
		return nil, fmt.Errorf("response of %s: wants a map, not %s", c.name, brief(v))
	}
	get := func(name string) (expr.Value, bool) {
		v, ok := d.GetString(name)
		if f := s.field(name); !ok && len(f.enum) > 0 && !f.typ.nullable {
			return f.enum[0], true
		}
		return v, ok
	}
	names := func() (names []string) {
		for key := range d.All() {
			names = append(names, key.(string)) // it was JSON
		}
		return names
	}
	into := reflect.New(s.typ).Elem()
	if err := s.read(into, get, names); err != nil {
		return nil, fmt.Errorf("response of %s: %w", c.name, err)
	}
	return s.value(into), nil
}

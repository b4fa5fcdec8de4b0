package testcase

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
)

// checkResult compares a result with the expected one. The order of the keys
// in a map does not matter; an integer and a float are never the same.
func (c *Case) checkResult(got json.RawMessage) error {
	want := c.want.result
	a, err := decode(want)
	if err != nil {
		return err
	}
	b, err := decode(got)
	if err != nil {
		return err
	}
	if reflect.DeepEqual(numbers(a), numbers(b)) {
		return nil
	}
	return c.fails(diff(pretty(want), pretty(got)), "the result differs (- expected, + got)")
}

func decode(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("decode %q: %w", shorten(string(data)), err)
	}
	return v, nil
}

// An integer is a whole number that was written without a point, in decimal.
type integer string

// numbers gives a value with its numbers in a form in which equal ones are the
// same.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, ok := new(big.Int).SetString(v.String(), 10); ok {
			return integer(n.String())
		}
		f, _ := v.Float64() // out of range is infinite
		return f
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = numbers(v[i])
		}
		return list
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[key] = numbers(value)
		}
		return m
	}
	return v
}

// pretty writes JSON over several lines, keys sorted.
func pretty(data []byte) string {
	v, err := decode(data)
	if err != nil {
		return string(data)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return string(data)
	}
	return b.String()
}

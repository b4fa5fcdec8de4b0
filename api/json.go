package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// Decode reads exactly one JSON value from r into v. What follows it, other
// than white space, is an error: it would be a second body that nobody reads.
// Fields that v does not have are ignored, as the protocol asks. An error of r
// is returned as it is.
func Decode(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	var typed *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch err := d.Decode(v); {
	case err == io.EOF:
		return errors.New("the body is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the body ends within its JSON value: %w", err)
	case errors.As(err, &typed):
		if typed.Field == "" {
			return fmt.Errorf("the body must be %s, got %s", jsonKind(typed.Type.Kind()), typed.Value)
		}
		return fmt.Errorf("%s: must be %s, got %s", typed.Field, jsonKind(typed.Type.Kind()), typed.Value)
	case errors.As(err, &syntax):
		return fmt.Errorf("the body is not JSON: %w", err)
	case err != nil:
		return err
	}
	switch _, err := d.Token(); {
	case err == io.EOF:
		return nil
	case err == nil, errors.As(err, &syntax):
		return errors.New("the body goes on after its JSON value")
	default:
		return err
	}
}

// jsonKind says in JSON's words what a field of Go's kind wants.
func jsonKind(kind reflect.Kind) string {
	switch kind {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "a whole number"
}

package configs

import (
	"encoding"
	"errors"
	"reflect"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// setScalar sets a value that is neither a list nor a map. The node's tag
// says what YAML takes the text for, and must be what the value is: nothing
// is converted. No error holds the text of what may be a secret.
func setScalar(to reflect.Value, n *yaml.Node) error {
	tag := n.ShortTag()
	number := tag == "!!int" || tag == "!!float"
	switch {
	case to.Type() == durationType:
		d, err := parseDuration(n.Value)
		if err == nil {
			to.SetInt(int64(d))
		}
		return err
	case to.Type() == sizeType:
		return to.Addr().Interface().(*Size).UnmarshalText([]byte(n.Value))
	case to.Kind() == reflect.Int:
		if !number {
			return errWholeNumber
		}
		i, err := wholeNumber(n.Value)
		if err == nil {
			to.SetInt(int64(i))
		}
		return err
	case to.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(n.Value)
		if err != nil || tag != "!!bool" {
			return errors.New("wants true or false")
		}
		to.SetBool(b)
		return nil
	case tag != "!!str":
		return errors.New("wants text; put it in quotes")
	default:
		return setText(to, n.Value)
	}
}

// setText sets a string, a Secret or a URL.
func setText(to reflect.Value, text string) error {
	if u, ok := to.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	to.SetString(text)
	return nil
}

package expr

import (
	"errors"
	"math/big"
	"strings"
)

func jsonModule() *Module {
	names := values(
		newBuiltin("loads", "s", jsonLoads),
		newBuiltin("dumps", "obj * skipkeys? ensure_ascii? check_circular? allow_nan? cls? indent? separators? default? sort_keys?", jsonDumps),
	)
	names["JSONDecodeError"] = excJSONDecodeError
	return &Module{name: "json", names: names}
}

func jsonLoads(ev *eval, a []Value) (Value, error) {
	var text string
	switch s := a[0].(type) {
	case string:
		text = s
	case Bytes:
		text = string(s)
	default:
		return nil, raise(excTypeError, "the JSON object must be str, bytes or bytearray, not %s", TypeName(a[0]))
	}
	if err := ev.spend(len(text) / 64); err != nil {
		return nil, err
	}
	d := jsonDecoder{data: text, lax: true, ev: ev}
	v, err := d.decode()
	var bad *jsonError
	if errors.As(err, &bad) {
		return nil, raise(excJSONDecodeError, "%s", bad.Error())
	}
	return v, err
}

func jsonDumps(ev *eval, a []Value) (Value, error) {
	e := jsonEncoder{
		ev: ev, itemSep: ", ", keySep: ": ",
		ascii:    !given(a[2]) || Truth(a[2]),
		strict:   given(a[4]) && !Truth(a[4]),
		skipKeys: given(a[1]) && Truth(a[1]),
		fallback: orNone(a[8]),
		sortKeys: given(a[9]) && Truth(a[9]),
	}
	if !isNone(a[5]) {
		return nil, raise(excTypeError, "json.dumps: cls is not supported; use default=")
	}
	if err := e.indentBy(a[6]); err != nil {
		return nil, err
	}
	if !isNone(a[7]) {
		pair, ok := sequence(a[7])
		if !ok || len(pair) != 2 {
			return nil, raise(excValueError, "separators must be a pair")
		}
		var ok1, ok2 bool
		e.itemSep, ok1 = pair[0].(string)
		e.keySep, ok2 = pair[1].(string)
		if !ok1 || !ok2 {
			return nil, raise(excTypeError, "separators must be text")
		}
	}
	if err := e.value(a[0]); err != nil {
		return nil, err
	}
	return string(e.buf), nil
}

// indentBy sets the indentation of json.dumps: a number of spaces, or text.
func (e *jsonEncoder) indentBy(v Value) error {
	if isNone(v) {
		return nil
	}
	e.lines, e.itemSep = true, ","
	switch v := v.(type) {
	case string:
		e.indent = v
		return nil
	case *big.Int:
		return &LimitError{What: "memory", Limit: e.ev.limits.Memory}
	}
	n, err := argInt(v, 0)
	if err != nil {
		return err
	}
	n = max(n, 0)
	if err := e.ev.growTimes(n, 1); err != nil {
		return err
	}
	e.indent = strings.Repeat(" ", int(n))
	return nil
}

package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Decode reads exactly one JSON value from r into v, as [Unmarshal] does. An
// error of r is returned as it is.
func Decode(r io.Reader, v any) error {
	raw, err := io.ReadAll(r)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return cut(err)
	case err != nil:
		return err
	}
	return Unmarshal(raw, v)
}

// A wish is what somebody asks for. One that has a field that this version does not
// know is refused: what was asked for would be something else without it, more runs,
// say, or a token that may do more. Between servers and workers such fields are
// ignored, so that they may be of different versions.
type wish interface{ wish() }

func (*Submit) wish()     {}
func (*Submits) wish()    {}
func (*Cancel) wish()     {}
func (*CancelRuns) wish() {}
func (*Requeue) wish()    {}
func (*NewToken) wish()   {}

// Unmarshal decodes exactly one JSON value into v. What follows it, other than
// white space, is an error: it would be a second body that nobody reads. Fields
// that v does not have are ignored, unless v is a wish.
func Unmarshal(raw []byte, v any) error {
	err := decode(raw, v)
	var typed *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &typed) && typed.Field == "":
		return fmt.Errorf("the body must be %s, got %s", jsonKind(typed.Type.Kind()), typed.Value)
	case errors.As(err, &typed):
		return fmt.Errorf("%s: must be %s, got %s", embedded.ReplaceAllString(typed.Field, ""), jsonKind(typed.Type.Kind()), typed.Value)
	case errors.As(err, &syntax):
		return malformed(raw, err)
	case err != nil:
		return mistimed(raw, reflect.TypeOf(v), err)
	}
	return nil
}

// embedded is what encoding/json calls the embedded structs on the way to a field,
// which JSON does not have.
var embedded = regexp.MustCompile(`\b[A-Z]\w*\.`)

func decode(raw []byte, v any) error {
	if _, ok := v.(wish); !ok {
		return json.Unmarshal(raw, v)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err == nil && len(bytes.TrimSpace(raw[d.InputOffset():])) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return err
	}
	return unknown(raw, reflect.TypeOf(v), "")
}

// unknown returns an error about the first field of raw, which is to be a t, that a t
// does not have. Path says where raw is.
func unknown(raw json.RawMessage, t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	var known []string
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			known = append(known, name)
			fields[strings.ToLower(name)] = f.Type
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		at := path + strings.Trim(quote(name), `"`)
		field, ok := fields[strings.ToLower(name)] // as encoding/json reads names
		if !ok {
			return fmt.Errorf("%s: is no field here, where there are %s", at, strings.Join(known, ", "))
		}
		if err := unknown(members[name], field, at+"."); err != nil {
			return err
		}
	}
	return nil
}

// Marshal is v as JSON whose texts keep <, > and & as they are, so that a result
// is as large on its way as its worker has found it.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Nesting is how deep JSON is nested, which has been found valid before.
func Nesting(raw []byte) int {
	depth, most := 0, 0
	text := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

// mistimed names the field whose time is none, which encoding/json does not.
func mistimed(raw []byte, t reflect.Type, err error) error {
	field, text := badTime(raw, t)
	if field == "" {
		return err
	}
	return fmt.Errorf("%s: wants a time such as 2026-11-25T10:00:00Z, got %s", strings.TrimPrefix(field, "."), quote(strings.Trim(string(text), `"`)))
}

// badTime finds the first time in raw, which is to be a t, that is none.
func badTime(raw json.RawMessage, t reflect.Type) (field string, text json.RawMessage) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		if json.Unmarshal(raw, new(time.Time)) != nil {
			return ".", raw
		}
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		var list []json.RawMessage
		_ = json.Unmarshal(raw, &list) // what is no list has no times
		for i, entry := range list {
			if field, text := badTime(entry, t.Elem()); field != "" {
				return fmt.Sprintf("[%d]%s", i, field), text
			}
		}
	case t.Kind() == reflect.Struct:
		var members map[string]json.RawMessage
		_ = json.Unmarshal(raw, &members) // what is no object has no times
		for _, f := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if member := members[name]; member != nil {
				if field, text := badTime(member, f.Type); field != "" {
					return "." + name + strings.TrimSuffix(field, "."), text
				}
			}
		}
	}
	return "", nil
}

// malformed says in which way raw is not one JSON value.
func malformed(raw []byte, err error) error {
	var first json.RawMessage
	switch first := json.NewDecoder(bytes.NewReader(raw)).Decode(&first); {
	case first == nil:
		return errors.New("the body goes on after its JSON value")
	case first == io.EOF:
		return errors.New("the body is empty")
	case errors.Is(first, io.ErrUnexpectedEOF):
		return cut(first)
	}
	return fmt.Errorf("the body is not JSON: %w", err)
}

// cut says that a body has not come to its end.
func cut(err error) error {
	return fmt.Errorf("the body ends within its JSON value: %w", err)
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

package engine

import (
	"encoding/base64"
	"unicode/utf8"

	"github.com/pullrun/pullrun/engine/expr"
)

// resultJSON gives the result of a run as JSON. Secrets in it are hidden. The
// bytes in it, such as the content of an HTTP response, become text, or
// base64 where they are none.
func resultJSON(v expr.Value, limit int64, hide hider) ([]byte, error) {
	if w := (walk{left: limit, hide: hide}); hide.replacer != nil || w.hasBytes(v, 0) {
		w.left = limit
		v = w.plain(v, 0)
	}
	return expr.ToJSONLimit(v, limit)
}

// A walk goes through a result. It turns back at a depth, and after as many
// values as the result may have bytes: beyond that it is refused anyway, as
// is a list inside itself.
type walk struct {
	left int64
	hide hider
}

func (w *walk) over(depth int) bool {
	w.left--
	return w.left < 0 || depth > maxValueDepth
}

func (w *walk) hasBytes(v expr.Value, depth int) bool {
	if w.over(depth) {
		return false
	}
	switch v := v.(type) {
	case expr.Bytes:
		return true
	case *expr.List:
		return w.anyBytes(v.Items(), depth)
	case expr.Tuple:
		return w.anyBytes(v, depth)
	case *expr.Set:
		return w.anyBytes(v.Items(), depth)
	case *expr.Dict:
		for _, value := range v.All() {
			if w.hasBytes(value, depth+1) {
				return true
			}
		}
	case *expr.Object:
		for _, f := range v.Fields() {
			if w.hasBytes(f.Value, depth+1) {
				return true
			}
		}
	}
	return false
}

func (w *walk) anyBytes(items []expr.Value, depth int) bool {
	for _, item := range items {
		if w.hasBytes(item, depth+1) {
			return true
		}
	}
	return false
}

// plain copies a value with its bytes as text and without secrets.
func (w *walk) plain(v expr.Value, depth int) expr.Value {
	if w.over(depth) {
		return v
	}
	switch v := v.(type) {
	case string:
		return w.hide.text(v)
	case expr.Bytes:
		text := string(v)
		if !utf8.ValidString(text) {
			text = base64.StdEncoding.EncodeToString([]byte(v))
		}
		return w.hide.text(text)
	case *expr.List:
		return expr.NewList(w.plainAll(v.Items(), depth)...)
	case expr.Tuple:
		return expr.Tuple(w.plainAll(v, depth))
	case *expr.Set:
		return expr.NewList(w.plainAll(v.Items(), depth)...)
	case *expr.Dict:
		d := expr.NewDict()
		for key, value := range v.All() {
			_ = d.Set(w.plain(key, depth+1), w.plain(value, depth+1)) // it was a key before
		}
		return d
	case *expr.Object:
		fields := make([]expr.Field, len(v.Fields()))
		for i, f := range v.Fields() {
			fields[i] = expr.Field{Name: f.Name, Value: w.plain(f.Value, depth+1)}
		}
		return expr.NewObject(expr.TypeName(v), fields)
	}
	return v
}

func (w *walk) plainAll(items []expr.Value, depth int) []expr.Value {
	plain := make([]expr.Value, len(items))
	for i, item := range items {
		plain[i] = w.plain(item, depth+1)
	}
	return plain
}

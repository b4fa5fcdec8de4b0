package otel

import (
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// attributes returns attrs without their secrets, and no text longer than
// limit characters; a negative limit is none. The slice it is given stays as it
// is.
func (r *Redactor) attributes(attrs []attribute.KeyValue, limit int) []attribute.KeyValue {
	clean := make([]attribute.KeyValue, len(attrs))
	for i, kv := range attrs {
		kv.Value = r.value(kv.Key, kv.Value, limit)
		clean[i] = kv
	}
	return clean
}

func (r *Redactor) value(key attribute.Key, v attribute.Value, limit int) attribute.Value {
	if isHeader(key) {
		return attribute.StringValue(redacted)
	}
	switch v.Type() {
	case attribute.STRING:
		return attribute.StringValue(r.keyedText(key, v.AsString(), limit))
	case attribute.STRINGSLICE:
		texts := v.AsStringSlice()
		for i, s := range texts {
			texts[i] = r.keyedText(key, s, limit)
		}
		return attribute.StringSliceValue(texts)
	case attribute.BYTESLICE:
		return attribute.ByteSliceValue([]byte(r.text(string(v.AsByteSlice()), limit)))
	case attribute.SLICE:
		values := v.AsSlice()
		for i := range values {
			values[i] = r.value(key, values[i], limit)
		}
		return attribute.SliceValue(values...)
	case attribute.MAP:
		return attribute.MapValue(r.attributes(v.AsMap(), limit)...)
	}
	return v
}

// isHeader reports whether the key is that of an HTTP header. Ours are not
// recorded; what another library records may be a cookie or a token under any
// name.
func isHeader(key attribute.Key) bool {
	return strings.HasPrefix(string(key), "http.request.header.") ||
		strings.HasPrefix(string(key), "http.response.header.")
}

func (r *Redactor) keyedText(key attribute.Key, s string, limit int) string {
	switch key {
	case semconv.URLFullKey:
		s = redactURL(s)
	case semconv.URLQueryKey:
		s = redactQuery(s)
	}
	return r.text(s, limit)
}

// text is String for what is exported: no longer than limit characters, and
// valid UTF-8, without which the encoder refuses the whole batch. What comes
// as long as the limit may have been cut there by the SDK, through the middle
// of a secret.
func (r *Redactor) text(s string, limit int) string {
	if reaches(s, limit) {
		s = r.uncut(s)
	}
	s = strings.ToValidUTF8(r.String(s), "\uFFFD")
	if !reaches(s, limit) {
		return s
	}
	n := 0
	for i := range s {
		if n == limit {
			return s[:i]
		}
		n++
	}
	return s
}

func reaches(s string, limit int) bool {
	return limit >= 0 && len(s) >= limit && utf8.RuneCountInString(s) >= limit
}

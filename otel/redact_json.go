package otel

import (
	"encoding/json"
	"strings"
)

// JSON returns a JSON document without the secrets that were registered. It looks
// into texts, however they are escaped, keys, and numbers; what holds no secret is
// the same, byte by byte. URLs are left as they are: they may be what somebody
// wants to know. raw has been found valid before.
func (r *Redactor) JSON(raw []byte) []byte {
	if r.known.Load() == nil {
		return raw
	}
	var out []byte // nil while nothing has changed
	kept := 0      // how much of raw is in out
	for i := 0; i < len(raw); {
		end := leafEnd(raw, i)
		if end == i {
			i++
			continue
		}
		if clean, changed := r.leaf(raw[i:end]); changed {
			out = append(append(out, raw[kept:i]...), clean...)
			kept = end
		}
		i = end
	}
	if out == nil {
		return raw
	}
	return append(out, raw[kept:]...)
}

// leafEnd is where the text or the number ends that begins at i, or i if there is
// none.
func leafEnd(raw []byte, i int) int {
	if raw[i] != '"' {
		n := i
		for n < len(raw) && strings.IndexByte("+-.0123456789Ee", raw[n]) >= 0 && (n > i || raw[n] != 'e' && raw[n] != 'E') {
			n++
		}
		return n
	}
	for n := i + 1; n < len(raw); n++ {
		switch raw[n] {
		case '\\':
			n++
		case '"':
			return n + 1
		}
	}
	return len(raw)
}

// leaf returns a text or a number without its secrets, as text if it had any.
func (r *Redactor) leaf(raw []byte) (clean []byte, changed bool) {
	text := string(raw)
	if raw[0] == '"' && json.Unmarshal(raw, &text) != nil {
		return nil, false
	}
	hidden := r.Known(text)
	if hidden == text {
		return nil, false
	}
	clean, err := json.Marshal(hidden)
	return clean, err == nil
}

package configs

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

const redacted = "•••"

// A Secret is text that must not be seen. It prints, logs and encodes as •••,
// or as nothing when it is empty, so that one can tell whether it is set.
// The zero Secret is empty. To compare Secrets, compare what they reveal.
type Secret struct {
	// The text stands behind a pointer because fmt cannot call the methods of
	// a value in somebody's unexported field: there it prints the address.
	text *string
}

// NewSecret hides text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the hidden text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no text to hide.
func (s Secret) IsZero() bool { return s.text == nil }

func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// GoString answers whoever prints values as Go.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// Format answers fmt for every verb, also for those that pass String by.
func (s Secret) Format(f fmt.State, verb rune) { writeHidden(f, verb, s.String()) }

// LogValue answers slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText answers encoding/json, YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText hides text.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

func writeHidden(f fmt.State, verb rune, text string) {
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		text = strconv.Quote(text)
	}
	_, _ = io.WriteString(f, text) // fmt has no way to report it
}

package forward

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	// MaxMessages is how many messages of protobuf an export request may hold,
	// of any kind: resources, spans, points, records, attributes and values.
	// The SDKs send 512 spans at once.
	MaxMessages = 100_000

	// maxDepth is how deep they may be nested. Attributes that are lists of
	// lists take three levels for each.
	maxDepth = 100
)

// ErrTooMany says that an export request holds more than is decoded. An empty
// message takes two bytes, and hundreds of them once it is decoded.
var ErrTooMany = fmt.Errorf("the export request holds more than %d messages, such as spans and attributes, or is nested deeper than %d levels", MaxMessages, maxDepth)

// countable refuses what holds too much before it is decoded. A body that is
// too short for that is not looked through.
func countable(body []byte, of protoreflect.MessageDescriptor) error {
	if len(body) < 2*MaxMessages {
		return nil
	}
	c := counter{left: MaxMessages}
	return c.message(body, of, maxDepth)
}

// A counter looks through a message without decoding it.
type counter struct{ left int }

func (c *counter) message(raw []byte, of protoreflect.MessageDescriptor, depth int) error {
	fields := of.Fields()
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return &InvalidError{protowire.ParseError(n)}
		}
		raw = raw[n:]
		field := fields.ByNumber(number)
		if field == nil || kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, raw); n < 0 {
				return &InvalidError{protowire.ParseError(n)}
			}
			raw = raw[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(raw)
		if n < 0 {
			return &InvalidError{protowire.ParseError(n)}
		}
		raw = raw[n:]
		inner := field.Message()
		if inner == nil && !field.IsList() {
			continue
		}
		if c.left--; c.left < 0 || depth == 0 {
			return ErrTooMany
		}
		if inner != nil {
			if err := c.message(value, inner, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

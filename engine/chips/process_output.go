package chips

import (
	"bytes"
	"context"
	"strings"

	"github.com/pullrun/pullrun/engine"
)

// maxLoggedLine is the length, in bytes, beyond which a line is logged in parts.
const maxLoggedLine = 8 << 10

// A programOutput takes what a program writes to one of its streams. One
// goroutine writes to it.
type programOutput struct {
	max       int
	kept      []byte
	truncated bool

	log  func(line []byte) error // nil if nobody asked
	line []byte                  // that has not ended
	err  error                   // of log, which ends it
}

func newProgramOutput(ctx context.Context, r processRequest, stream engine.Stream) *programOutput {
	o := &programOutput{max: r.MaxOutput}
	if r.Log {
		o.log = func(line []byte) error {
			_, err := engine.Write(ctx, stream, append(line, '\n'))
			return err
		}
	}
	return o
}

// Write implements [io.Writer]. Its error, which stops the program's writing, is
// that the run has logged too much.
func (o *programOutput) Write(data []byte) (int, error) {
	room := min(len(data), o.max-len(o.kept))
	o.kept = append(o.kept, data[:room]...)
	o.truncated = o.truncated || room < len(data)
	if o.log == nil {
		return len(data), nil
	}
	o.line = append(o.line, data...)
	for o.err == nil {
		end := bytes.IndexByte(o.line, '\n')
		switch {
		case end >= 0:
			o.say(end, end+1)
		case len(o.line) >= maxLoggedLine:
			o.say(len(o.line), len(o.line))
		default:
			return len(data), nil
		}
	}
	return len(data), o.err
}

// say logs so much of the line and drops it with what ended it.
func (o *programOutput) say(n, taken int) {
	o.err = o.log(bytes.Clone(o.line[:n]))
	o.line = o.line[taken:]
}

// close logs a line that nothing ended, and gives the error of logging.
func (o *programOutput) close() error {
	if o.err == nil && len(o.line) > 0 {
		o.say(len(o.line), len(o.line))
	}
	return o.err
}

func (o *programOutput) text() string { return strings.ToValidUTF8(string(o.kept), "\uFFFD") }

package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// Streams are what a run has for the standard streams of a process. They
// belong to the run: the process's own are given by whoever means them.
type Streams struct {
	In *Source // nil is empty

	// Out and Err get what is written, one write at a time. What a run
	// writes where they are nil goes to its log, as what it prints does, and
	// counts as output.
	Out, Err io.Writer
}

// A Stream is one that can be written to.
type Stream int

// The streams that can be written to.
const (
	Stdout Stream = iota
	Stderr
)

// streams are those of one run.
type streams struct {
	Streams
	writing sync.Mutex // held during a write
}

// Read reads from the standard input of the run that calls a chip, for the
// chip: n bytes, fewer only where the stream ends, none at its end. A
// negative n stands for all there is.
func Read(ctx context.Context, n int) ([]byte, error) {
	return read(ctx, n, false)
}

// ReadLine is as [Read], but ends after a newline.
func ReadLine(ctx context.Context, n int) ([]byte, error) {
	return read(ctx, n, true)
}

func read(ctx context.Context, n int, line bool) ([]byte, error) {
	r, ok := ctx.Value(runKey{}).(*run)
	if !ok || r.streams.In == nil {
		return nil, nil
	}
	limit := int(r.limits.EvalMemory)
	data, err := r.streams.In.next(ctx, min(uint(n), uint(limit)+1), line)
	if len(data) > limit {
		return nil, fmt.Errorf("read standard input: more than %d bytes at once; read it in parts", limit)
	}
	return data, err
}

// Write writes to a stream of the run that calls a chip, for the chip. It
// gives false if the stream did not take the data. Its error says that the
// run has written too much to its log.
func Write(ctx context.Context, to Stream, data []byte) (bool, error) {
	r, ok := ctx.Value(runKey{}).(*run)
	if !ok {
		return true, nil
	}
	w, name := r.streams.Out, "stdout"
	if to == Stderr {
		w, name = r.streams.Err, "stderr"
	}
	if w == nil {
		err := r.write(ctx, slog.LevelInfo, name, strings.TrimSuffix(string(data), "\n"))
		return err == nil, err
	}
	r.streams.writing.Lock()
	defer r.streams.writing.Unlock()
	_, err := io.WriteString(w, r.hide.text(string(data)))
	return err == nil, nil
}

// A Source is a stream that runs read as their standard input. It may serve
// any number of them at once and one after the other: what comes in when the
// run that waited for it has been stopped is kept for the next to read.
type Source struct {
	turn    chan struct{} // holds one token, taken by the reader of what follows
	r       io.Reader
	buf     []byte     // what was read and has not been taken
	end     error      // what the stream ended with
	reading chan chunk // gets what the read under way gives; nil if there is none
}

// A chunk is what one read gave.
type chunk struct {
	data []byte
	err  error
}

const chunkBytes = 64 << 10

// NewSource makes a source of a stream that nobody else reads. A read of it
// that blocks is waited for by one goroutine, until it returns.
func NewSource(r io.Reader) *Source {
	s := &Source{turn: make(chan struct{}, 1), r: r}
	s.turn <- struct{}{}
	return s
}

// next takes n bytes, or what there is up to the end of the stream or, if
// asked, of the line.
func (s *Source) next(ctx context.Context, n uint, line bool) ([]byte, error) {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { s.turn <- struct{}{} }()
	for seen := 0; ; {
		if line {
			if i := bytes.IndexByte(s.buf[seen:], '\n'); i >= 0 {
				n = min(n, uint(seen+i+1))
			}
			seen = len(s.buf)
		}
		switch {
		case uint(len(s.buf)) >= n || s.end == io.EOF || s.end != nil && len(s.buf) > 0:
			return s.take(n), nil
		case s.end != nil:
			return nil, fmt.Errorf("read standard input: %w", s.end)
		}
		if err := s.fill(ctx); err != nil {
			return nil, err
		}
	}
}

// take removes n bytes, or all there are, from the buffer.
func (s *Source) take(n uint) []byte {
	data := s.buf[:min(n, uint(len(s.buf)))]
	s.buf = s.buf[len(data):]
	return bytes.Clone(data)
}

// fill waits for the next part of the stream.
func (s *Source) fill(ctx context.Context) error {
	if s.reading == nil {
		got := make(chan chunk, 1)
		go func() {
			data := make([]byte, chunkBytes)
			n, err := s.r.Read(data)
			got <- chunk{data[:n], err}
		}()
		s.reading = got
	}
	select {
	case c := <-s.reading:
		s.reading = nil
		s.buf, s.end = append(s.buf, c.data...), c.err
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

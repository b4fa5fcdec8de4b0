package chips_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/pullrun/pullrun/engine"
)

func collection(t *testing.T, pipeline string, limits engine.Limits) *engine.Collection {
	t.Helper()
	c, err := engine.Load(engine.LoadOptions{
		FS: fstest.MapFS{"main.yml": {Data: []byte(pipeline)}}, Chips: standard(), Limits: limits, Strict: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// trickle gives its texts one by one, and then an error.
type trickle struct {
	texts []string
	err   error
}

func (r *trickle) Read(p []byte) (int, error) {
	if len(r.texts) == 0 {
		return 0, r.err
	}
	n := copy(p, r.texts[0])
	if r.texts[0] = r.texts[0][n:]; r.texts[0] == "" {
		r.texts = r.texts[1:]
	}
	return n, nil
}

func TestReadingStandardInput(t *testing.T) {
	t.Parallel()
	const calls = `
- loop: "{{ sizes }}"
  chip: reasonchip.streams.CHIP
  params: {max_bytes: "{{ item }}"}
  append_result_into: parts
- return: "{{ [p.data.decode() for p in parts] }}"
`
	long := strings.Repeat("x", 200_000)
	for _, tt := range []struct {
		name, chip string
		in         io.Reader
		sizes      []int
		want       []string
	}{
		{"parts are as large as they are asked for", "read_stdin", &trickle{[]string{"a", "bc", "defg"}, io.EOF}, []int{2, 3, 9, 9}, []string{"ab", "cde", "fg", ""}},
		{"bytes are the same", "read_bytes", strings.NewReader("ab\ncd"), []int{4, 4}, []string{"ab\nc", "d"}},
		{"nothing is asked for", "read_stdin", strings.NewReader("ab"), []int{0, -1}, []string{"", "ab"}},
		{"lines keep their newline", "read_line", &trickle{[]string{"on", "e\ntw", "o\n\nend"}, io.EOF}, []int{99, 99, 99, 99, 99}, []string{"one\n", "two\n", "\n", "end", ""}},
		{"a line is cut", "read_line", strings.NewReader("abcdef\n"), []int{4, 4, 4}, []string{"abcd", "ef\n", ""}},
		{"a long line", "read_line", strings.NewReader(long + "\n."), []int{-1, -1}, []string{long + "\n", "."}},
		{"no input", "read_stdin", nil, []int{4}, []string{""}},
		{"what came before an error", "read_stdin", &trickle{[]string{"ab"}, io.ErrClosedPipe}, []int{4}, []string{"ab"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := collection(t, strings.Replace(calls, "CHIP", tt.chip, 1), engine.Limits{})
			variables, err := json.Marshal(map[string]any{"sizes": tt.sizes})
			if err != nil {
				t.Fatal(err)
			}
			in := engine.Input{Pipeline: "main", Variables: variables}
			if tt.in != nil {
				in.Streams.In = engine.NewSource(tt.in)
			}
			out, err := c.Run(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			if err := json.Unmarshal(out.Result, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Run() reads (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadingFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		in   io.Reader
		want string
	}{
		{"the stream is broken", &trickle{err: io.ErrClosedPipe}, "read standard input: io: read/write on closed pipe"},
		{"too much at once", strings.NewReader(strings.Repeat("x", 101)), "read standard input: more than 100 bytes at once; read it in parts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := collection(t, "- {chip: reasonchip.streams.read_stdin, params: {max_bytes: -1}}\n", engine.Limits{EvalMemory: 100})
			_, err := c.Run(t.Context(), engine.Input{Pipeline: "main", Streams: engine.Streams{In: engine.NewSource(tt.in)}})
			var failed *engine.Error
			if !errors.As(err, &failed) || failed.Class != engine.ChipException || !strings.Contains(failed.Message, tt.want) {
				t.Errorf("Run() = %v, want %q", err, tt.want)
			}
		})
	}
}

// A run that is stopped while it waits for input takes none from the next.
func TestAStoppedRunLeavesTheInput(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	asked := make(chan struct{}, 1)
	source := engine.NewSource(readFunc(func(p []byte) (int, error) {
		select {
		case asked <- struct{}{}:
		default:
		}
		return r.Read(p)
	}))
	c := collection(t, "- {chip: reasonchip.streams.read_line, store_result_as: line}\n- return: '{{ line.data }}'\n", engine.Limits{})
	in := engine.Input{Pipeline: "main", Streams: engine.Streams{In: source}}

	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	var failed *engine.Error
	if _, err := c.Run(ctx, in); !errors.As(err, &failed) || failed.Class != engine.CancelledException {
		t.Fatalf("Run() = %v, want it cancelled", err)
	}
	go func() {
		_, err := io.WriteString(w, "first\nsecond\n")
		w.CloseWithError(err)
	}()
	for _, want := range []string{`"first\n"`, `"second\n"`, `""`} {
		out, err := c.Run(t.Context(), in)
		if err != nil || string(out.Result) != want {
			t.Errorf("Run() = %s, %v, want %s", out.Result, err, want)
		}
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

const writes = `
- {chip: reasonchip.streams.write_stdout, params: {data: "{{ b'a' }}"}, append_result_into: done}
- {chip: reasonchip.streams.write_stderr, params: {data: "grüße\n"}, append_result_into: done}
- {chip: reasonchip.streams.print_stdout, params: {message: b}, append_result_into: done}
- return: "{{ [d.success for d in done] }}"
`

func TestWritingToStreams(t *testing.T) {
	t.Parallel()
	var out, failing bytes.Buffer
	got, err := collection(t, writes, engine.Limits{}).Run(t.Context(), engine.Input{
		Pipeline: "main", Streams: engine.Streams{Out: &out, Err: &failing},
	})
	if err != nil || string(got.Result) != "[true,true,true]" || out.String() != "ab\n" || failing.String() != "grüße\n" {
		t.Errorf("Run() = %s, %v, stdout %q, stderr %q", got.Result, err, out.String(), failing.String())
	}
	closed := writeFunc(func([]byte) (int, error) { return 0, io.ErrClosedPipe })
	got, err = collection(t, writes, engine.Limits{}).Run(t.Context(), engine.Input{
		Pipeline: "main", Streams: engine.Streams{Out: closed, Err: io.Discard},
	})
	if err != nil || string(got.Result) != "[false,true,false]" {
		t.Errorf("Run() with a closed stdout = %s, %v", got.Result, err)
	}
}

type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }

func TestWritesOfOneRunDoNotMeet(t *testing.T) {
	t.Parallel()
	c := collection(t, `
- loop: "{{ range(100) }}"
  loop_parallel: 8
  chip: reasonchip.streams.print_stdout
  params: {message: line}
`, engine.Limits{})
	var out bytes.Buffer
	if _, err := c.Run(t.Context(), engine.Input{Pipeline: "main", Streams: engine.Streams{Out: &out}}); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("line\n", 100); out.String() != want {
		t.Errorf("stdout = %q", out.String())
	}
}

// A run that has no streams writes to its log, within its limit.
func TestWithoutStreamsTheLogIsWrittenTo(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	in := engine.Input{Pipeline: "main", Log: slog.New(slog.NewTextHandler(&log, nil))}
	out, err := collection(t, writes, engine.Limits{}).Run(t.Context(), in)
	if err != nil || string(out.Result) != "[true,true,true]" {
		t.Errorf("Run() = %s, %v", out.Result, err)
	}
	for _, want := range []string{"msg=stdout pipeline=main text=a\n", "msg=stderr pipeline=main text=grüße\n", "msg=stdout pipeline=main text=b\n"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, log.String())
		}
	}
	_, err = collection(t, writes, engine.Limits{Output: 8}).Run(t.Context(), in)
	var failed *engine.Error
	if !errors.As(err, &failed) || failed.Class != engine.LimitException || !strings.Contains(failed.Message, "output") {
		t.Errorf("Run() = %v, want it to reach its limit on output", err)
	}
}

package chips

import (
	"context"

	"github.com/pullrun/pullrun/engine"
)

func streamsChips() []engine.Chip {
	const input = "standard input. A run on a worker has none, and reads nothing from it."
	const output = " On a worker, it goes to the log of the run."
	return []engine.Chip{
		engine.NewChip("reasonchip.streams.read_stdin", "Reads bytes from "+input, reading(engine.Read)),
		engine.NewChip("reasonchip.streams.read_bytes", "Reads bytes from "+input, reading(engine.Read)),
		engine.NewChip("reasonchip.streams.read_line", "Reads a line with its newline from "+input, reading(engine.ReadLine)),
		engine.NewChip("reasonchip.streams.write_stdout", "Writes bytes to standard output."+output, writing(engine.Stdout)),
		engine.NewChip("reasonchip.streams.write_stderr", "Writes bytes to standard error."+output, writing(engine.Stderr)),
		engine.NewChip("reasonchip.streams.print_stdout", "Writes a text and a newline to standard output."+output, printStdout),
	}
}

type (
	readRequest struct {
		MaxBytes int `doc:"How many bytes to read at most; fewer come only where the input or, of a line, the line ends. A negative number stands for all there are." default:"1024"`
	}
	readResponse struct {
		Data []byte `doc:"What was read; empty at the end of the input."`
	}
	writeRequest struct {
		Data []byte `doc:"What to write; of text, its UTF-8." required:"true"`
	}
	printRequest struct {
		Message string `doc:"What to write." required:"true"`
	}
	writeResponse struct {
		Success bool `doc:"Whether all of it was written."`
	}
)

func reading(read func(context.Context, int) ([]byte, error)) func(context.Context, readRequest) (readResponse, error) {
	return func(ctx context.Context, req readRequest) (readResponse, error) {
		data, err := read(ctx, req.MaxBytes)
		return readResponse{data}, err
	}
}

func writing(to engine.Stream) func(context.Context, writeRequest) (writeResponse, error) {
	return func(ctx context.Context, req writeRequest) (writeResponse, error) {
		ok, err := engine.Write(ctx, to, req.Data)
		return writeResponse{ok}, err
	}
}

func printStdout(ctx context.Context, req printRequest) (writeResponse, error) {
	ok, err := engine.Write(ctx, engine.Stdout, []byte(req.Message+"\n"))
	return writeResponse{ok}, err
}

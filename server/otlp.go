package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/pullrun/pullrun/api"
	"github.com/pullrun/pullrun/otel/forward"
)

// workerService is the service that workers' telemetry is shown under,
// whatever they say themselves.
const workerService = "pullrun-worker"

// maxExport is the largest export request, decompressed, in bytes. The SDKs
// send 512 spans at once.
const maxExport = 4 << 20

// export takes telemetry of a worker to the server's collector.
func (s *Server) export(w http.ResponseWriter, r *http.Request) error {
	worker, err := name(r, "id")
	if err != nil {
		return err
	}
	if err := s.mayExport(r.Context(), caller(r), worker); err != nil {
		return err
	}
	signal := forward.Signal(r.PathValue("signal"))
	body, gzipped, err := readExport(w, r)
	if err != nil {
		return err
	}
	rejected, err := s.take(r.Context(), signal, body, gzipped, forward.Sender{Service: workerService, Instance: worker})
	var invalid *forward.InvalidError
	var not forward.NotForwardedError
	switch {
	case errors.As(err, &invalid):
		return api.Errorf(api.CodeInvalidRequest, "%w", err)
	case errors.Is(err, forward.ErrTooMany):
		return api.Errorf(api.CodeBodyTooLarge, "%w", err)
	case errors.As(err, &not):
		return api.Errorf(api.CodeNotFound, "%w", err)
	case err != nil:
		return err
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(forward.Answer(signal, rejected)) // the worker has gone; what was taken is
	return nil
}

// take gives an export request to the forwarder, one of few at a time.
func (s *Server) take(ctx context.Context, signal forward.Signal, body []byte, gzipped bool, from forward.Sender) (rejected int, err error) {
	size := len(body)
	if gzipped {
		size = maxExport // it may be
	}
	leave, err := s.decoding.enter(ctx, size)
	if err != nil {
		return 0, err
	}
	defer leave()
	if gzipped {
		if body, err = gunzip(body); err != nil {
			return 0, err
		}
	}
	return s.cfg().Forwarder.Take(signal, body, from)
}

// readExport reads a body in protobuf, which may be compressed.
func readExport(w http.ResponseWriter, r *http.Request) (body []byte, gzipped bool, err error) {
	if kind := r.Header.Get("Content-Type"); kind != "application/x-protobuf" {
		return nil, false, api.Errorf(api.CodeUnsupportedMedia, "the body must be application/x-protobuf, got %q", kind)
	}
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		gzipped = true
	default:
		return nil, false, api.Errorf(api.CodeUnsupportedMedia, "the body may be compressed by gzip, got %q", encoding)
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxExport))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, false, tooLarge()
	case err != nil:
		return nil, false, errCutBody
	}
	return body, gzipped, nil
}

// gunzip decompresses an export request.
func gunzip(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, api.Errorf(api.CodeInvalidRequest, "the body is not compressed by gzip: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(z, maxExport+1))
	switch {
	case len(raw) > maxExport:
		return nil, tooLarge()
	case err != nil:
		return nil, api.Errorf(api.CodeInvalidRequest, "read the export request: %w", err)
	}
	return raw, nil
}

func tooLarge() error {
	return api.Errorf(api.CodeBodyTooLarge, "the export request is larger than the limit of %d bytes", maxExport)
}

// forwards are the signals that workers may export through this server.
func (s *Server) forwards() []api.Signal {
	var out []api.Signal
	for _, signal := range s.cfg().Forwarder.Signals() {
		out = append(out, api.Signal(signal))
	}
	return out
}

package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pullrun/pullrun/api"
)

// A body is what a call sends.
type body interface{ Validate() error }

// errCutBody is no fault of what the body says: the caller tries again.
var errCutBody = api.Errorf(api.CodeUnavailable, "the body did not arrive in time, or not whole")

// read decodes a request's body into v and checks it. A body beyond limit
// bytes is refused without being read to its end.
func (s *Server) read(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return api.Errorf(api.CodeUnsupportedMedia, "the body must be application/json, got %q", r.Header.Get("Content-Type"))
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return api.Errorf(api.CodeUnsupportedMedia, "the body must be JSON as it is, got Content-Encoding %q", encoding)
	}
	if carry := api.Carry(min(r.ContentLength, limit)); carry > 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(callTimeout + carry)) // not every connection has deadlines
		extend(w, carry)
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return api.Errorf(api.CodeBodyTooLarge, "the body is larger than the limit of %d bytes", limit)
	case err != nil:
		extend(w, 0) // by now the answer may be as late
		return errCutBody
	}
	if err := s.decode(r.Context(), raw, v); err != nil {
		return err
	}
	// The whole body has been read. A deadline that struck while the call
	// waits would end it, as if the client had gone.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // not every connection has deadlines
	if b, ok := v.(body); ok {
		return b.Validate()
	}
	return nil
}

// decode decodes a body into v, unless it is one that would take many times its
// size.
func (s *Server) decode(ctx context.Context, raw []byte, v any) error {
	if list := crowded(raw); list != "" {
		return api.Errorf(api.CodeInvalidRequest, "%s: may have at most %d entries, as any list of a body", list, maxEntries)
	}
	leave, err := s.decoding.enter(ctx, len(raw))
	if err != nil {
		return err
	}
	defer leave()
	if err := api.Unmarshal(raw, v); err != nil {
		return api.Errorf(api.CodeInvalidRequest, "%w", err)
	}
	return nil
}

// maxEntries is how many entries a list of a body may have before it is decoded:
// no call takes more, and an entry of two bytes may take hundreds once it is.
const maxEntries = api.MaxHolding

// crowded returns the name of a list of the outermost object that has more
// entries than any may, or "". It need not be valid JSON.
func crowded(raw []byte) string {
	if len(raw) < 2*maxEntries {
		return ""
	}
	var name []byte // the last text directly within the outermost object
	depth, entries := 0, 0
	list := false // at depth 2 there is one
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			from := i + 1
			i = textEnd(raw, from)
			if depth == 1 {
				name = raw[from:min(i, len(raw))]
			}
		case c == '{' || c == '[':
			if depth++; depth == 2 {
				list, entries = c == '[', 1
			}
		case c == '}' || c == ']':
			depth--
		case c == ',' && depth == 2 && list:
			if entries++; entries > maxEntries {
				return strconv.QuoteToGraphic(string(name[:min(len(name), 80)]))
			}
		}
	}
	return ""
}

// textEnd is where the text of JSON ends that begins at from, behind the quote.
func textEnd(raw []byte, from int) int {
	for i := from; ; i++ {
		n := bytes.IndexByte(raw[min(i, len(raw)):], '"')
		if n < 0 {
			return len(raw)
		}
		i += n
		escapes := 0
		for i-1-escapes >= from && raw[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}

// extend gives an answer that waits another d until it must be written.
func extend(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d + callTimeout)) // not every connection has deadlines
}

// reply answers with JSON.
func reply(w http.ResponseWriter, status int, v any) error {
	raw, err := api.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	if carry := api.Carry(int64(len(raw))); carry > 0 {
		extend(w, carry)
	}
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the caller has gone; what was done stands
	return nil
}

// name reads a path parameter that names a worker or a queue.
func name(r *http.Request, param string) (string, error) {
	v := r.PathValue(param)
	if !api.ValidName(v) {
		return "", api.Errorf(api.CodeInvalidRequest, "%s: %q is not a name", param, v)
	}
	return v, nil
}

// cookie reads the path parameter that names a run.
func cookie(r *http.Request) (string, error) {
	v := r.PathValue("cookie")
	if !api.ValidCookie(v) {
		return "", api.Errorf(api.CodeInvalidRequest, "cookie: %q may hold only letters, digits and . _ : -, and begins with a letter or digit", v)
	}
	return v, nil
}

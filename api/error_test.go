package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/pullrun/pullrun/api"
)

func TestErrorKeepsItsCauseAtHome(t *testing.T) {
	t.Parallel()
	err := api.Errorf(api.CodeUnavailable, "read %q: %w", "x", io.ErrUnexpectedEOF)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v does not wrap its cause", err)
	}
	body, marshalErr := json.Marshal(err)
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}
	want := `{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"read \"x\": unexpected EOF","code":"UNAVAILABLE"}`
	if string(body) != want {
		t.Errorf("on the wire\n got %s\nwant %s", body, want)
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("submit: %w", api.Errorf(api.CodeQueueFull, "queue %q is full", "q"))
	if got := api.CodeOf(err); got != api.CodeQueueFull {
		t.Errorf("CodeOf(%v) = %q, want %q", err, got, api.CodeQueueFull)
	}
	for _, err := range []error{nil, io.EOF} {
		if got := api.CodeOf(err); got != "" {
			t.Errorf("CodeOf(%v) = %q, want none", err, got)
		}
	}
}

func TestAnUnknownCodeIsTheServersFault(t *testing.T) {
	t.Parallel()
	if got := api.Code("NEWER").Status(); got != http.StatusInternalServerError {
		t.Errorf("Status() = %d, want 500", got)
	}
}

package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// A Code tells programs what went wrong with a call.
type Code string

// The codes of problem responses.
const (
	CodeInvalidRequest    Code = "INVALID_REQUEST"
	CodeUnauthorized      Code = "UNAUTHORIZED"
	CodeForbidden         Code = "FORBIDDEN"
	CodeNotFound          Code = "NOT_FOUND"
	CodeMethodNotAllowed  Code = "METHOD_NOT_ALLOWED"
	CodeCookieNotFound    Code = "COOKIE_NOT_FOUND"
	CodeCookieCollision   Code = "COOKIE_COLLISION"
	CodeConcurrencyLimit  Code = "CONCURRENCY_LIMIT"
	CodeNotRequeueable    Code = "NOT_REQUEUEABLE"
	CodeRunEnded          Code = "RUN_ENDED"
	CodeWorkerNotFound    Code = "WORKER_NOT_FOUND"
	CodeSessionNotFound   Code = "SESSION_NOT_FOUND"
	CodeSessionSuperseded Code = "SESSION_SUPERSEDED"
	CodeBodyTooLarge      Code = "BODY_TOO_LARGE"
	CodeUnsupportedMedia  Code = "UNSUPPORTED_MEDIA_TYPE"
	CodeTooManyRequests   Code = "TOO_MANY_REQUESTS"
	CodeQueueFull         Code = "QUEUE_FULL"
	CodeTooManyCombos     Code = "TOO_MANY_COMBINATIONS"
	CodeStoreFull         Code = "STORE_FULL"
	CodeUnavailable       Code = "UNAVAILABLE"
	CodeInternal          Code = "INTERNAL"
	CodeNotSupported      Code = "NOT_SUPPORTED"
)

var statuses = map[Code]int{
	CodeInvalidRequest:    http.StatusBadRequest,
	CodeUnauthorized:      http.StatusUnauthorized,
	CodeForbidden:         http.StatusForbidden,
	CodeNotFound:          http.StatusNotFound,
	CodeMethodNotAllowed:  http.StatusMethodNotAllowed,
	CodeCookieNotFound:    http.StatusNotFound,
	CodeCookieCollision:   http.StatusConflict,
	CodeConcurrencyLimit:  http.StatusConflict,
	CodeNotRequeueable:    http.StatusConflict,
	CodeRunEnded:          http.StatusConflict,
	CodeWorkerNotFound:    http.StatusNotFound,
	CodeSessionNotFound:   http.StatusNotFound,
	CodeSessionSuperseded: http.StatusConflict,
	CodeBodyTooLarge:      http.StatusRequestEntityTooLarge,
	CodeUnsupportedMedia:  http.StatusUnsupportedMediaType,
	CodeTooManyRequests:   http.StatusTooManyRequests,
	CodeQueueFull:         http.StatusTooManyRequests,
	CodeTooManyCombos:     http.StatusTooManyRequests,
	CodeStoreFull:         http.StatusInsufficientStorage,
	CodeUnavailable:       http.StatusServiceUnavailable,
	CodeInternal:          http.StatusInternalServerError,
	CodeNotSupported:      http.StatusNotImplemented,
}

// Status is the HTTP status that goes with the code.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// An Error is a problem response (RFC 9457, application/problem+json) with a
// code of ours. Message is for people and says what was being done to what;
// the cause stays on the side that made the error.
type Error struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Message string `json:"detail"`
	Code    Code   `json:"code"`
	// RetryAfter is when to try again. It travels as a header.
	RetryAfter time.Duration `json:"-"`
	cause      error
}

// Errorf makes an error with the code and its status. A %w in the format is
// its cause, as with [fmt.Errorf].
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{
		Type: "about:blank", Title: http.StatusText(code.Status()), Status: code.Status(),
		Message: err.Error(), Code: code, cause: errors.Unwrap(err),
	}
}

func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause, if there is one on this side of the wire.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf is the code of the first [Error] in err's chain, or "".
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

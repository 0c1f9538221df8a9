package vaultapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// statusOf is the one table from kinds of failure to HTTP statuses.
var statusOf = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusForbidden, // the reference has no 401
	fault.Denied:          http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusBadRequest, // measured: 400 on the wire
	fault.Gone:            http.StatusNotFound,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unsupported:     http.StatusMethodNotAllowed,
	fault.MediaType:       http.StatusUnsupportedMediaType,
	fault.TooMany:         http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.NotImplemented:  http.StatusBadRequest, // 501 means uninitialised here, and no request may get a 5xx
}

// DiagnosisHeader carries the id that joins a refusal with its audit entry.
const DiagnosisHeader = "X-Jotgate-Diagnosis"

var (
	errDenied      = fault.New(fault.Denied, "permission denied")
	errUnsupported = fault.New(fault.Unsupported, "unsupported operation")
	errNoPath      = fault.New(fault.NotFound, "unsupported path").WithReason("unsupported_path")
)

// errNotFound is the answer to a read or list that found nothing: 404 with an
// empty list of errors.
var errNotFound = fault.New(fault.NotFound, "")

// classify gives errors of the storage a kind. They are nobody's mistake, and
// the caller may try again.
func classify(err error) error {
	switch {
	case fault.Of(err) != fault.Internal:
		return err
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrClosed), errors.Is(err, storage.ErrFailed):
		return fault.Wrap(fault.Unavailable, err, "storage is not available")
	case errors.Is(err, storage.ErrConflict):
		return fault.Wrap(fault.Unavailable, err, "too much contention, try again")
	case errors.Is(err, storage.ErrTooLarge):
		return fault.Wrap(fault.TooLarge, err, "a key or value is larger than the storage takes")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fault.Wrap(fault.Unavailable, err, "request timed out")
	}
	return err
}

// wireText is the list of errors in an answer. Refusals that come after the
// caller was recognised have the reference's multi-error form.
func wireText(err error, authed bool) []string {
	text := fault.PublicText(err)
	switch fault.Of(err) {
	case fault.NotFound:
		if publicEmpty(err) {
			return nil
		}
		if authed && fault.ReasonOf(err) == "unsupported_path" {
			return []string{multi(text)}
		}
	case fault.Unsupported:
		if publicEmpty(err) {
			return nil
		}
		if authed {
			return []string{multi(text)}
		}
	case fault.Denied:
		if authed && text == "permission denied" && fault.ReasonOf(err) != "expired" {
			return []string{multi(text)}
		}
	case fault.Internal:
		return []string{multi("internal error")}
	}
	return []string{text}
}

func publicEmpty(err error) bool {
	var e *fault.Error
	return errors.As(err, &e) && e.Public() == ""
}

// multi words one error as a list of errors.
func multi(text string) string { return "1 error occurred:\n\t* " + text + "\n\n" }

// errorBody returns {"errors":[…]} with a final newline.
func errorBody(texts []string) []byte {
	b := append([]byte(nil), `{"errors":`...)
	b = appendStrings(b, texts)
	return append(b, '}', '\n')
}

// clip bounds what of a caller's text comes back in a message.
func clip(s string) string { return clipTo(s, 256) }

// clipTo cuts a text after limit bytes, but never inside a character.
func clipTo(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

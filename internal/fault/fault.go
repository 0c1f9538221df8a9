// Package fault names the kinds of failure that a caller can meet.
//
// An error that crosses a package border has three faces: a Kind, which each
// door maps to a status in one table; a public text, which the caller may
// read; and a private cause, which only the operator's log may show. Code
// compares errors with errors.Is and errors.As and never by their text.
//
// The package refuses to guess: an error that nobody gave a kind is Internal,
// and its text is never shown to a caller.
package fault

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an error is. The zero value is Internal, so
// that a forgotten kind reveals nothing.
type Kind uint8

// The kinds. Each door maps them to its own status codes.
const (
	Internal        Kind = iota // a defect or a broken part of ours; the caller learns nothing
	Invalid                     // the request is malformed or breaks a rule of the endpoint
	Unauthenticated             // no credential, or one that does not prove who is calling
	Denied                      // known caller, not allowed
	NotFound                    // nothing is there (or nothing that the caller may know of)
	Conflict                    // the state does not allow it now: name in use, check-and-set mismatch
	Gone                        // it existed and was removed for good
	TooLarge                    // body, token or field beyond its limit
	Unsupported                 // this path does not answer to this verb
	MediaType                   // the body's content type is not one that the endpoint takes
	TooMany                     // rate limit or quota
	Unavailable                 // sealed, or a part that we depend on does not answer
	NotImplemented              // a documented operation that this server does not offer
)

var kindNames = [...]string{
	"internal", "invalid", "unauthenticated", "denied", "not_found", "conflict", "gone",
	"too_large", "unsupported", "media_type", "too_many", "unavailable", "not_implemented",
}

// String returns the kind's name as it stands in logs and metrics.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Error is a failure with a kind. Build it with New or Wrap.
type Error struct {
	kind   Kind
	reason string
	public string
	detail map[string]string
	cause  error
}

// New returns a failure whose whole text the caller may read.
func New(kind Kind, public string) *Error { return &Error{kind: kind, public: public} }

// Newf is New with a format.
func Newf(kind Kind, format string, args ...any) *Error {
	return &Error{kind: kind, public: fmt.Sprintf(format, args...)}
}

// Wrap returns a failure that shows the caller only public and keeps cause for
// the operator's log and for errors.Is and errors.As.
func Wrap(kind Kind, cause error, public string) *Error {
	return &Error{kind: kind, public: public, cause: cause}
}

// WithReason returns a copy that carries a stable machine-readable reason,
// such as "expired" or "unknown_issuer".
func (e *Error) WithReason(reason string) *Error {
	c := *e
	c.reason = reason
	return &c
}

// WithDetail returns a copy with one more public key and value, such as the
// name of the field that is wrong. Never put a secret here.
func (e *Error) WithDetail(key, value string) *Error {
	c := *e
	c.detail = make(map[string]string, len(e.detail)+1)
	for k, v := range e.detail {
		c.detail[k] = v
	}
	c.detail[key] = value
	return &c
}

// Kind returns the failure's kind.
func (e *Error) Kind() Kind { return e.kind }

// Reason returns the machine-readable reason, or "".
func (e *Error) Reason() string { return e.reason }

// Public returns the text that the caller may read.
func (e *Error) Public() string { return e.public }

// Detail returns the public keys and values. Do not change the map.
func (e *Error) Detail() map[string]string { return e.detail }

// Error returns the whole text, cause included, for the operator's log.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.public
	}
	if e.public == "" {
		return e.cause.Error()
	}
	return e.public + ": " + e.cause.Error()
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.cause }

// Of returns the kind of the first *Error in err's chain, or Internal.
func Of(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.kind
	}
	return Internal
}

// Is reports whether err has the given kind.
func Is(err error, kind Kind) bool { return err != nil && Of(err) == kind }

// ReasonOf returns the reason of the first *Error in err's chain, or "".
func ReasonOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.reason
	}
	return ""
}

// PublicText returns what the caller may read of err: the public text of the
// first *Error in its chain, and "internal error" for any other error.
func PublicText(err error) string {
	var e *Error
	if errors.As(err, &e) && e.kind != Internal && e.public != "" {
		return e.public
	}
	return "internal error"
}

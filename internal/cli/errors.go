package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Exit statuses of both clients.
const (
	StatusOK     = 0
	StatusLocal  = 1 // usage, files, settings, the network
	StatusServer = 2 // the server said no, or nothing was found
)

// Error is a failure with its exit status and, where one helps, a hint on what
// to do next.
type Error struct {
	Status int
	Text   string
	Hint   string
	Cause  error
}

// Error returns the text and the cause.
func (e *Error) Error() string {
	switch {
	case e.Cause == nil:
		return e.Text
	case e.Text == "":
		return e.Cause.Error()
	default:
		return e.Text + ": " + e.Cause.Error()
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Usagef is a mistake in how the command was called: status 1.
func Usagef(format string, a ...any) error {
	return &Error{Status: StatusLocal, Text: fmt.Sprintf(format, a...)}
}

// Failf is any other local failure: status 1.
func Failf(format string, a ...any) error { return Usagef(format, a...) }

// Fail wraps cause as a local failure: status 1. The cause's own hint stays.
func Fail(cause error, format string, a ...any) error {
	return &Error{Status: StatusLocal, Text: fmt.Sprintf(format, a...), Hint: HintOf(cause), Cause: cause}
}

// Serverf is a failure with status 2.
func Serverf(format string, a ...any) error {
	return &Error{Status: StatusServer, Text: fmt.Sprintf(format, a...)}
}

// WithHint returns err with a hint on what to do next; err's status stays.
func WithHint(err error, hint string) error {
	return &Error{Status: StatusOf(err), Hint: hint, Cause: err}
}

// Quiet ends the program with a status and prints nothing more.
func Quiet(status int) error { return &Error{Status: status} }

// StatusOf returns the exit status for err: that of the first *Error in its
// chain, and 1 for any other error.
func StatusOf(err error) int {
	if err == nil {
		return StatusOK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return StatusLocal
}

// HintOf returns the outermost hint in err's chain, or "".
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Cause
	}
	return ""
}

// Report prints err with its hint to the error stream and returns the exit
// status. An error without a text prints nothing.
func (e *Env) Report(err error) int {
	if err == nil {
		return StatusOK
	}
	if text := strings.TrimRight(err.Error(), "\n"); text != "" {
		e.paint(e.Stderr, red, text+"\n")
	}
	if hint := HintOf(err); hint != "" {
		e.paint(e.Stderr, faint, "Hint: "+hint+"\n")
	}
	return StatusOf(err)
}

const (
	red   = "\x1b[31m"
	faint = "\x1b[2m"
	reset = "\x1b[0m"
)

func (e *Env) paint(w io.Writer, color, text string) {
	if e.Color(w) {
		text = color + strings.TrimSuffix(text, "\n") + reset + "\n"
	}
	_, _ = io.WriteString(w, text)
}

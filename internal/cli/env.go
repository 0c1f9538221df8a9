package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"
)

// Env is the world outside a command: its streams and its settings. Commands
// use it instead of the process's own, so that a test can run them in memory.
type Env struct {
	Name   string // the program's name as it stands in messages
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Lookup answers like os.LookupEnv.
	Lookup func(string) (string, bool)
	// NoColor turns colour off whatever the streams are.
	NoColor bool
	// Dash is how messages write a long flag: "-" or, by default, "--".
	Dash string

	stdinUsed bool
}

// System returns the process's own environment for the program name.
func System(name string) *Env {
	return &Env{Name: name, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Lookup: os.LookupEnv}
}

// Get returns the first variable of names that is set and not empty, and the
// name that it was found under.
func (e *Env) Get(names ...string) (value, name string) {
	for _, n := range names {
		if v, ok := e.Lookup(n); ok && v != "" {
			return v, n
		}
	}
	return "", ""
}

// Bool reads a switch from the first variable that is set. A value that is no
// boolean is an error that names the variable, so that a typing mistake in
// VAULT_SKIP_VERIFY is never read as "yes".
func (e *Env) Bool(names ...string) (bool, error) {
	v, name := e.Get(names...)
	if name == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, Usagef("%s must be true or false, got %q", name, v)
	}
	return b, nil
}

// Duration reads a time span ("90s", "1h", or a number of seconds) from the
// first variable that is set; zero when none is.
func (e *Env) Duration(names ...string) (time.Duration, error) {
	v, name := e.Get(names...)
	if name == "" {
		return 0, nil
	}
	d, err := ParseDuration(v)
	if err != nil {
		return 0, Usagef("%s: %v", name, err)
	}
	return d, nil
}

// ParseDuration reads a time span as the field writes it: Go's form ("1h30m"),
// days ("7d"), or a plain number of seconds.
func ParseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return seconds(s, n)
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseInt(days, 10, 64); err == nil && n >= 0 && n <= maxSeconds/86400 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration such as 30s, 15m, 1h, 7d or a number of seconds", s)
	}
	return d, nil
}

const maxSeconds = int64(1<<63-1) / int64(time.Second)

func seconds(s string, n int64) (time.Duration, error) {
	if n > maxSeconds || n < -maxSeconds {
		return 0, fmt.Errorf("%q seconds is out of range", s)
	}
	return time.Duration(n) * time.Second, nil
}

// Home returns the user's home directory, or an error that says how to set it.
func (e *Env) Home() (string, error) {
	if v, _ := e.Get("HOME", "USERPROFILE"); v != "" {
		return v, nil
	}
	return "", Failf("no home directory: set HOME")
}

// ExpandHome replaces a leading ~/ by the home directory.
func (e *Env) ExpandHome(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path, nil
	}
	home, err := e.Home()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, rest), nil
}

// IsTerminal reports whether the stream is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Color reports whether text on w may be coloured: only on a terminal, and not
// when NO_COLOR or the *_CLI_NO_COLOR variables are set.
func (e *Env) Color(w io.Writer) bool {
	if e.NoColor {
		return false
	}
	if v, _ := e.Get("NO_COLOR", "JOTGATE_CLI_NO_COLOR", "VAULT_CLI_NO_COLOR"); v != "" {
		return false
	}
	if v, _ := e.Get("TERM"); v == "dumb" {
		return false
	}
	return IsTerminal(w)
}

// Println writes one line to standard output.
func (e *Env) Println(a ...any) { _, _ = fmt.Fprintln(e.Stdout, a...) }

// Printf writes to standard output.
func (e *Env) Printf(format string, a ...any) { _, _ = fmt.Fprintf(e.Stdout, format, a...) }

// Warnf writes one line to standard error.
func (e *Env) Warnf(format string, a ...any) { _, _ = fmt.Fprintf(e.Stderr, format+"\n", a...) }

// Value prints one value as -field does: followed by a line end only when a
// person reads it, so that $(…) and files get the bare bytes.
func (e *Env) Value(s string) {
	if IsTerminal(e.Stdout) {
		e.Println(s)
		return
	}
	_, _ = io.WriteString(e.Stdout, s)
}

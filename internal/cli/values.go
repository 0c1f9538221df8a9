package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// MaxInput bounds what is read from a file or from standard input: no door
// takes a larger body.
const MaxInput = 32 << 20

// ReadStdin reads standard input to its end, once. A second reader is refused,
// because it would silently get nothing.
func (e *Env) ReadStdin() ([]byte, error) {
	if e.stdinUsed {
		return nil, Usagef("standard input can be used for only one value")
	}
	e.stdinUsed = true
	return readBounded(e.Stdin, "standard input")
}

// ReadFile reads a file that an argument names; ~/ is the home directory.
func (e *Env) ReadFile(path string) ([]byte, error) {
	if path == "" {
		return nil, Usagef("empty file name after @")
	}
	path, err := e.ExpandHome(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, FileError("read", path, err)
	}
	defer func() { _ = f.Close() }()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return nil, Usagef("cannot read %s: it is a directory", path)
	}
	return readBounded(f, path)
}

func readBounded(r io.Reader, from string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxInput+1))
	if err != nil {
		return nil, Fail(err, "cannot read %s", from)
	}
	if len(b) > MaxInput {
		return nil, Usagef("%s is larger than %d MiB", from, MaxInput>>20)
	}
	return b, nil
}

// FileError turns a file system error into one clear line.
func FileError(verb, path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Usagef("cannot %s %s: no such file", verb, path)
	case errors.Is(err, fs.ErrPermission):
		return Usagef("cannot %s %s: permission denied", verb, path)
	case errors.Is(err, fs.ErrExist):
		return Usagef("%s exists already: nothing was written", path)
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return Usagef("cannot %s %s: %v", verb, path, err)
}

// Indirect resolves the value of a flag or of key=value: "@file" is the file's
// content, "-" is standard input, `\@x` is the literal text "@x", anything else
// stands for itself.
func (e *Env) Indirect(value string) (string, error) {
	switch {
	case value == "-":
		b, err := e.ReadStdin()
		return string(b), err
	case strings.HasPrefix(value, `\@`):
		return value[1:], nil
	case strings.HasPrefix(value, "@"):
		b, err := e.ReadFile(value[1:])
		return string(b), err
	}
	return value, nil
}

// Data builds a request's data from arguments: key=value, key=@file, key=-,
// "@file.json", or "-" for a JSON object on standard input. A key given more
// than once becomes a list. Values stay text; the server converts them.
func (e *Env) Data(args []string) (map[string]any, error) {
	data := make(map[string]any, len(args))
	for _, arg := range args {
		if arg == "-" || (strings.HasPrefix(arg, "@") && !strings.Contains(arg, "=")) {
			if err := e.mergeObject(data, arg); err != nil {
				return nil, err
			}
			continue
		}
		key, value, ok := strings.Cut(arg, "=")
		if !ok || key == "" {
			return nil, Usagef("Failed to parse K=V data: %q is not key=value, @file or -", redactArg(arg))
		}
		text, err := e.Indirect(value)
		if err != nil {
			return nil, Fail(err, "Failed to parse K=V data: %s", key)
		}
		addValue(data, key, text)
	}
	return data, nil
}

// redactArg shortens an argument that is no key=value: it may be a secret that
// was pasted in the wrong place.
func redactArg(arg string) string {
	if len(arg) <= 12 {
		return arg
	}
	return arg[:4] + "…"
}

func addValue(data map[string]any, key, value string) {
	switch old := data[key].(type) {
	case nil:
		if _, set := data[key]; !set {
			data[key] = value
			return
		}
		data[key] = []any{nil, value}
	case []any:
		data[key] = append(old, value)
	default:
		data[key] = []any{old, value}
	}
}

func (e *Env) mergeObject(data map[string]any, arg string) error {
	var raw []byte
	var err error
	from := "standard input"
	if arg == "-" {
		raw, err = e.ReadStdin()
	} else {
		from = arg[1:]
		raw, err = e.ReadFile(from)
	}
	if err != nil {
		return Fail(err, "Failed to parse K=V data")
	}
	object, err := DecodeObject(raw)
	if err != nil {
		return Usagef("Failed to parse K=V data: %s must hold one JSON object: %v", from, err)
	}
	for k, v := range object {
		data[k] = v
	}
	return nil
}

// Pairs parses key=value flags into a map; what names the flag in errors.
func Pairs(what string, list []string) (map[string]string, error) {
	out := make(map[string]string, len(list))
	for _, item := range list {
		k, v, ok := strings.Cut(item, "=")
		if !ok || k == "" {
			return nil, Usagef("%s: %q is not key=value", what, redactArg(item))
		}
		if _, dup := out[k]; dup {
			return nil, Usagef("%s: key %q is given twice", what, k)
		}
		out[k] = v
	}
	return out, nil
}

// Confirm asks a yes/no question on the terminal. Without a terminal it
// answers no, so that a script must say -force.
func (e *Env) Confirm(question string) bool {
	if !IsTerminal(e.Stdin) {
		return false
	}
	_, _ = fmt.Fprintf(e.Stderr, "%s [y/N] ", question)
	var answer string
	_, _ = fmt.Fscanln(e.Stdin, &answer)
	return strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes")
}

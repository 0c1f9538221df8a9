// Package drawer is what the engines share that keep JSON objects under paths:
// which paths and values they take, and how a folder is listed without reading
// what lies below it.
//
// It refuses paths that a list could not show again, and values that are no
// JSON object without repeated names, too large or nested too deep.
package drawer

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/fault"
)

// Limits.
const (
	// MaxPath is the longest path inside a mount, in bytes.
	MaxPath = 900
	// MaxValue is the largest value, in bytes of JSON text.
	MaxValue = 4 << 20
	// MaxDepth is how deep a value may be nested.
	MaxDepth = 100
)

// The answers to what this package refuses, all of kind Invalid but
// ErrLargeValue, which is TooLarge.
var (
	ErrMissingPath = fault.New(fault.Invalid, "missing path")
	ErrNoData      = fault.New(fault.Invalid, "no data provided")
	ErrNotObject   = fault.New(fault.Invalid, "data must be a JSON object")
	ErrBadJSON     = fault.New(fault.Invalid, "data is not valid JSON without repeated names")
	ErrLongPath    = fault.Newf(fault.Invalid, "path is longer than %d bytes", MaxPath)
	ErrBadPath     = fault.New(fault.Invalid, "path has an empty segment or a control character")
	ErrLargeValue  = fault.Newf(fault.TooLarge, "value is larger than %d bytes", MaxValue)
	ErrDeepValue   = fault.Newf(fault.Invalid, "value is nested deeper than %d levels", MaxDepth)
)

// ErrNotFound is the answer to a path or folder that holds nothing.
var ErrNotFound = fault.New(fault.NotFound, "")

// CheckPath refuses what cannot be a key, or what a list could not show.
func CheckPath(path string) error {
	switch {
	case path == "":
		return ErrMissingPath
	case len(path) > MaxPath:
		return ErrLongPath
	case path[0] == '/' || path[len(path)-1] == '/' || strings.Contains(path, "//") || hasControl(path):
		return ErrBadPath
	}
	return nil
}

// ValidPath reports whether CheckPath has nothing against path.
func ValidPath(path string) bool { return CheckPath(path) == nil }

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f || s[i] == 0xff {
			return true
		}
	}
	return false
}

// Folder returns the folder with its slash, or "" for the top.
func Folder(path string) (string, error) {
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return "", nil
	}
	return path + "/", CheckPath(path)
}

// Object checks that data is a JSON object within the limits and returns a copy
// without white space. Numbers and member order stay as they are.
func Object(data jsontext.Value) (jsontext.Value, error) {
	switch {
	case len(data) == 0 || data.Kind() == 'n':
		return nil, ErrNoData
	case len(data) > MaxValue:
		return nil, ErrLargeValue
	case data.Kind() != '{':
		return nil, ErrNotObject
	case !data.IsValid():
		return nil, ErrBadJSON
	}
	out := data.Clone()
	if err := out.Compact(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, ErrBadJSON.Public())
	}
	if Depth(out) > MaxDepth {
		return nil, ErrDeepValue
	}
	return out, nil
}

// Depth returns how deep valid JSON text is nested.
func Depth(v jsontext.Value) int {
	deepest, now, inText := 0, 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

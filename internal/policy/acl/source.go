package acl

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a policy's text, checked before any library sees it: the HCL
// parser recurses, and three million nested blocks end the process.
const (
	MaxSize  = 128 << 10 // bytes
	maxDepth = 32        // nested blocks and lists
)

var (
	errTooLong = fmt.Errorf("the text is longer than %d bytes", MaxSize)
	errTooDeep = fmt.Errorf("blocks are nested deeper than %d", maxDepth)
	errUTF8    = errors.New("the text is not valid UTF-8")
)

// field is one key of a block, whatever language it was written in. A value is
// a bool, a string, a number, a list ([]any), a block ([]field) or nil.
type field struct {
	name  string
	line  int
	value any
}

// readSource returns the top-level keys of a policy. Every block stands there
// as a field with the label, such as "path", holding a block whose only field
// is named by the path.
func readSource(text string) ([]field, error) {
	switch {
	case len(text) > MaxSize:
		return nil, errTooLong
	case !utf8.ValidString(text):
		return nil, errUTF8
	case nesting(text) > maxDepth:
		return nil, errTooDeep
	}
	if strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
		return readJSON(text)
	}
	return readHCL(text)
}

// nesting returns how deep braces and brackets nest. It skips strings and
// comments as HCL does; where it could be misled, MaxSize still bounds the
// recursion of the parser.
func nesting(text string) int {
	depth, deepest := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = skipString(text, i+1)
		case '#':
			i = skipPast(text, i, "\n")
		case '/':
			switch {
			case strings.HasPrefix(text[i:], "//"):
				i = skipPast(text, i, "\n")
			case strings.HasPrefix(text[i:], "/*"):
				i = skipPast(text, i+2, "*/")
			}
		case '{', '[':
			if depth++; depth > deepest {
				deepest = depth
			}
		case '}', ']':
			depth--
		}
	}
	return deepest
}

// skipString returns where the string that begins at i ends.
func skipString(text string, i int) int {
	for ; i < len(text) && text[i] != '"' && text[i] != '\n'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// skipPast returns the last byte of the next end at or after i.
func skipPast(text string, i int, end string) int {
	n := strings.Index(text[i:], end)
	if n < 0 {
		return len(text)
	}
	return i + n + len(end) - 1
}

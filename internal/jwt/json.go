package jwt

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// object is a JSON object that was checked as a whole: its members in order,
// names decoded, values as text.
type object struct {
	members []member
}

type member struct {
	name  string
	value Value
}

// parseObject checks that doc is exactly one JSON object (no duplicate names
// at any depth, valid UTF-8, no unpaired surrogates, nothing after it) that
// nests at most maxDepth deep, and returns its members. what names the part of
// the token for the error's text.
func parseObject(doc []byte, maxDepth int, what string) (object, error) {
	if !depthWithin(doc, maxDepth) {
		return object{}, refuse(ErrMalformed, "the token's "+what+" is nested too deeply")
	}
	if !jsontext.Value(doc).IsValid() {
		return object{}, refuse(ErrMalformed, "the token's "+what+" is not valid JSON, or is ambiguous: duplicate names and invalid UTF-8 are refused")
	}
	v := Value{text: trimSpace(string(doc))}
	if v.Kind() != KindObject {
		return object{}, refuse(ErrMalformed, "the token's "+what+" is not a JSON object")
	}
	return object{members: v.members()}, nil
}

// ParseValue reads one JSON document under the rules for tokens: no duplicate
// names, valid UTF-8, nothing after the value, nested at most maxDepth deep. It
// is for configuration that is compared with claims, so that both sides keep
// the exact text of their numbers. It fails with ErrMalformed.
func ParseValue(doc []byte, maxDepth int) (Value, error) {
	if !depthWithin(doc, maxDepth) || !jsontext.Value(doc).IsValid() {
		return Value{}, refuse(ErrMalformed, "the text is not valid JSON, is ambiguous or is nested too deeply")
	}
	return Value{text: trimSpace(string(doc))}, nil
}

// depthWithin reports whether no bracket outside a string nests deeper than
// limit. It runs before the JSON library, whose own limit is far higher.
func depthWithin(doc []byte, limit int) bool {
	if bytes.Count(doc, []byte("{"))+bytes.Count(doc, []byte("[")) <= limit {
		return true
	}
	depth, inString := 0, false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

const jsonSpace = " \t\r\n"

func trimSpace(s string) string { return strings.Trim(s, jsonSpace) }

// The functions below walk text that the JSON library has found valid, so they
// only look for where things end.

// skipSpace returns the index of the first byte at or after i that is not
// white space.
func skipSpace(s string, i int) int {
	for i < len(s) && strings.IndexByte(jsonSpace, s[i]) >= 0 {
		i++
	}
	return i
}

// endOfString returns the index after the string that starts at s[i].
func endOfString(s string, i int) int {
	i++
	quote := i + strings.IndexByte(s[i:], '"')
	if strings.IndexByte(s[i:quote], '\\') < 0 {
		return quote + 1
	}
	for ; s[i] != '"'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// endOfValue returns the index after the value that starts at s[i].
func endOfValue(s string, i int) int {
	switch s[i] {
	case '"':
		return endOfString(s, i)
	case '{', '[':
		for depth := 0; ; {
			switch s[i] {
			case '"':
				i = endOfString(s, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	}
	for i < len(s) && strings.IndexByte(",]}"+jsonSpace, s[i]) < 0 {
		i++
	}
	return i
}

// unquote decodes a JSON string. Without escapes it is a slice of the input.
func unquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s[1 : len(s)-1]
	}
	b, _ := jsontext.AppendUnquote(nil, s) // cannot fail: the text was found valid
	return string(b)
}

// foldsOnto returns the registered name that name equals under Unicode case
// folding without being it, if any.
func foldsOnto(name string, registered []string) (string, bool) {
	if name == "" {
		return "", false
	}
	for _, r := range registered {
		// A cheap look first: an ASCII letter folds onto its own lower case, or
		// onto a letter that is not ASCII.
		if c := name[0]; c < 0x80 && c|0x20 != r[0] || len(name) < len(r) {
			continue
		}
		if name != r && strings.EqualFold(name, r) {
			return r, true
		}
	}
	return "", false
}

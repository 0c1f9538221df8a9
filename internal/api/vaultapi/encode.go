package vaultapi

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// jsonOptions make answers look as Go's old encoder made them: nil lists and
// maps are null, keys are sorted, numbers keep their text.
var jsonOptions = json.JoinOptions(
	json.Deterministic(true),
	json.FormatNilSliceAsNull(true),
	json.FormatNilMapAsNull(true),
	json.WithMarshalers(json.MarshalToFunc(func(e *jsontext.Encoder, n stdjson.Number) error {
		return e.WriteValue(jsontext.Value(n))
	})),
)

// appendJSON appends the JSON text of v. The types that answers are made of
// are spelled out here, without reflection; the rest goes to the library.
func appendJSON(b []byte, v any) (_ []byte, err error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		return appendString(b, v), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case stdjson.Number:
		return append(b, v...), nil
	case jsontext.Value:
		return appendRaw(b, v)
	case []string:
		if v == nil {
			return append(b, "null"...), nil
		}
		return appendStrings(b, v), nil
	case []any:
		return appendList(b, v)
	case map[string]any:
		return appendMap(b, v, func(b []byte, e any) ([]byte, error) { return appendJSON(b, e) })
	case map[string]string:
		return appendMap(b, v, func(b []byte, e string) ([]byte, error) { return appendString(b, e), nil })
	}
	t, err := json.Marshal(v, jsonOptions)
	if err != nil {
		return b, fmt.Errorf("vaultapi: encoding an answer: %w", err)
	}
	return append(b, t...), nil
}

// appendRaw appends JSON that was checked when it came in, on one line.
func appendRaw(b []byte, v jsontext.Value) ([]byte, error) {
	if len(v) == 0 {
		return append(b, "null"...), nil
	}
	if bytes.ContainsAny(v, "\n\r\t") { // between values; inside a text they are escaped
		v = v.Clone()
		if err := v.Compact(); err != nil {
			return b, fmt.Errorf("vaultapi: encoding an answer: %w", err)
		}
	}
	return append(b, v...), nil
}

func appendList(b []byte, list []any) (_ []byte, err error) {
	if list == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '[')
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendJSON(b, e); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// appendMap appends an object with its names sorted.
func appendMap[V any](b []byte, m map[string]V, value func([]byte, V) ([]byte, error)) (_ []byte, err error) {
	if m == nil {
		return append(b, "null"...), nil
	}
	var room [32]string
	names := room[:0]
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		if b, err = value(b, m[name]); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// appendString appends a JSON text. Bytes that are not UTF-8 come out as the
// replacement character.
func appendString(b []byte, s string) []byte {
	out, _ := jsontext.AppendQuote(b, s) // the error only says that something was replaced
	return out
}

// appendStrings appends a list; nil is the empty one.
func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

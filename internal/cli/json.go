package cli

import (
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Number is a JSON number with its own text, so that a large integer or a long
// fraction leaves the client as it came.
type Number string

// MarshalJSONTo writes the number's own text.
func (n Number) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteValue(jsontext.Value(n))
}

var exactNumbers = json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, out *any) error {
	if dec.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	*out = Number(raw)
	return nil
}))

// Decode parses one JSON value into out. Numbers inside an any keep their
// text; duplicate names, bad UTF-8 and text after the value are refused.
func Decode(raw []byte, out any) error {
	return json.Unmarshal(raw, out, exactNumbers)
}

// DecodeObject parses one JSON object.
func DecodeObject(raw []byte) (map[string]any, error) {
	var out map[string]any
	if err := Decode(raw, &out); err != nil {
		return nil, jsonProblem(err)
	}
	if out == nil {
		return nil, errors.New("it is null")
	}
	return out, nil
}

// jsonProblem keeps where a JSON text is wrong and drops the library's prefix
// and the Go types, which mean nothing to the person who wrote the text.
func jsonProblem(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		if errors.Is(syntax.Err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("the JSON text ends too early")
		}
		return syntax
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the JSON text ends too early")
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return errors.New("it is not a JSON object")
	}
	return err
}

// EncodeJSON returns v as compact JSON with sorted names.
func EncodeJSON(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true), json.FormatNilSliceAsNull(true), json.FormatNilMapAsNull(true))
}

// EncodeRequest is EncodeJSON for what the user gave. It names the member that
// is no text, which is the one thing that can be wrong with it.
func EncodeRequest(v any) ([]byte, error) {
	b, err := EncodeJSON(v)
	var bad *jsontext.SyntacticError
	switch {
	case err == nil:
		return b, nil
	case errors.As(err, &bad):
		return nil, WithHint(Usagef("cannot write the request: %s is not UTF-8 text", Visible(strings.TrimPrefix(string(bad.JSONPointer), "/"))),
			"a request is JSON: encode other bytes first, such as with base64")
	}
	return nil, Fail(err, "cannot write the request")
}

// EncodeIndented returns v as JSON for people: two spaces, sorted names, no
// line end.
func EncodeIndented(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true), json.FormatNilSliceAsNull(true), json.FormatNilMapAsNull(true),
		jsontext.WithIndent("  "))
}

// PrintJSON writes v as indented JSON and a line end.
func (e *Env) PrintJSON(v any) error {
	b, err := EncodeIndented(v)
	if err != nil {
		return Fail(err, "cannot print the answer as JSON")
	}
	_, err = e.Stdout.Write(append(b, '\n'))
	return err
}

package acl

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// readJSON parses a policy written in JSON: strict, no name twice in one
// object. `"path"` holds an object of rules, or a list of such objects.
func readJSON(text string) ([]field, error) {
	d := &jsonReader{dec: jsontext.NewDecoder(strings.NewReader(text)), text: text}
	value, err := d.value()
	if err != nil {
		return nil, d.fail(err)
	}
	if _, err := d.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: text after the end of the JSON object", d.line())
	}
	fields, _ := value.([]field) // the text begins with "{"
	return flatten(fields), nil
}

// flatten turns lists of objects into repeated keys, which is what they mean.
func flatten(in []field) []field {
	var out []field
	for _, f := range in {
		list, ok := f.value.([]any)
		if !ok || f.name != "path" {
			out = append(out, f)
			continue
		}
		for _, e := range list {
			out = append(out, field{name: f.name, line: f.line, value: e})
		}
	}
	return out
}

type jsonReader struct {
	dec  *jsontext.Decoder
	text string
}

func (d *jsonReader) line() int {
	return 1 + strings.Count(d.text[:d.dec.InputOffset()], "\n")
}

// fail says on which line the text breaks a rule.
func (d *jsonReader) fail(err error) error {
	return fmt.Errorf("line %d: not valid JSON: %w", d.line(), err)
}

func (d *jsonReader) value() (any, error) {
	t, err := d.dec.ReadToken()
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	switch t.Kind() {
	case '{':
		return d.object()
	case '[':
		return d.list()
	case '"':
		return t.String(), nil
	case '0':
		n, ok := canonicalNumber(t.String())
		if !ok {
			return nil, fmt.Errorf("number %s is out of range", t.String())
		}
		return n, nil
	case 'n':
		return nil, nil
	default:
		return t.Bool(), nil
	}
}

func (d *jsonReader) object() (any, error) {
	out := []field{}
	for d.dec.PeekKind() != '}' {
		t, err := d.dec.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("%w", err)
		}
		f := field{name: t.String(), line: d.line()}
		if f.value, err = d.value(); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	_, err := d.dec.ReadToken()
	return out, err
}

func (d *jsonReader) list() (any, error) {
	out := []any{}
	for d.dec.PeekKind() != ']' {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := d.dec.ReadToken()
	return out, err
}

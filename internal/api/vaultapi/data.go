package vaultapi

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/fault"
)

// Bounds on a JSON body, which hold while it is read: nothing beyond them is
// ever kept (CVE-2025-6203).
const (
	maxDepth   = 100
	maxValues  = 200_000
	maxStrings = 4 << 20 // bytes of one text
)

// Data is the parameters of a request: a JSON object, a form, or the query of
// a request without a body. The nil Data is empty.
type Data struct {
	m    map[string]any
	raw  map[string]jsontext.Value // top-level values of a JSON body, as sent
	body []byte
}

// Map returns the parameters: string, bool, json.Number, nil, []any and
// map[string]any. Do not change it.
func (d *Data) Map() map[string]any {
	if d == nil {
		return nil
	}
	return d.m
}

// Raw returns the JSON text of one top-level parameter exactly as it was sent,
// so that large numbers survive.
func (d *Data) Raw(name string) (jsontext.Value, bool) {
	if d == nil {
		return nil, false
	}
	v, ok := d.raw[name]
	return v, ok
}

// Body returns the whole JSON object as it was sent; empty if there was none.
// It has passed all checks on depth, size and duplicate names.
func (d *Data) Body() jsontext.Value {
	if d == nil {
		return nil
	}
	return d.body
}

func (d *Data) fromBody(name string) bool { _, ok := d.raw[name]; return ok }

// readData reads the parameters of a request. limit bounds the body in bytes.
func readData(w http.ResponseWriter, r *http.Request, op string, limit int64) (*Data, error) {
	switch op {
	case Read, List, Scan, Delete, help:
		return queryData(r)
	case Patch:
		if err := checkPatchType(r); err != nil {
			return nil, err
		}
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, nil
	}
	body, err := readBody(w, r, limit)
	if err != nil || len(body) == 0 {
		return nil, err
	}
	if isForm(r, body) {
		return formData(string(body))
	}
	return decodeJSON(body)
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var body []byte
	var err error
	rd := http.MaxBytesReader(w, r.Body, limit)
	if n := r.ContentLength; n > 0 {
		body = make([]byte, n)
		_, err = io.ReadFull(rd, body)
	} else {
		body, err = io.ReadAll(rd)
	}
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return nil, tooLarge(limit)
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, err, "failed to read the request body")
	}
	return body, nil
}

func tooLarge(limit int64) error {
	return fault.Newf(fault.TooLarge, "request body is larger than %d bytes", limit)
}

// checkPatchType insists on the merge-patch type, so that a client which means
// another kind of patch is not misread.
func checkPatchType(r *http.Request) error {
	ct := r.Header.Get("Content-Type")
	if ct == "" {
		return fault.New(fault.Invalid, "mime: no media type")
	}
	t, _, err := mime.ParseMediaType(ct)
	if err != nil {
		return fault.New(fault.Invalid, "mime: malformed media type")
	}
	if t != "application/merge-patch+json" {
		return fault.Newf(fault.MediaType, "PATCH requires Content-Type of application/merge-patch+json, provided %s", t)
	}
	return nil
}

// isForm reports whether a body is a form. curl sends JSON under the form's
// type, so the first character decides.
func isForm(r *http.Request, body []byte) bool {
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if t != "application/x-www-form-urlencoded" {
		return false
	}
	s := strings.TrimLeft(string(body[:min(len(body), 64)]), " \t\r\n")
	return s != "" && s[0] != '{' && s[0] != '['
}

func formData(text string) (*Data, error) {
	v, err := url.ParseQuery(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "failed to decode form input")
	}
	return valuesData(v), nil
}

// queryData takes the parameters of the query string, without those that the
// door itself understands.
func queryData(r *http.Request) (*Data, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	v, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault.New(fault.Invalid, "failed to decode the query string")
	}
	delete(v, "list")
	delete(v, "scan")
	delete(v, "help")
	if len(v) == 0 {
		return nil, nil
	}
	return valuesData(v), nil
}

func valuesData(v url.Values) *Data {
	d := &Data{m: make(map[string]any, len(v))}
	for k, vs := range v {
		if len(vs) == 1 {
			d.m[k] = vs[0]
			continue
		}
		list := make([]any, len(vs))
		for i, s := range vs {
			list[i] = s
		}
		d.m[k] = list
	}
	return d
}

// decodeJSON reads one JSON object. Errors give the place, never the text.
func decodeJSON(body []byte) (*Data, error) {
	p := parser{in: body, dec: jsontext.NewDecoder(bytes.NewBuffer(body)), left: maxValues}
	d := &Data{body: body}
	err := p.top(d)
	var syn *jsontext.SyntacticError
	switch {
	case err == nil:
		return d, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, badJSON("unexpected EOF")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return nil, badJSON("an object has the same name twice")
	case errors.As(err, &syn):
		return nil, badJSON(fmt.Sprintf("invalid JSON at byte %d", syn.ByteOffset))
	}
	return nil, err
}

func badJSON(why string) error {
	return fault.New(fault.Invalid, "failed to decode JSON input: "+why)
}

func complexJSON(why string) error {
	return fault.New(fault.Invalid, "refused JSON input due to high complexity: "+why)
}

type parser struct {
	in   []byte
	dec  *jsontext.Decoder
	left int // values that may still come
}

func (p *parser) top(d *Data) error {
	switch k := p.dec.PeekKind(); k {
	case '{':
	case 'n': // Go clients send null for "no parameters", unwrap among them
		d.body = nil
		if _, err := p.dec.ReadToken(); err != nil {
			return err
		}
		return p.end()
	case 0:
		_, err := p.dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil // only white space
		}
		return err
	default:
		return badJSON("the body must be a JSON object")
	}
	d.m, d.raw = map[string]any{}, map[string]jsontext.Value{}
	if err := p.object(d.m, 1, d.raw); err != nil {
		return err
	}
	return p.end()
}

// end refuses what follows the one value.
func (p *parser) end() error {
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return badJSON("there is something after the object")
	}
	return nil
}

// object reads an object into m; raw, if not nil, also gets the texts.
func (p *parser) object(m map[string]any, depth int, raw map[string]jsontext.Value) error {
	if depth > maxDepth {
		return complexJSON(fmt.Sprintf("more than %d levels", maxDepth))
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for p.dec.PeekKind() != '}' {
		t, err := p.dec.ReadToken()
		if err != nil {
			return err
		}
		name := t.String()
		start := p.dec.InputOffset()
		v, err := p.value(depth)
		if err != nil {
			return err
		}
		m[name] = v
		if raw != nil {
			raw[name] = trimValue(p.in[start:p.dec.InputOffset()])
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

// trimValue cuts the colon and white space before a value.
func trimValue(b []byte) jsontext.Value {
	i := 0
	for i < len(b) && (b[i] == ':' || b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return jsontext.Value(b[i:])
}

func (p *parser) value(depth int) (any, error) {
	if p.left--; p.left < 0 {
		return nil, complexJSON(fmt.Sprintf("more than %d values", maxValues))
	}
	switch p.dec.PeekKind() {
	case '{':
		m := map[string]any{}
		return m, p.object(m, depth+1, nil)
	case '[':
		return p.list(depth + 1)
	}
	t, err := p.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '"':
		s := t.String()
		if len(s) > maxStrings {
			return nil, complexJSON(fmt.Sprintf("a text longer than %d bytes", maxStrings))
		}
		return s, nil
	case '0':
		return stdjson.Number(t.String()), nil
	case 't', 'f':
		return t.Bool(), nil
	}
	return nil, nil
}

func (p *parser) list(depth int) (any, error) {
	if depth > maxDepth {
		return nil, complexJSON(fmt.Sprintf("more than %d levels", maxDepth))
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, err
	}
	out := []any{}
	for p.dec.PeekKind() != ']' {
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := p.dec.ReadToken()
	return out, err
}

package jwttool

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/cli"
)

func trimBearer(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 7 && strings.EqualFold(s[:7], "bearer ") {
		s = strings.TrimSpace(s[7:])
	}
	return s
}

// member is one name of a JSON object with its value as it was written.
type member struct {
	name  string
	value jsontext.Value
}

// object is a JSON object that keeps the order of its names, because the bytes
// of a token are what is signed.
type object []member

// parseObject reads one JSON object; duplicate names and bad UTF-8 are refused.
func parseObject(raw []byte) (object, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if dec.PeekKind() != '{' {
		return nil, fmt.Errorf("it is not a JSON object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	var out object
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		out = append(out, member{key, value.Clone()})
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); err == nil {
		return nil, fmt.Errorf("there is text after the JSON object")
	}
	return out, nil
}

// set replaces a member or adds it at the end.
func (o object) set(name string, value jsontext.Value) object {
	for i := range o {
		if o[i].name == name {
			o[i].value = value
			return o
		}
	}
	return append(o, member{name, value})
}

func (o object) get(name string) (jsontext.Value, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// compact writes the object on one line.
func (o object) compact() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = jsontext.AppendQuote(out, m.name); err != nil {
			return nil, err
		}
		out = append(out, ':')
		v := m.value.Clone()
		if err := v.Compact(); err != nil {
			return nil, err
		}
		out = append(out, v...)
	}
	return append(out, '}'), nil
}

// indent writes the object for people.
func (o object) indent() string {
	raw, err := o.compact()
	if err != nil {
		return "{}"
	}
	v := jsontext.Value(raw)
	if err := v.Indent(); err != nil {
		return string(raw)
	}
	return strings.ReplaceAll(cli.Visible(string(v)), "\t", "  ")
}

func quote(s string) jsontext.Value {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil { // not UTF-8: replaced, so that the caller's check can see it
		b, _ = jsontext.AppendQuote(nil, strings.ToValidUTF8(s, "\uFFFD"))
	}
	return b
}

// decodeSegment reads base64url leniently: this is for looking, not for trust.
func decodeSegment(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}

// humanTime writes an instant and how far away it is.
func humanTime(at, now time.Time) string {
	return at.UTC().Format(time.RFC3339) + " (" + distance(at.Sub(now)) + ")"
}

func distance(d time.Duration) string {
	switch {
	case d < 0:
		return span(-d) + " ago"
	case d == 0:
		return "now"
	}
	return "in " + span(d)
}

// span writes a time span with its two largest units.
func span(d time.Duration) string {
	units := []struct {
		size time.Duration
		name string
	}{{365 * 24 * time.Hour, "year"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}
	var parts []string
	for _, u := range units {
		if n := d / u.size; n > 0 {
			d -= n * u.size
			name := u.name
			if n > 1 {
				name += "s"
			}
			parts = append(parts, fmt.Sprintf("%d %s", n, name))
			if len(parts) == 2 {
				break
			}
		} else if len(parts) > 0 {
			break
		}
	}
	if len(parts) == 0 {
		return "less than a second"
	}
	return strings.Join(parts, " ")
}

package vaultapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
)

// FieldType says how a parameter is read. The zero value is a plain text.
type FieldType uint8

// The types of parameters, with what they come out as.
const (
	String      FieldType = iota // string
	LowerString                  // string, lower case
	Bool                         // bool
	Int                          // int64
	Seconds                      // time.Duration, whole seconds, never negative
	SignedSecs                   // time.Duration, whole seconds
	CommaList                    // []string, from a list or a comma-separated text
	StringList                   // []string, from a list or one text
	KVPairs                      // map[string]string
	Object                       // map[string]any
	Any                          // whatever JSON it was
)

// Field is one parameter of an endpoint.
type Field struct {
	Name       string
	Type       FieldType
	Default    any // shown in help; typed as the type comes out
	Deprecated bool
	// Clears: JSON null empties the parameter. Otherwise it is the same as
	// leaving it out.
	Clears bool
	Help   string // one sentence
}

// parseFields reads the declared parameters. The first that does not fit is
// the error; names are tried in order so that it is always the same one.
func (c *Call) parseFields() error {
	if c.fields != nil || c.row == nil {
		return nil
	}
	c.fields = make(map[string]any, len(c.row.Handler.Fields))
	for i := range c.row.Handler.Fields {
		f := &c.row.Handler.Fields[i]
		raw, ok := c.raw(f.Name)
		if !ok {
			continue
		}
		v, err := f.convert(raw)
		if err != nil {
			c.fields = nil
			return c.fieldError(f.Name, err)
		}
		if v != nil {
			c.fields[f.Name] = v
		}
	}
	return nil
}

// raw returns a parameter, from the path first.
func (c *Call) raw(name string) (any, bool) {
	for _, p := range c.Params {
		if p.Name == name {
			return p.Value, true
		}
	}
	v, ok := c.Data.Map()[name]
	return v, ok
}

// fieldError words a wrong parameter as the reference does: with a prefix
// unless the endpoint has an existence check.
func (c *Call) fieldError(name string, err error) error {
	text := fmt.Sprintf("error converting input for field %q: %s", name, err)
	if c.row.Handler.Exists == nil {
		text = "Field validation failed: " + text
	}
	return fault.New(fault.Invalid, text).WithDetail("field", name)
}

func (f *Field) convert(raw any) (any, error) {
	if raw == nil {
		return f.empty(), nil
	}
	switch f.Type {
	case String:
		return box(toString(raw))
	case LowerString:
		s, err := toString(raw)
		return strings.ToLower(s), err
	case Bool:
		return box(toBool(raw))
	case Int:
		return box(toInt(raw))
	case Seconds:
		d, err := toDuration(raw)
		d = d.Truncate(time.Second) // as it reads back
		if err == nil && d < 0 {
			return nil, fmt.Errorf("cannot provide negative value '%d'", int64(d/time.Second))
		}
		return d, err
	case SignedSecs:
		d, err := toDuration(raw)
		return d.Truncate(time.Second), err
	case CommaList:
		return box(toList(raw, true))
	case StringList:
		return box(toList(raw, false))
	case KVPairs:
		return box(toKV(raw))
	case Object:
		return box(toMap(raw))
	case Any:
		return raw, nil
	}
	return nil, errors.New("unknown field type")
}

func box[T any](v T, err error) (any, error) { return v, err }

// empty is what JSON null stands for: nil where it is the same as leaving the
// parameter out.
func (f *Field) empty() any {
	if !f.Clears {
		return nil
	}
	switch f.Type {
	case Bool:
		return false
	case Int:
		return int64(0)
	case Seconds, SignedSecs:
		return time.Duration(0)
	case CommaList, StringList:
		return []string(nil)
	case KVPairs:
		return map[string]string(nil)
	case Object:
		return map[string]any(nil)
	case String, LowerString:
		return ""
	case Any:
	}
	return nil
}

// clearing returns the fields such that JSON null empties each but those of
// the types in not, and those that are named.
func clearing(fields []Field, not []FieldType, but ...string) []Field {
	out := slices.Clone(fields)
	for i := range out {
		out[i].Clears = !slices.Contains(not, out[i].Type) && !slices.Contains(but, out[i].Name)
	}
	return out
}

func get[T any](c *Call, name string) (v T, ok bool) {
	v, ok = c.fields[name].(T)
	return v, ok
}

// Has reports whether the caller gave a declared parameter.
func (c *Call) Has(name string) bool { _, ok := c.fields[name]; return ok }

// String returns a String or LowerString parameter, "" when not given.
func (c *Call) String(name string) string { v, _ := get[string](c, name); return v }

// Bool returns a Bool parameter, false when not given.
func (c *Call) Bool(name string) bool { v, _ := get[bool](c, name); return v }

// Int returns an Int parameter, 0 when not given.
func (c *Call) Int(name string) int64 { v, _ := get[int64](c, name); return v }

// Duration returns a Seconds or SignedSecs parameter, 0 when not given.
func (c *Call) Duration(name string) time.Duration { v, _ := get[time.Duration](c, name); return v }

// List returns a CommaList or StringList parameter, nil when not given.
func (c *Call) List(name string) []string { v, _ := get[[]string](c, name); return v }

// KV returns a KVPairs parameter, nil when not given.
func (c *Call) KV(name string) map[string]string { v, _ := get[map[string]string](c, name); return v }

// Object returns an Object parameter, nil when not given.
func (c *Call) Object(name string) map[string]any { v, _ := get[map[string]any](c, name); return v }

// Any returns a parameter of any type as JSON gave it, nil when not given.
func (c *Call) Any(name string) any { return c.fields[name] }

// Given returns a parameter as JSON gave it, before it was converted.
func (c *Call) Given(name string) any { v, _ := c.raw(name); return v }

// Bounds of a warning about stray parameters: how many names, and how many bytes
// of each.
const (
	maxStray     = 100
	maxStrayName = 128
)

// strayWarnings says which parameters the endpoint did not look at. The
// reference says so only in answers that have a body.
func (c *Call) strayWarnings() []string {
	if c.row == nil || c.row.Handler.Free || c.Data == nil {
		return nil
	}
	var stray, replaced []string
	for name := range c.Data.Map() {
		switch {
		case slices.ContainsFunc(c.Params, func(p route.Param) bool { return p.Name == name }):
			if c.Data.fromBody(name) {
				replaced = append(replaced, name)
			}
		case !slices.ContainsFunc(c.row.Handler.Fields, func(f Field) bool { return f.Name == name }):
			stray = append(stray, clipTo(name, maxStrayName))
		}
	}
	var out []string
	if len(stray) > 0 {
		slices.Sort(stray)
		if len(stray) > maxStray {
			stray = append(stray[:maxStray], "…")
		}
		out = append(out, fmt.Sprintf("Endpoint ignored these unrecognized parameters: %v", stray))
	}
	if len(replaced) > 0 {
		slices.Sort(replaced)
		out = append(out, fmt.Sprintf("Endpoint replaced the value of these parameters with the values captured from the endpoint's path: %v", replaced))
	}
	return out
}

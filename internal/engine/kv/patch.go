package kv

import (
	"bytes"

	json "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/fault"
)

// member is one name and value of an object, in the order of the text.
type member struct {
	name  string
	value jsontext.Value
}

func isObject(v jsontext.Value) bool { return v.Kind() == '{' }

// members splits an object into its members.
func members(v jsontext.Value) ([]member, error) {
	d := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	var out []member
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := t.String()
		val, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		out = append(out, member{name, val.Clone()})
	}
	_, err := d.ReadToken()
	return out, err
}

// join is the inverse of members.
func join(list []member) (jsontext.Value, error) {
	var b bytes.Buffer
	e := jsontext.NewEncoder(&b)
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return nil, err
	}
	for _, m := range list {
		if err := e.WriteToken(jsontext.String(m.name)); err != nil {
			return nil, err
		}
		if err := e.WriteValue(m.value); err != nil {
			return nil, err
		}
	}
	if err := e.WriteToken(jsontext.EndObject); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// mergePatch applies an RFC 7396 merge patch to a value. Numbers keep their
// text and members their order.
func mergePatch(target, patch jsontext.Value) (jsontext.Value, error) {
	out, err := merge(target, patch, 0)
	if err != nil && !fault.Is(err, fault.Invalid) {
		return nil, fault.Wrap(fault.Invalid, err, "patch is not valid JSON")
	}
	return out, err
}

func merge(target, patch jsontext.Value, level int) (jsontext.Value, error) {
	if !isObject(patch) {
		return patch, nil
	}
	if level > drawer.MaxDepth {
		return nil, drawer.ErrDeepValue
	}
	var list []member
	if isObject(target) {
		var err error
		if list, err = members(target); err != nil {
			return nil, err
		}
	}
	changes, err := members(patch)
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(list))
	for i, m := range list {
		at[m.name] = i
	}
	for _, c := range changes {
		i, known := at[c.name]
		if c.value.Kind() == 'n' {
			if known {
				list[i].value = nil
			}
			continue
		}
		var old jsontext.Value
		if known {
			old = list[i].value
		}
		v, err := merge(old, c.value, level+1)
		if err != nil {
			return nil, err
		}
		if known {
			list[i].value = v
		} else {
			list = append(list, member{c.name, v})
		}
	}
	kept := list[:0]
	for _, m := range list {
		if m.value != nil {
			kept = append(kept, m)
		}
	}
	return join(kept)
}

// shape returns an object with null for everything that is no object, down to
// depth levels; 0 = all levels.
func shape(v jsontext.Value, depth int) (jsontext.Value, error) {
	list, err := members(v)
	if err != nil {
		return nil, damaged(err)
	}
	for i := range list {
		m := &list[i]
		if !isObject(m.value) || depth == 1 {
			m.value = jsontext.Value("null")
			continue
		}
		if m.value, err = shape(m.value, max(depth-1, 0)); err != nil {
			return nil, err
		}
	}
	return join(list)
}

// Fields returns the text members of an object by name, such as the ttl of a
// version 1 secret. Other members are left out.
func Fields(v jsontext.Value, names ...string) map[string]string {
	out := make(map[string]string, len(names))
	list, err := members(v)
	if err != nil {
		return out
	}
	for _, m := range list {
		for _, n := range names {
			if m.name != n {
				continue
			}
			var s string
			if m.value.Kind() == '0' {
				out[n] = string(m.value)
			} else if json.Unmarshal(m.value, &s) == nil {
				out[n] = s
			}
		}
	}
	return out
}

package jwt

import "encoding/json"

// Kind is the JSON type of a Value. The zero value is KindAbsent.
type Kind uint8

// The kinds.
const (
	KindAbsent Kind = iota // no value at all: the zero Value
	KindNull
	KindBool
	KindNumber
	KindString
	KindList
	KindObject
)

// String returns the kind's name in words.
func (k Kind) String() string {
	return [...]string{"absent", "null", "boolean", "number", "string", "list", "object"}[min(k, KindObject)]
}

// Value is one JSON value of a token. The zero Value is absent: every reader
// says no. A Value is immutable and holds on to the token's text.
type Value struct{ text string }

// Kind returns the value's JSON type.
func (v Value) Kind() Kind {
	if v.text == "" {
		return KindAbsent
	}
	switch v.text[0] {
	case 'n':
		return KindNull
	case 't', 'f':
		return KindBool
	case '"':
		return KindString
	case '[':
		return KindList
	case '{':
		return KindObject
	}
	return KindNumber
}

// String keeps values out of logs: it names the kind only.
func (v Value) String() string { return "jwt.Value(" + v.Kind().String() + ")" }

// GoString is String for the %#v verb.
func (v Value) GoString() string { return v.String() }

// Text returns the decoded string, and whether v is one.
func (v Value) Text() (string, bool) {
	if v.Kind() != KindString {
		return "", false
	}
	return unquote(v.text), true
}

// Bool returns the boolean, and whether v is one.
func (v Value) Bool() (value, ok bool) { return v.text == "true", v.Kind() == KindBool }

// Number returns the number with its exact text, and whether v is one.
func (v Value) Number() (Number, bool) {
	if v.Kind() != KindNumber {
		return Number{}, false
	}
	return Number(v), true
}

// List returns the elements in order, and whether v is a list.
func (v Value) List() ([]Value, bool) {
	if v.Kind() != KindList {
		return nil, false
	}
	var out []Value
	for i := skipSpace(v.text, 1); v.text[i] != ']'; i = skipSpace(v.text, i) {
		if v.text[i] == ',' {
			i = skipSpace(v.text, i+1)
		}
		end := endOfValue(v.text, i)
		out = append(out, Value{v.text[i:end]})
		i = end
	}
	return out, true
}

// members returns the members of an object in order; v must be one.
func (v Value) members() []member {
	out := make([]member, 0, 16)
	for i := skipSpace(v.text, 1); v.text[i] != '}'; i = skipSpace(v.text, i) {
		if v.text[i] == ',' {
			i = skipSpace(v.text, i+1)
		}
		end := endOfString(v.text, i)
		name := unquote(v.text[i:end])
		i = skipSpace(v.text, skipSpace(v.text, end)+1) // past the colon
		end = endOfValue(v.text, i)
		out = append(out, member{name, Value{v.text[i:end]}})
		i = end
	}
	return out
}

// Member returns the object's member of that name, byte for byte; absent when
// v is not an object or has no such member.
func (v Value) Member(name string) Value {
	if v.Kind() == KindObject {
		for _, m := range v.members() {
			if m.name == name {
				return m.value
			}
		}
	}
	return Value{}
}

// Names returns the names of the object's members in order; none when v is not
// an object.
func (v Value) Names() []string {
	if v.Kind() != KindObject {
		return nil
	}
	members := v.members()
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	return names
}

// Any returns the value as Go's JSON packages would: nil, bool, json.Number
// with the exact text, string, []any or map[string]any. It is fresh: the
// caller may change it.
func (v Value) Any() any {
	switch v.Kind() {
	case KindBool:
		return v.text == "true"
	case KindNumber:
		return json.Number(v.text)
	case KindString:
		return unquote(v.text)
	case KindList:
		elems, _ := v.List()
		out := make([]any, len(elems))
		for i, e := range elems {
			out[i] = e.Any()
		}
		return out
	case KindObject:
		members := v.members()
		out := make(map[string]any, len(members))
		for _, m := range members {
			out[m.name] = m.value.Any()
		}
		return out
	}
	return nil
}

// JSON returns the value's text as it stands in the token. It is fresh.
func (v Value) JSON() []byte { return []byte(v.text) }

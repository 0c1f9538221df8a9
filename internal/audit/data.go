package audit

import (
	stdjson "encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	json "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep the encoder follows a value. Doors bound the depth of
// what they accept well below it.
const maxDepth = 128

// data writes parameters or an answer: every text below it is hashed, unless
// its nearest key is among clearKeys, it is an RFC 3339 time, or the device
// writes raw. Numbers, booleans, keys and lengths stay in clear.
func (n *encoder) data(name string, m map[string]any, clearKeys []string) {
	if m == nil {
		return
	}
	n.key(name)
	n.members(m, clearKeys, 0)
	n.comma = true
}

// elided writes the answer of a list or scan with the lengths of its lists only.
func (n *encoder) elided(r *ResponsePart) {
	if r.Data == nil {
		return
	}
	short := make(map[string]any, len(r.Data))
	for k, v := range r.Data {
		if c, ok := count(v); ok && (k == "keys" || k == "key_info") {
			v = c
		}
		short[k] = v
	}
	n.data("data", short, r.ClearKeys)
}

func count(v any) (int, bool) {
	switch v := v.(type) {
	case []string:
		return len(v), true
	case []any:
		return len(v), true
	case map[string]any:
		return len(v), true
	default:
		return 0, false
	}
}

func (n *encoder) members(m map[string]any, clearKeys []string, depth int) {
	base := len(n.keys)
	for k := range m {
		n.keys = append(n.keys, k)
	}
	slices.SortFunc(n.keys[base:], strings.Compare)
	end := len(n.keys)
	n.open()
	for i := base; i < end; i++ {
		k := n.keys[i]
		n.name(k)
		n.value(m[k], n.inClear(k, clearKeys), clearKeys, depth+1)
		n.comma = true
	}
	n.keys = n.keys[:base]
	n.end()
}

// textMembers is members for an object of texts.
func (n *encoder) textMembers(m map[string]string, clearKeys []string) {
	if m == nil {
		n.b = append(n.b, "null"...)
		return
	}
	n.open()
	base := n.sorted(m)
	for _, k := range n.keys[base:] {
		n.name(k)
		n.text(m[k], n.inClear(k, clearKeys))
	}
	n.keys = n.keys[:base]
	n.end()
}

func (n *encoder) inClear(key string, clearKeys []string) bool {
	return n.f.raw || (len(clearKeys) > 0 && slices.Contains(clearKeys, key))
}

// text writes one text of the data.
func (n *encoder) text(s string, inClear bool) {
	if inClear || isTime(s) {
		n.b = appendString(n.b, s)
		return
	}
	n.hash(s)
}

// value writes one value. inClear is what its nearest key says.
func (n *encoder) value(v any, inClear bool, clearKeys []string, depth int) {
	if depth > maxDepth {
		n.b = append(n.b, `"[too deep]"`...)
		return
	}
	switch v := v.(type) {
	case nil:
		n.b = append(n.b, "null"...)
	case string:
		n.text(v, inClear)
	case Secret:
		n.hash(string(v))
	case bool:
		n.b = strconv.AppendBool(n.b, v)
	case int:
		n.b = strconv.AppendInt(n.b, int64(v), 10)
	case int64:
		n.b = strconv.AppendInt(n.b, v, 10)
	case uint64:
		n.b = strconv.AppendUint(n.b, v, 10)
	case stdjson.Number:
		n.number(string(v))
	case map[string]any:
		n.members(v, clearKeys, depth)
	case map[string]string:
		n.textMembers(v, clearKeys)
	case []any:
		n.elements(len(v), func(i int) { n.value(v[i], inClear, clearKeys, depth+1) })
	case []string:
		n.elements(len(v), func(i int) { n.text(v[i], inClear) })
	case time.Duration:
		n.b = strconv.AppendInt(n.b, int64(v/time.Second), 10)
	case time.Time:
		n.b = appendTime(n.b, v)
	case jsontext.Value:
		n.json(v, inClear, clearKeys)
	case stdjson.RawMessage:
		n.json(v, inClear, clearKeys)
	case []byte:
		n.text(string(v), inClear)
	default:
		n.other(v, inClear, clearKeys)
	}
}

func (n *encoder) elements(count int, each func(int)) {
	n.b = append(n.b, '[')
	for i := range count {
		if i > 0 {
			n.b = append(n.b, ',')
		}
		each(i)
	}
	n.b = append(n.b, ']')
}

// number writes a number's own text if it is one, and hashes it otherwise.
func (n *encoder) number(s string) {
	if v := jsontext.Value(s); v.Kind() == '0' && v.IsValid() {
		n.b = append(n.b, s...)
		return
	}
	n.hash(s)
}

// other writes a value of a type that has no case of its own.
func (n *encoder) other(v any, inClear bool, clearKeys []string) {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		n.b = append(n.b, `"[unprintable]"`...)
		return
	}
	n.json(raw, inClear, clearKeys)
}

// isTime reports whether s is an RFC 3339 time.
func isTime(s string) bool {
	if len(s) < len("2006-01-02T15:04:05Z") || len(s) > 64 || s[4] != '-' || s[10] != 'T' {
		return false
	}
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil
}

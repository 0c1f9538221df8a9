package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// source is one file while it is read.
type source struct {
	file     string
	lines    map[string]int  // key path, such as "listener.0.address", to line
	asked    map[string]bool // every key that the reader knows of
	problems Problems
}

func (s *source) problem(key, text, remedy string) {
	s.problems = append(s.problems, Problem{File: s.file, Line: s.line(key), Key: key, Text: text, Remedy: remedy})
}

// line returns where a key stands, or else where its table begins.
func (s *source) line(key string) int {
	for key != "" {
		if n, ok := s.lines[key]; ok {
			return n
		}
		i := strings.LastIndexByte(key, '.')
		if i < 0 {
			return 0
		}
		key = key[:i]
	}
	return 0
}

// parse reads the text into plain values and remembers the line of each key.
func (s *source) parse(text []byte) map[string]any {
	var m map[string]any
	if err := toml.Unmarshal(text, &m); err != nil {
		p := Problem{File: s.file, Text: "not valid TOML: " + err.Error(), Remedy: "correct the line"}
		var de *toml.DecodeError
		if errors.As(err, &de) {
			p.Line, _ = de.Position()
			p.Text = "not valid TOML: " + strings.TrimPrefix(de.Error(), "toml: ")
		}
		s.problems = append(s.problems, p)
		return nil
	}
	s.lines = keyLines(text)
	return m
}

// keyLines maps each key of a valid TOML text to its line. Elements of arrays
// of tables are numbered from 0.
func keyLines(text []byte) map[string]int {
	out := map[string]int{}
	count := map[string]int{}
	var p unstable.Parser
	p.Reset(text)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		var names []string
		line := 0
		for it := e.Key(); it.Next(); {
			k := it.Node()
			names = append(names, string(k.Data))
			if line == 0 && k.Raw.Length > 0 {
				line = p.Shape(k.Raw).Start.Line
			}
		}
		switch e.Kind {
		case unstable.Table:
			table = numbered(names, count)
			out[table] = line
		case unstable.ArrayTable:
			path := strings.Join(names, ".")
			table = path + "." + strconv.Itoa(count[path])
			count[path]++
			out[table] = line
			if _, ok := out[path]; !ok {
				out[path] = line
			}
		case unstable.KeyValue:
			key := strings.Join(names, ".")
			if table != "" {
				key = table + "." + key
			}
			out[key] = line
		}
	}
	return out
}

// numbered puts the number of the present element behind each name that is an
// array of tables, for tables inside one.
func numbered(names []string, count map[string]int) string {
	path, out := "", ""
	for i, n := range names {
		if i > 0 {
			path, out = path+".", out+"."
		}
		path, out = path+n, out+n
		if c := count[path]; c > 0 {
			out += "." + strconv.Itoa(c-1)
		}
	}
	return out
}

// table reads the keys of one TOML table. Each reading method names the key
// once; finish then reports all others as unknown.
type table struct {
	s     *source
	path  string
	m     map[string]any
	known map[string]bool
}

func (s *source) table(path string, m map[string]any) *table {
	return &table{s: s, path: path, m: m, known: map[string]bool{}}
}

func (t *table) key(name string) string {
	if t.path == "" {
		return name
	}
	return t.path + "." + name
}

func (t *table) problem(name, text, remedy string) { t.s.problem(t.key(name), text, remedy) }

// get returns a key's value if it is there and of type T.
func get[T any](t *table, name, what string) (v T, ok bool) {
	t.known[name] = true
	t.s.asked[t.key(name)] = true
	raw, there := t.m[name]
	if !there {
		return v, false
	}
	if v, ok = raw.(T); !ok {
		t.problem(name, "is not "+what, "write "+what)
	}
	return v, ok
}

func (t *table) has(name string) bool { _, ok := t.m[name]; return ok }

func (t *table) text(name, def string) string {
	if v, ok := get[string](t, name, "a text in quotes"); ok {
		return v
	}
	return def
}

// choice is text with a fixed set of values.
func (t *table) choice(name, def string, values ...string) string {
	v := t.text(name, def)
	if !slices.Contains(values, v) {
		t.problem(name, fmt.Sprintf("unknown value %q", v), "use "+orList(values))
		return def
	}
	return v
}

func orList(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return strings.Join(quoted, " or ")
}

func (t *table) bool(name string, def bool) bool {
	if v, ok := get[bool](t, name, "true or false"); ok {
		return v
	}
	return def
}

func (t *table) int(name string, def, low, high int) int {
	v, ok := get[int64](t, name, "a whole number")
	if !ok {
		return def
	}
	if v < int64(low) || v > int64(high) {
		t.problem(name, "is out of range", fmt.Sprintf("use a number from %d to %d", low, high))
		return def
	}
	return int(v)
}

func (t *table) duration(name string, def, low, high time.Duration) time.Duration {
	const what = `a duration in quotes, such as "90s"`
	v, ok := get[string](t, name, what)
	if !ok {
		return def
	}
	d, err := time.ParseDuration(v)
	switch {
	case err != nil:
		t.problem(name, fmt.Sprintf("%q is no duration", v), "write "+what)
	case d < low || d > high:
		t.problem(name, "is out of range", fmt.Sprintf("use a duration from %s to %s", low, high))
	default:
		return d
	}
	return def
}

// texts reads a list of texts.
func (t *table) texts(name string) []string {
	const what = "a list of texts"
	list, ok := get[[]any](t, name, what)
	if !ok {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			t.problem(name, "is not "+what, "write "+what)
			return nil
		}
		out = append(out, s)
	}
	return out
}

// options reads a table of texts, numbers and booleans as texts.
func (t *table) options(name string) map[string]string {
	m, ok := get[map[string]any](t, name, "a table of options")
	if !ok {
		return nil
	}
	out := make(map[string]string, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		switch v := m[k].(type) {
		case string:
			out[k] = v
		case bool:
			out[k] = strconv.FormatBool(v)
		case int64:
			out[k] = strconv.FormatInt(v, 10)
		default:
			t.problem(name+"."+k, "is not a text, number or boolean", "write one of them")
		}
	}
	return out
}

// sub reads a table inside this one; a missing one is empty.
func (t *table) sub(name string) *table {
	m, _ := get[map[string]any](t, name, "a table")
	return t.s.table(t.key(name), m)
}

// subs reads an array of tables.
func (t *table) subs(name string) []*table {
	const what = "one or more tables"
	raw, ok := get[[]any](t, name, what)
	if !ok {
		return nil
	}
	var out []*table
	for i, v := range raw {
		m, ok := v.(map[string]any)
		if !ok {
			t.problem(name, "is not "+what, fmt.Sprintf("write [[%s]]", t.key(name)))
			return nil
		}
		out = append(out, t.s.table(fmt.Sprintf("%s.%d", t.key(name), i), m))
	}
	return out
}

// finish reports the keys that nobody asked for.
func (t *table) finish() {
	for _, name := range slices.Sorted(maps.Keys(t.m)) {
		if t.known[name] {
			continue
		}
		remedy := "remove it"
		if near := nearest(name, t.known); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		t.problem(name, "unknown setting", remedy)
	}
}

// nearest returns the known name that differs least, if by little.
func nearest(name string, known map[string]bool) string {
	best, at := "", 3
	for _, k := range slices.Sorted(maps.Keys(known)) {
		if d := distance(name, k); d < at {
			best, at = k, d
		}
	}
	return best
}

// distance is the number of single-byte edits between two short names.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost = min(prev, row[j], row[j+1]) + 1
			}
			prev, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

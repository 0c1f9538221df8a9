package iam

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Limits of a file, checked before the TOML library sees it: it recurses into
// nested values.
const (
	MaxSize  = 4 << 20 // bytes
	maxDepth = 64      // nested lists and inline tables
)

// reader collects problems while a file is read.
type reader struct {
	file     string
	lines    map[string]int // by key path
	problems Problems
}

// path is where a value stands in the file.
type path []string

func (p path) key() string { return strings.Join(p, "\x00") }

// with returns the path of a key below p.
func (p path) with(name string) path { return append(slices.Clone(p), name) }

// String writes the path as TOML would.
func (p path) String() string {
	out := make([]string, len(p))
	for i, s := range p {
		out[i] = s
		if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			out[i] = fmt.Sprintf("%.100q", s)
		}
	}
	return strings.Join(out, ".")
}

// addf notes a problem at a path. A path that is not in the file is reported
// on the line of the nearest table that holds it.
func (r *reader) addf(at path, format string, args ...any) {
	line := 0
	for up := at; len(up) > 0 && line == 0; up = up[:len(up)-1] {
		line = r.lines[up.key()]
	}
	r.problems = append(r.problems, Problem{File: r.file, Line: line, Path: at.String(), Text: fmt.Sprintf(format, args...)})
}

// parse reads the text as TOML. It reports false if nothing more can be said.
func (r *reader) parse(text string) (map[string]any, bool) {
	fail := func(line int, why string) (map[string]any, bool) {
		r.problems = append(r.problems, Problem{File: r.file, Line: line, Text: why})
		return nil, false
	}
	switch {
	case len(text) > MaxSize:
		return fail(0, fmt.Sprintf("the file is larger than %d bytes", MaxSize))
	case !utf8.ValidString(text):
		return fail(0, "the file is not valid UTF-8; save it as UTF-8 text")
	case nesting(text) > maxDepth:
		return fail(0, fmt.Sprintf("lists or inline tables are nested deeper than %d", maxDepth))
	}
	// A byte order mark, which some editors write, is kept in the text and not
	// read.
	text = strings.TrimPrefix(text, "\ufeff")
	root := map[string]any{}
	if err := toml.Unmarshal([]byte(text), &root); err != nil {
		line := 0
		if at := (*toml.DecodeError)(nil); errors.As(err, &at) {
			line, _ = at.Position()
		}
		return fail(line, "not valid TOML: "+strings.TrimPrefix(err.Error(), "toml: "))
	}
	r.index(text)
	return root, true
}

// index notes on which line each key stands.
func (r *reader) index(text string) {
	r.lines = map[string]int{}
	var p unstable.Parser
	p.Reset([]byte(text))
	var table path
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind == unstable.KeyValue {
			r.indexValue(&p, table, e)
			continue
		}
		table = r.indexKey(&p, nil, e)
	}
}

// indexKey notes a dotted key below a path and returns its whole path.
func (r *reader) indexKey(p *unstable.Parser, below path, e *unstable.Node) path {
	at := slices.Clone(below)
	for it := e.Key(); it.Next(); {
		at = append(at, string(it.Node().Data))
		if r.lines[at.key()] == 0 {
			r.lines[at.key()] = p.Shape(it.Node().Raw).Start.Line
		}
	}
	// A table's own header is a better place than the first mention of it.
	r.lines[at.key()] = p.Shape(lastKey(e).Raw).Start.Line
	return at
}

func lastKey(e *unstable.Node) *unstable.Node {
	var last *unstable.Node
	for it := e.Key(); it.Next(); {
		last = it.Node()
	}
	return last
}

func (r *reader) indexValue(p *unstable.Parser, below path, e *unstable.Node) {
	at := r.indexKey(p, below, e)
	if e.Value().Kind != unstable.InlineTable {
		return
	}
	for it := e.Value().Children(); it.Next(); {
		r.indexValue(p, at, it.Node())
	}
}

// table is a TOML table being read.
type table struct {
	r  *reader
	at path
	m  map[string]any
}

func (t table) addf(key, format string, args ...any) { t.r.addf(t.at.with(key), format, args...) }

// keys returns the table's keys, sorted.
func (t table) keys() []string { return slices.Sorted(maps.Keys(t.m)) }

// only reports every key that is not known.
func (t table) only(known ...string) {
	for _, k := range t.keys() {
		if !slices.Contains(known, k) {
			t.addf(k, "unknown key%s; known here are %s", nearest(k, known), strings.Join(known, ", "))
		}
	}
}

// has reports whether the key is set.
func (t table) has(key string) bool {
	_, ok := t.m[key]
	return ok
}

// sub returns the table under a key; an empty one if it is missing or is no
// table, which is a problem.
func (t table) sub(key string) table {
	m, ok := t.m[key].(map[string]any)
	if !ok && t.has(key) {
		t.addf(key, "must be a table, such as [%s]", t.at.with(key))
	}
	return table{r: t.r, at: t.at.with(key), m: m}
}

// text returns the text under a key, "" if it is missing or is none.
func (t table) text(key string) string {
	s, ok := t.m[key].(string)
	if !ok && t.has(key) {
		t.addf(key, "must be a text in quotes")
	}
	return s
}

// flag returns the boolean under a key.
func (t table) flag(key string) bool {
	b, ok := t.m[key].(bool)
	if !ok && t.has(key) {
		t.addf(key, "must be true or false, without quotes")
	}
	return b
}

// list returns the list of texts under a key.
func (t table) list(key string) []string {
	if !t.has(key) {
		return nil
	}
	in, ok := t.m[key].([]any)
	out := make([]string, 0, len(in))
	for _, e := range in {
		s, isText := e.(string)
		ok = ok && isText
		out = append(out, s)
	}
	if !ok {
		t.addf(key, "must be a list of texts, such as [\"a\", \"b\"]")
		return nil
	}
	return out
}

// textOrList takes one text as a list of one.
func (t table) textOrList(key string) []string {
	if s, ok := t.m[key].(string); ok {
		return []string{s}
	}
	return t.list(key)
}

// nesting returns how deep brackets and braces nest outside strings and
// comments.
func nesting(text string) int {
	depth, deepest := 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"', '\'':
			i = skipString(text, i)
		case '#':
			n := strings.IndexByte(text[i:], '\n')
			if n < 0 {
				return deepest
			}
			i += n
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		}
	}
	return deepest
}

// skipString returns the last byte of the string that begins at i. A string
// that does not end on its line ends there: the parser will refuse it.
func skipString(text string, i int) int {
	quote := text[i : i+1]
	long := strings.Repeat(quote, 3)
	escapes := quote == `"`
	if strings.HasPrefix(text[i:], long) {
		for i += 3; i < len(text); i++ {
			switch {
			case escapes && text[i] == '\\':
				i++
			case strings.HasPrefix(text[i:], long):
				i += 3
				for i < len(text) && text[i] == quote[0] {
					i++ // up to two more quotes belong to the string
				}
				return i - 1
			}
		}
		return i
	}
	for i++; i < len(text) && text[i] != quote[0] && text[i] != '\n'; i++ {
		if escapes && text[i] == '\\' {
			i++
		}
	}
	return i
}

// Package route makes an endpoint a row: verbs, pattern, who may come, limits,
// action and handler stand side by side, so that a door's whole surface reads
// on one screen.
//
// It refuses rows that leave something to chance: a row that does not say
// whether it is public, that has no verbs, no action or no body limit, or that
// two patterns both claim, is an error when the table is built, never at run
// time.
package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Auth says who may reach an endpoint. The zero value is refused by New: a
// public endpoint must say so.
type Auth uint8

// The two ways in.
const (
	_             Auth = iota
	Public             // answers callers without a credential
	Authenticated      // needs a credential and a decision
)

// Row is one endpoint. H is the door's handler type.
type Row[H any] struct {
	Verbs   []string // operations or HTTP methods, as the door calls them
	Pattern string   // segments without leading slash: literal (the last may end in a slash), {name}, or a last {name...}
	Auth    Auth
	Sudo    bool          // needs the sudo capability as well
	Action  string        // operation id: stands in audit entries and documents
	Body    int64         // bytes of request body; 0 = none allowed, must be set for verbs that carry one
	Timeout time.Duration // 0 = the door's default
	Help    string        // one sentence
	Handler H
}

// Param is one value that the path gave to a {name}.
type Param struct{ Name, Value string }

// Params are the values of a matched path, in order.
type Params []Param

// Get returns the value of name, or "".
func (p Params) Get(name string) string {
	for _, v := range p {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// Outcome says whether a path and verb are served.
type Outcome uint8

// The outcomes of Find. The zero value is NoPath.
const (
	NoPath Outcome = iota // no row has such a path
	NoVerb                // rows have the path, none with this verb
	Found
)

// Table is a compiled set of rows. It is immutable.
type Table[H any] struct {
	root *node[H]
	rows []*Row[H]
}

type node[H any] struct {
	literal map[string]*node[H]
	param   *node[H]
	tail    *node[H]
	names   []string
	verbs   map[string]*Row[H]
}

// New compiles rows. It reports every bad row at once.
func New[H any](rows ...Row[H]) (*Table[H], error) {
	t := &Table[H]{root: &node[H]{}}
	var errs []error
	for i := range rows {
		r := &rows[i]
		if err := t.add(r); err != nil {
			errs = append(errs, fmt.Errorf("row %d (%v %s): %w", i, r.Verbs, r.Pattern, err))
			continue
		}
		t.rows = append(t.rows, r)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// Must is New for tables that are written in the program itself.
func Must[H any](rows ...Row[H]) *Table[H] {
	t, err := New(rows...)
	if err != nil {
		panic("route: " + err.Error())
	}
	return t
}

// Rows returns all rows in the order in which they were given.
func (t *Table[H]) Rows() []*Row[H] { return slices.Clone(t.rows) }

func (t *Table[H]) add(r *Row[H]) error {
	switch {
	case r.Auth != Public && r.Auth != Authenticated:
		return errors.New("does not say whether it is public")
	case len(r.Verbs) == 0:
		return errors.New("has no verbs")
	case r.Action == "":
		return errors.New("has no action")
	case r.Sudo && r.Auth == Public:
		return errors.New("is public and wants sudo")
	}
	n, names, err := t.root.grow(r.Pattern)
	if err != nil {
		return err
	}
	if n.verbs == nil {
		n.verbs, n.names = map[string]*Row[H]{}, names
	} else if !slices.Equal(n.names, names) {
		return fmt.Errorf("names its parameters %v, another row %v", names, n.names)
	}
	for _, v := range r.Verbs {
		if n.verbs[v] != nil {
			return fmt.Errorf("verb %s is taken by action %s", v, n.verbs[v].Action)
		}
		n.verbs[v] = r
	}
	return nil
}

// grow walks to the node of pattern and makes the missing ones.
func (n *node[H]) grow(pattern string) (*node[H], []string, error) {
	var names []string
	if pattern == "" {
		return n, nil, nil
	}
	segs := strings.Split(strings.TrimSuffix(pattern, "/"), "/")
	if last := len(segs) - 1; strings.HasSuffix(pattern, "/") {
		segs[last] += "/" // a trailing slash belongs to the last segment
	}
	for i, s := range segs {
		name, ok := strings.CutPrefix(s, "{")
		if !ok {
			if n.literal == nil {
				n.literal = map[string]*node[H]{}
			}
			if n.literal[s] == nil {
				n.literal[s] = &node[H]{}
			}
			n = n.literal[s]
			continue
		}
		name, closed := strings.CutSuffix(name, "}")
		name, tail := strings.CutSuffix(name, "...")
		if !closed || name == "" || slices.Contains(names, name) {
			return nil, nil, fmt.Errorf("segment %q is not a literal, {name} or {name...}", s)
		}
		if tail && i != len(segs)-1 {
			return nil, nil, fmt.Errorf("segment %q must be the last", s)
		}
		names = append(names, name)
		next := &n.param
		if tail {
			next = &n.tail
		}
		if *next == nil {
			*next = &node[H]{}
		}
		n = *next
	}
	return n, names, nil
}

// Find returns the row for verb and path, with the path's parameters. A
// literal segment wins over {name}, and {name} over {name...}. A {name} takes
// one non-empty segment, {name...} everything that is left, at least one
// character. On NoVerb the row is nil and Verbs tells what would be served.
func (t *Table[H]) Find(verb, path string) (*Row[H], Params, Outcome) {
	var values [8]string
	n, got, known := t.root.find(verb, path, values[:0])
	switch {
	case n != nil:
	case known:
		return nil, nil, NoVerb
	default:
		return nil, nil, NoPath
	}
	var ps Params
	if len(got) > 0 {
		ps = make(Params, len(got))
		for i, v := range got {
			ps[i] = Param{Name: n.names[i], Value: v}
		}
	}
	return n.verbs[verb], ps, Found
}

// find returns the node that serves verb, its parameter values, and whether
// any node serves the path at all.
func (n *node[H]) find(verb, path string, values []string) (*node[H], []string, bool) {
	if path == "" {
		if n.verbs[verb] != nil {
			return n, values, true
		}
		return nil, nil, n.verbs != nil
	}
	seg, rest, more := strings.Cut(path, "/")
	if more && rest == "" {
		seg = path // a trailing slash belongs to the last segment
	}
	known := false
	if m := n.literal[seg]; m != nil {
		f, vs, any := m.find(verb, rest, values)
		if f != nil {
			return f, vs, true
		}
		known = known || any
	}
	if n.param != nil && seg != "" && !strings.HasSuffix(seg, "/") {
		f, vs, any := n.param.find(verb, rest, append(values, seg))
		if f != nil {
			return f, vs, true
		}
		known = known || any
	}
	if n.tail != nil {
		f, vs, any := n.tail.find(verb, "", append(values, path))
		if f != nil {
			return f, vs, true
		}
		known = known || any
	}
	return nil, nil, known
}

// Verbs returns the verbs that rows serve for path, sorted, for an Allow
// header.
func (t *Table[H]) Verbs(path string) []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range t.rows {
		for _, v := range r.Verbs {
			if seen[v] {
				continue
			}
			if _, _, o := t.Find(v, path); o == Found {
				seen[v] = true
				out = append(out, v)
			}
		}
	}
	slices.Sort(out)
	return out
}

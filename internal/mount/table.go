package mount

import (
	"slices"
	"strings"
)

// Table is one immutable state of all mounts. The zero Table routes nothing.
type Table struct {
	entries    []*Entry          // sorted by logical path
	byPath     map[string]*Entry // logical path with trailing slash
	byAccessor map[string]*Entry
	depth      int // most segments of any logical path
}

func compile(entries []*Entry) *Table {
	t := &Table{entries: slices.Clone(entries), byPath: make(map[string]*Entry, len(entries)), byAccessor: make(map[string]*Entry, len(entries))}
	slices.SortFunc(t.entries, func(a, b *Entry) int { return strings.Compare(a.Logical(), b.Logical()) })
	for _, e := range t.entries {
		p := e.Logical()
		t.byPath[p], t.byAccessor[e.Accessor] = e, e
		t.depth = max(t.depth, strings.Count(p, "/"))
	}
	return t
}

// Route returns the mount with the longest path that path begins with, and
// what is left of path. "secret" routes to "secret/" with nothing left.
func (t *Table) Route(path string) (e *Entry, rest string, ok bool) {
	at, slashes := 0, 0
	for slashes < t.depth {
		i := strings.IndexByte(path[at:], '/')
		if i < 0 {
			if m := t.byPath[path+"/"]; m != nil {
				return m, "", true
			}
			break
		}
		at += i + 1
		slashes++
		if m := t.byPath[path[:at]]; m != nil {
			e, rest, ok = m, path[at:], true
		}
	}
	return e, rest, ok
}

// Get returns the mount at exactly this logical path; slashes at the ends do
// not matter.
func (t *Table) Get(logical string) (*Entry, bool) {
	e, ok := t.byPath[cleanPath(logical)]
	return e, ok
}

// ByAccessor returns the mount with this accessor.
func (t *Table) ByAccessor(accessor string) (*Entry, bool) {
	e, ok := t.byAccessor[accessor]
	return e, ok
}

// Auth returns the auth methods, sorted by path.
func (t *Table) Auth() []*Entry { return t.filter(true) }

// Secrets returns the secrets engines, sorted by path.
func (t *Table) Secrets() []*Entry { return t.filter(false) }

func (t *Table) filter(auth bool) []*Entry {
	var out []*Entry
	for _, e := range t.entries {
		if e.Auth == auth {
			out = append(out, e)
		}
	}
	return out
}

// overlap returns the mount that a new mount at the logical path p would
// collide with: the same path, one below it, or one above it.
func (t *Table) overlap(p string) *Entry {
	for _, e := range t.entries {
		q := e.Logical()
		if strings.HasPrefix(q, p) || strings.HasPrefix(p, q) {
			return e
		}
	}
	return nil
}

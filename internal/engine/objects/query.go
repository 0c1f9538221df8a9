package objects

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Query is what search-objects asks. All conditions must hold.
type Query struct {
	Match map[string]jsontext.Value   // property equals the value
	In    map[string][]jsontext.Value // property equals one of the values
	Like  map[string]string           // property fits the glob, without regard to case
}

// Page says which part of the results to return.
type Page struct {
	Size   int    // 0 = the default
	Cursor string // "" = from the start
}

// maxConditions bounds a query.
const maxConditions = 50

// maxRemaining bounds how many results beyond the page are counted.
const maxRemaining = 100

// List returns a page of objects as JSON, in the order of their ids; with
// names, the objects that have these ids.
func (e *Engine) List(ctx context.Context, call Call, names []string, p Projection, pg Page) ([]byte, error) {
	if err := call.check("list-objects", "/objects"); err != nil {
		return nil, err
	}
	if len(names) > 0 {
		return e.listByID(ctx, call, names, p, pg)
	}
	return e.page(ctx, call, "list", Query{}, p, pg)
}

// Search returns a page of the objects that fit the query.
func (e *Engine) Search(ctx context.Context, call Call, q Query, p Projection, pg Page) ([]byte, error) {
	if err := call.check("search-objects", "/query/objects"); err != nil {
		return nil, err
	}
	n := len(q.Match) + len(q.In) + len(q.Like)
	if n == 0 || n > maxConditions {
		return nil, fault.Newf(fault.Invalid, "A query needs between 1 and %d conditions in match, in or like.", maxConditions)
	}
	return e.page(ctx, call, "search", q, p, pg)
}

// listByID returns the named objects. One that does not exist, or that the
// caller may not touch, refuses the call.
func (e *Engine) listByID(ctx context.Context, call Call, names []string, p Projection, pg Page) ([]byte, error) {
	if len(names) > e.o.MaxPage || pg.Cursor != "" {
		return nil, fault.Newf(fault.Invalid, "At most %d ids can be listed, without a cursor.", e.o.MaxPage).WithDetail("parameter", "ids")
	}
	var out []byte
	err := e.view(ctx, call.Collection, func(tx storage.ReadTx, c *collection) error {
		vs, err := call.mayRead(c, p)
		if err != nil {
			return err
		}
		out = append(make([]byte, 0, 4096), `{"results":[`...)
		for i, name := range names {
			key, ok := parseID(name)
			if !ok {
				return badValue(propID, "must be a UUID")
			}
			o, err := e.readable(tx, call, c, key, p.Archived)
			if err != nil {
				return err
			}
			if i > 0 {
				out = append(out, ',')
			}
			out = o.render(out, vs, tx.Now())
		}
		out = pageEnd(out, len(names), 0, "")
		return nil
	})
	if err != nil {
		return nil, err
	}
	call.Pass.NoteObject(names...)
	return out, nil
}

func pageEnd(b []byte, size, remaining int, cursor string) []byte {
	b = strconv.AppendInt(append(b, `],"paging":{"size":`...), int64(size), 10)
	b = strconv.AppendInt(append(b, `,"remaining_count":`...), int64(remaining), 10)
	b = append(append(b, `,"cursor":`...), quoted(cursor)...)
	return append(b, '}', '}')
}

// condition is one compiled part of a query.
type condition struct {
	prop   *property
	values [][]byte // equals one of these
	like   *glob
}

func (k condition) holds(o *object) bool {
	raw := o.raw(k.prop)
	if raw == nil {
		return false
	}
	if k.like != nil {
		return k.like.match(fold(unquote(raw)))
	}
	return slices.ContainsFunc(k.values, func(v []byte) bool { return bytes.Equal(v, raw) })
}

// compileQuery checks a query against the collection.
func (e *Engine) compileQuery(c *collection, q Query) ([]condition, error) {
	var out []condition
	for _, name := range sortedKeys(q.Match) {
		k, err := c.equals(name, q.Match[name])
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	for name, vs := range q.In {
		if len(vs) == 0 || len(vs) > e.o.MaxPage {
			return nil, badValue(name, "needs between 1 and "+strconv.Itoa(e.o.MaxPage)+" values in a query")
		}
		k, err := c.equals(name, vs...)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	for name, pattern := range q.Like {
		k, err := c.like(name, pattern)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

func (c *collection) searched(name string) (*property, error) {
	v, err := c.lookup(name)
	if err != nil {
		return nil, err
	}
	if v.apply != nil {
		return nil, badValue(name, "is a transformation and cannot be searched")
	}
	return v.prop, nil
}

func (c *collection) equals(name string, vs ...jsontext.Value) (condition, error) {
	p, err := c.searched(name)
	if err != nil {
		return condition{}, err
	}
	if !p.IsIndex && !p.IsUnique {
		return condition{}, badValue(name, "is not indexed and cannot be searched")
	}
	k := condition{prop: p}
	for _, v := range vs {
		raw, rule := p.typ.canonical(v)
		if rule != "" {
			return condition{}, badValue(name, rule)
		}
		k.values = append(k.values, raw)
	}
	return k, nil
}

func (c *collection) like(name, pattern string) (condition, error) {
	p, err := c.searched(name)
	if err != nil {
		return condition{}, err
	}
	if !p.IsSubstringIndex {
		return condition{}, badValue(name, "has no substring index and cannot be searched with like")
	}
	g, rule := compileGlob(pattern)
	if rule != "" {
		return condition{}, badValue(name, rule)
	}
	return condition{prop: p, like: g}, nil
}

// page runs a query and renders one page of it.
func (e *Engine) page(ctx context.Context, call Call, kind string, q Query, p Projection, pg Page) ([]byte, error) {
	size, err := e.pageSize(pg)
	if err != nil {
		return nil, err
	}
	var out []byte
	var ids []string
	err = e.view(ctx, call.Collection, func(tx storage.ReadTx, c *collection) error {
		out, ids, err = e.pageIn(ctx, tx, call, c, kind, q, p, pg, size)
		return err
	})
	if err != nil {
		return nil, err
	}
	call.Pass.NoteObject(ids...)
	return out, nil
}

func (e *Engine) pageSize(pg Page) (int, error) {
	if pg.Size < 0 || pg.Size > e.o.MaxPage {
		return 0, fault.Newf(fault.Invalid, "The page size must be between 1 and %d.", e.o.MaxPage).WithDetail("parameter", "page_size")
	}
	if pg.Size == 0 {
		return e.o.PageSize, nil
	}
	return pg.Size, nil
}

func (e *Engine) pageIn(ctx context.Context, tx storage.ReadTx, call Call, c *collection, kind string, q Query, p Projection, pg Page, size int) ([]byte, []string, error) {
	vs, err := c.shown(p)
	if err != nil {
		return nil, nil, err
	}
	conds, err := e.compileQuery(c, q)
	if err != nil {
		return nil, nil, err
	}
	if err := call.ask("read", p.Archived, vs...); err != nil {
		return nil, nil, err
	}
	for _, k := range conds {
		if err := call.ask("search", p.Archived, k.prop.views[""]); err != nil {
			return nil, nil, err
		}
	}
	a, err := call.access(c, tx.Now())
	if err != nil {
		return nil, nil, err
	}
	mark := queryMark(c, kind, q, p, size, a)
	after, err := e.openCursor(pg.Cursor, mark)
	if err != nil {
		return nil, nil, err
	}
	w := &walk{ctx: ctx, tx: tx, c: c, access: a, conds: conds, archived: p.Archived}
	w.plan(e)
	out := append(make([]byte, 0, 8192), `{"results":[`...)
	var ids []string
	var last id
	remaining := 0
	err = w.each(after, func(o *object) (bool, error) {
		if len(ids) == size {
			if a.ours(o) {
				remaining++
			}
			return remaining < maxRemaining, nil
		}
		if err := a.admitTenant(o); err != nil {
			return false, err
		}
		if len(ids) > 0 {
			out = append(out, ',')
		}
		out = o.render(out, vs, tx.Now())
		ids, last = append(ids, o.id.String()), o.id
		return true, nil
	})
	if err != nil {
		return nil, nil, err
	}
	cursor := ""
	if remaining > 0 {
		cursor = base64.RawURLEncoding.EncodeToString(e.o.Keyring.Seal("objects/cursor", mark, last[:]))
	}
	return pageEnd(out, len(ids), remaining, cursor), ids, nil
}

// queryMark identifies a query and the part of the collection that the caller
// may touch, so that a cursor fits no other.
func queryMark(c *collection, kind string, q Query, p Projection, size int, a access) []byte {
	h := sha256.New()
	put := func(parts ...string) {
		for _, s := range parts {
			var n [8]byte
			binary.BigEndian.PutUint64(n[:], uint64(len(s)))
			h.Write(n[:])
			h.Write([]byte(s))
		}
	}
	put(kind, string(c.key[:]), strconv.FormatBool(p.Archived), strconv.FormatBool(p.Unsafe), strconv.FormatBool(p.Builtins), strconv.Itoa(size))
	put(p.Props...)
	for _, k := range sortedKeys(q.Match) {
		put("match", k, string(q.Match[k]))
	}
	for _, k := range sortedNames(q.In) {
		put("in", k)
		for _, v := range q.In[k] {
			put(string(v))
		}
	}
	for _, k := range sortedNames(q.Like) {
		put("like", k, q.Like[k])
	}
	for _, b := range a.bounds {
		put("bound", b.prop.Name, strconv.Itoa(len(b.values)))
		for _, v := range b.values {
			put(string(v))
		}
	}
	put("tenants", strconv.Itoa(len(a.tenants)))
	put(a.tenants...)
	return h.Sum(nil)
}

func sortedNames[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// openCursor returns the id after which the page starts; nil from the start.
func (e *Engine) openCursor(cursor string, mark []byte) (*id, error) {
	if cursor == "" {
		return nil, nil
	}
	bad := fault.New(fault.Invalid, "The cursor does not belong to this query; repeat the parameters of the first page.").WithDetail("parameter", "cursor")
	if len(cursor) > 512 {
		return nil, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, bad
	}
	plain, err := e.o.Keyring.Open("objects/cursor", mark, b)
	if err != nil || len(plain) != 16 {
		return nil, bad
	}
	last := id(plain)
	return &last, nil
}

// Count says how many objects the caller may touch.
func (e *Engine) Count(ctx context.Context, call Call) (Counts, error) {
	var n Counts
	if err := call.check("get-objects-count", "/count/objects"); err != nil {
		return n, err
	}
	err := e.view(ctx, call.Collection, func(tx storage.ReadTx, c *collection) error {
		if err := call.ask("stats", false, views(c.touched())...); err != nil {
			return err
		}
		a, err := call.access(c, tx.Now())
		if err != nil {
			return err
		}
		n = Counts{}
		w := &walk{ctx: ctx, tx: tx, c: c, access: a, any: true}
		w.plan(e)
		return w.each(nil, func(o *object) (bool, error) {
			if !a.ours(o) {
				return true, nil
			}
			if o.archived(tx.Now()) {
				n.Archived++
			} else {
				n.Active++
			}
			return true, nil
		})
	})
	return n, err
}

var errNoSource = errors.New("objects: walk without a source")

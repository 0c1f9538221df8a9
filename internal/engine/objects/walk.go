package objects

import (
	"bytes"
	"context"
	"errors"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// walk goes through the objects that fit conditions and access, in the order
// of their ids. Indexes propose candidates; each one is then read and checked
// against everything, so that an index can never show too much.
type walk struct {
	ctx      context.Context
	tx       storage.ReadTx
	c        *collection
	access   access
	conds    []condition
	archived bool // archived objects instead of active ones
	any      bool // both
	sources  []source
}

// source proposes ids in ascending order.
type source interface {
	// seek returns the smallest id that is not smaller than target.
	seek(target id) (id, bool, error)
}

// plan chooses the indexes to use.
func (w *walk) plan(e *Engine) {
	conds := w.conds
	for _, b := range w.access.bounds {
		if b.prop.IsIndex || b.prop.IsUnique {
			conds = append(conds[:len(conds):len(conds)], condition{prop: b.prop, values: b.values})
		}
	}
	for _, k := range conds {
		switch {
		case k.like != nil:
			for _, t := range k.like.grams {
				w.sources = append(w.sources, &postings{tx: w.tx, prefix: e.blind(w.c, "obj/s/", k.prop.num, []byte(t))})
			}
		default:
			w.sources = append(w.sources, w.equals(e, k))
		}
	}
	if len(w.sources) == 0 {
		w.sources = []source{&postings{tx: w.tx, prefix: w.c.keyOf("obj/d/", 0)}}
	}
}

// equals is the source for a property that has one of several values.
func (w *walk) equals(e *Engine, k condition) source {
	var u union
	for _, v := range k.values {
		switch {
		case k.prop.num == numID:
			key, ok := parseID(unquote(v))
			u = append(u, &single{id: key, ok: ok})
		case k.prop.IsUnique:
			u = append(u, &unique{tx: w.tx, key: e.blind(w.c, "obj/u/", k.prop.num, v)})
		default:
			u = append(u, &postings{tx: w.tx, prefix: e.blind(w.c, "obj/i/", k.prop.num, v)})
		}
	}
	return u
}

// each calls do for each object after the given id until do returns false.
func (w *walk) each(after *id, do func(*object) (bool, error)) error {
	var target id
	if after != nil {
		var ok bool
		if target, ok = after.next(); !ok {
			return nil
		}
	}
	for n := 0; ; n++ {
		if n%64 == 0 && w.ctx.Err() != nil {
			return w.ctx.Err()
		}
		found, ok, err := w.agree(target)
		if err != nil || !ok {
			return err
		}
		o, err := w.fetch(found)
		if err != nil {
			return err
		}
		if o != nil && w.fits(o) {
			more, err := do(o)
			if err != nil || !more {
				return err
			}
		}
		if target, ok = found.next(); !ok {
			return nil
		}
	}
}

// agree returns the smallest id from target on that all sources propose.
func (w *walk) agree(target id) (id, bool, error) {
	if len(w.sources) == 0 {
		return id{}, false, errNoSource
	}
	for agreed := 0; agreed < len(w.sources); {
		for _, s := range w.sources {
			got, ok, err := s.seek(target)
			if err != nil || !ok {
				return id{}, false, err
			}
			if got == target {
				agreed++
				continue
			}
			target, agreed = got, 1
		}
	}
	return target, true, nil
}

// fetch reads a candidate; nil if it is gone.
func (w *walk) fetch(key id) (*object, error) {
	if p, ok := w.sources[0].(*postings); ok && len(w.sources) == 1 && bytes.HasPrefix(p.prefix, []byte("obj/d/")) {
		return decodeObject(key, p.value())
	}
	o, err := fetch(w.tx, w.c, key)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return o, err
}

func (w *walk) fits(o *object) bool {
	if !w.any && o.archived(w.tx.Now()) != w.archived || !w.access.matches(o) {
		return false
	}
	for _, k := range w.conds {
		if !k.holds(o) {
			return false
		}
	}
	return true
}

func (b id) next() (id, bool) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i]++
		if b[i] != 0 {
			return b, true
		}
	}
	return b, false
}

// postings reads the ids under a key prefix in growing steps.
type postings struct {
	tx     storage.ReadTx
	prefix []byte
	items  []storage.Item
	pos    int
	step   int
	done   bool
}

func (p *postings) at(i int) id { return id(p.items[i].Key[len(p.prefix):]) }

// value is what is stored at the id that seek returned last.
func (p *postings) value() []byte { return p.items[p.pos].Value }

func (p *postings) seek(target id) (id, bool, error) {
	for {
		for ; p.pos < len(p.items); p.pos++ {
			if got := p.at(p.pos); bytes.Compare(got[:], target[:]) >= 0 {
				return got, true, nil
			}
		}
		if p.done {
			return id{}, false, nil
		}
		p.step = min(max(2*p.step, 16), 256)
		items, err := p.tx.Scan(p.prefix, before(p.prefix, target), p.step)
		if err != nil {
			return id{}, false, err
		}
		p.items, p.pos, p.done = items, 0, len(items) < p.step
	}
}

// union proposes what any of its sources proposes.
type union []source

func (u union) seek(target id) (least id, found bool, err error) {
	for _, s := range u {
		got, ok, err := s.seek(target)
		if err != nil {
			return id{}, false, err
		}
		if ok && (!found || bytes.Compare(got[:], least[:]) < 0) {
			least, found = got, true
		}
	}
	return least, found, nil
}

// single proposes one id.
type single struct {
	id id
	ok bool
}

func (s *single) seek(target id) (id, bool, error) {
	return s.id, s.ok && bytes.Compare(s.id[:], target[:]) >= 0, nil
}

// unique proposes the holder of a unique value.
type unique struct {
	tx   storage.ReadTx
	key  []byte
	read bool
	single
}

func (u *unique) seek(target id) (id, bool, error) {
	if !u.read {
		u.read = true
		b, err := u.tx.Get(u.key)
		switch {
		case errors.Is(err, storage.ErrNotFound):
		case err != nil:
			return id{}, false, err
		case len(b) == 16:
			u.single = single{id: id(b), ok: true}
		}
	}
	return u.single.seek(target)
}

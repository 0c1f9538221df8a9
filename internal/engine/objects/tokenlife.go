package objects

import (
	"slices"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// forget removes the uses of tokens that belong to an object which is deleted.
func (e *Engine) forget(tx storage.Tx, c *collection, o *object) error {
	return e.ofObject(tx, c, o, func(t *token) {
		t.Refs = slices.DeleteFunc(t.Refs, func(r ref) bool { return r.of(o) })
	})
}

// follow gives the uses of tokens that belong to an object its end of life and
// its tenant.
func (e *Engine) follow(tx storage.Tx, c *collection, o *object) error {
	return e.ofObject(tx, c, o, func(t *token) {
		for i := range t.Refs {
			if t.Refs[i].of(o) {
				t.Refs[i].ObjectEnd, t.Refs[i].Tenant = o.end(), o.tenant
			}
		}
	})
}

// ofObject changes every token that an object has.
func (e *Engine) ofObject(tx storage.Tx, c *collection, o *object, edit func(*token)) error {
	prefix := slices.Concat(c.keyOf("obj/to/", 16), o.id[:])
	items, err := tx.Scan(prefix, nil, maxTokens+1)
	if err != nil {
		return err
	}
	if len(items) > maxTokens {
		return fault.Newf(fault.Conflict, "The object has more than %d tokens; delete these first.", maxTokens)
	}
	for _, it := range items {
		t, err := loadToken(tx, c, id(it.Key[len(prefix):]))
		if err != nil {
			return err
		}
		if t == nil {
			continue
		}
		n := t.clone()
		edit(n)
		if err := e.saveToken(tx, c, t, n); err != nil {
			return err
		}
	}
	return nil
}

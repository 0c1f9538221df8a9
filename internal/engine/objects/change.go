package objects

import (
	"context"

	"github.com/jotgate/jotgate/internal/storage"
)

// named reads an object that the caller named, and refuses one that it may
// not touch.
func (w *writer) named(name string) (*object, error) {
	key, ok := parseID(name)
	if !ok {
		return nil, badValue(propID, "must be a UUID")
	}
	o, err := fetch(w.tx, w.c, key)
	if err != nil {
		return nil, err
	}
	if o.archived(w.tx.Now()) != w.archived {
		return nil, noObject(key)
	}
	return o, w.access.admit(o)
}

// Change is an update of one object.
type Change struct {
	ID     string
	Fields Fields
}

// Update changes the given properties of one object.
func (e *Engine) Update(ctx context.Context, call Call, ch Change, x Expiry, archived bool) error {
	if err := call.check("update-object-by-id", "/objects/"+ch.ID); err != nil {
		return err
	}
	return first(e.change(ctx, call, []Change{ch}, x, archived))
}

// UpdateAll changes several objects, all or none.
func (e *Engine) UpdateAll(ctx context.Context, call Call, chs []Change, x Expiry, archived bool) ([]Failure, error) {
	if err := call.check("update-objects", "/bulk/objects"); err != nil {
		return nil, err
	}
	return e.change(ctx, call, chs, x, archived)
}

func (e *Engine) change(ctx context.Context, call Call, chs []Change, x Expiry, archived bool) ([]Failure, error) {
	if err := e.checkBulk(len(chs), x); err != nil {
		return nil, err
	}
	var fails []Failure
	err := e.update(ctx, call.Collection, func(tx storage.Tx, c *collection) error {
		w, err := e.writer(call, tx, c, x)
		if err != nil {
			return err
		}
		w.archived = archived
		fails, err = eachItem(len(chs), func(i int) error { return w.change(chs[i]) })
		return err
	})
	for _, ch := range chs {
		call.Pass.NoteObject(ch.ID)
	}
	return fails, settled(err, fails)
}

// change updates one object. Both the object before and the object after must
// satisfy the narrowing claims.
func (w *writer) change(ch Change) error {
	old, err := w.named(ch.ID)
	if err != nil {
		return err
	}
	for _, fixed := range []string{propOwner, propOwnerColl} {
		if _, ok := ch.Fields[fixed]; ok {
			return badValue(fixed, "cannot be changed")
		}
	}
	if v, ok := ch.Fields[propTenant]; ok && old.ownerName != "" && unquote(v) != old.tenant {
		return badValue(propTenant, "must be the owner's tenant")
	}
	if err := w.mayExpire(ch.Fields); err != nil {
		return err
	}
	o := old.clone()
	if err := w.fill(o, ch.Fields); err != nil {
		return err
	}
	o.modified = w.tx.Now().UnixMilli()
	if w.expiry.Given {
		o.expires = w.expiry.at(w.tx.Now())
	}
	if err := w.access.admit(o); err != nil {
		return err
	}
	if err := w.engine.store(w.tx, w.c, old, o); err != nil {
		return err
	}
	return w.engine.handDown(w.tx, w.c, old, o, 0)
}

// mayExpire asks the policies about an update that names no property: it ends
// or renews the life of all of them.
func (w *writer) mayExpire(in Fields) error {
	if len(in) > 0 {
		return nil
	}
	for _, v := range views(w.c.touched()) {
		if err := w.mayWrite(v); err != nil {
			return err
		}
	}
	return nil
}

// Delete removes one object for good.
func (e *Engine) Delete(ctx context.Context, call Call, name string, archived bool) error {
	if err := call.check("delete-object-by-id", "/objects/"+name); err != nil {
		return err
	}
	return first(e.drop(ctx, call, []string{name}, archived))
}

// DeleteAll removes several objects, all or none.
func (e *Engine) DeleteAll(ctx context.Context, call Call, names []string, archived bool) ([]Failure, error) {
	if err := call.check("delete-objects", "/bulk/objects"); err != nil {
		return nil, err
	}
	return e.drop(ctx, call, names, archived)
}

func (e *Engine) drop(ctx context.Context, call Call, names []string, archived bool) ([]Failure, error) {
	if err := e.checkBulk(len(names), Expiry{}); err != nil {
		return nil, err
	}
	var fails []Failure
	err := e.update(ctx, call.Collection, func(tx storage.Tx, c *collection) error {
		w, err := e.writer(call, tx, c, Expiry{})
		if err != nil {
			return err
		}
		w.archived = archived
		if err := call.ask("delete", archived, views(c.touched())...); err != nil {
			return err
		}
		fails, err = eachItem(len(names), func(i int) error { return w.drop(names[i]) })
		return err
	})
	call.Pass.NoteObject(names...)
	return fails, settled(err, fails)
}

// touched lists the properties that an operation on whole objects concerns.
func (c *collection) touched() []*property {
	if len(c.user) == 0 {
		return []*property{c.props[propID]}
	}
	return c.user
}

func (w *writer) drop(name string) error {
	o, err := w.named(name)
	if err != nil {
		return err
	}
	if err := w.engine.forget(w.tx, w.c, o); err != nil {
		return err
	}
	if err := w.engine.remove(w.tx, w.c, o); err != nil {
		return err
	}
	return w.engine.pushDown(w.tx, w.c, o, w.tx.Now().UnixMilli(), 0)
}

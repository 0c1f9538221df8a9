package objects

import (
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// own sets the owner of a new object. Tenant and end of life are inherited.
func (w *writer) own(o *object, in Fields) error {
	idIn, hasID := in[propOwner]
	collIn, hasColl := in[propOwnerColl]
	if !hasID && !hasColl {
		return nil
	}
	if !hasID || !hasColl {
		return badValue(propOwner, "must be given together with "+propOwnerColl)
	}
	if err := w.mayWrite(w.c.props[propOwner].views[""]); err != nil {
		return err
	}
	if err := w.mayWrite(w.c.props[propOwnerColl].views[""]); err != nil {
		return err
	}
	rawID, rule := w.c.props[propOwner].typ.canonical(idIn)
	if rule != "" {
		return badValue(propOwner, rule)
	}
	rawColl, rule := w.c.props[propOwnerColl].typ.canonical(collIn)
	if rule != "" {
		return badValue(propOwnerColl, rule)
	}
	return w.inherit(o, unquote(rawID), unquote(rawColl))
}

func (w *writer) inherit(o *object, ownerID, ownerColl string) error {
	oc, err := w.engine.collection(w.tx, ownerColl)
	if fault.Is(err, fault.NotFound) {
		return badValue(propOwnerColl, "must name an existing collection")
	}
	if err != nil {
		return err
	}
	key, _ := parseID(ownerID)
	owner, err := fetch(w.tx, oc, key)
	if fault.Is(err, fault.NotFound) || err == nil && owner.archived(w.tx.Now()) {
		return badValue(propOwner, "must be the id of an existing object of the owner's collection")
	}
	if err != nil {
		return err
	}
	if err := w.admitOwner(oc, owner); err != nil {
		return err
	}
	if o.tenant != "" && o.tenant != owner.tenant {
		return badValue(propTenant, "must be the owner's tenant")
	}
	o.tenant, o.owner, o.ownerMade, o.ownerName, o.ownerKey = owner.tenant, key, owner.created, ownerColl, oc.key
	o.ownerExpires = owner.end()
	return nil
}

// admitOwner refuses an owner that the caller may not touch, which may be one
// whose collection lacks a property that the caller is restricted by.
func (w *writer) admitOwner(oc *collection, owner *object) error {
	a, err := w.call.access(oc, w.tx.Now())
	if err != nil {
		return err
	}
	return a.admit(owner)
}

// Limits of what one change of an owner may reach.
const (
	maxOwned      = 1000
	maxOwnedDepth = 8
)

// pushDown gives the objects that o owns the owner's end of life and tenant.
func (e *Engine) pushDown(tx storage.Tx, c *collection, o *object, end int64, depth int) error {
	prefix := c.ownedPrefix(o.id)
	items, err := tx.Scan(prefix, nil, maxOwned+1)
	if err != nil || len(items) == 0 {
		return err
	}
	if len(items) > maxOwned || depth == maxOwnedDepth {
		return fault.Newf(fault.Conflict, "The object owns more than %d objects or %d levels of them; delete these first.", maxOwned, maxOwnedDepth)
	}
	byKey, err := e.collectionsByKey(tx)
	if err != nil {
		return err
	}
	for _, it := range items {
		rest := it.Key[len(prefix):]
		oc := byKey[string(rest[:8])]
		if oc == nil {
			continue
		}
		if err := e.pushOne(tx, oc, id(rest[8:24]), o, end, depth); err != nil {
			return err
		}
	}
	return nil
}

// pushOne changes one object that owner owns. One that belonged to an earlier
// object of the same id is none of owner's.
func (e *Engine) pushOne(tx storage.Tx, oc *collection, key id, owner *object, end int64, depth int) error {
	old, err := fetch(tx, oc, key)
	if fault.Is(err, fault.NotFound) || err == nil && old.ownerMade != owner.created {
		return nil
	}
	if err != nil {
		return err
	}
	o := old.clone()
	o.ownerExpires, o.tenant = end, owner.tenant
	if err := e.store(tx, oc, old, o); err != nil {
		return err
	}
	return e.handDown(tx, oc, old, o, depth+1)
}

// handDown lets tokens and owned objects follow an object whose end of life or
// tenant has changed.
func (e *Engine) handDown(tx storage.Tx, c *collection, old, o *object, depth int) error {
	if o.end() == old.end() && o.tenant == old.tenant {
		return nil
	}
	if err := e.follow(tx, c, o); err != nil {
		return err
	}
	return e.pushDown(tx, c, o, o.end(), depth)
}

func (e *Engine) collectionsByKey(tx storage.ReadTx) (map[string]*collection, error) {
	names, err := collectionNames(tx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*collection, len(names))
	for _, n := range names {
		c, err := e.collection(tx, n)
		if err != nil {
			return nil, err
		}
		out[string(c.key[:])] = c
	}
	return out, nil
}

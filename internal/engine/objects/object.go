package objects

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Fields are the values of an object as they arrive: property name → JSON.
type Fields = map[string]jsontext.Value

// Expiry is what a call says about the end of an object's life.
type Expiry struct {
	Given bool  // whether it says anything
	Never bool  // no end
	Secs  int64 // seconds from now
}

// maxExpiry bounds Expiry.Secs: 100 years.
const maxExpiry = 100 * 365 * 24 * 60 * 60

// at returns the end in milliseconds since 1970; 0 means never.
func (x Expiry) at(now time.Time) int64 {
	if !x.Given || x.Never {
		return 0
	}
	return now.UnixMilli() + x.Secs*1000
}

func (x Expiry) check() error {
	if x.Secs < 0 || x.Secs > maxExpiry {
		return fault.New(fault.Invalid, "The expiration must be between 0 seconds and 100 years from now.").WithDetail("parameter", "expiration_secs")
	}
	return nil
}

// Failure is why one item of a bulk call failed; nil where the item is fine.
type Failure = error

// Add stores a new object and returns its id.
func (e *Engine) Add(ctx context.Context, call Call, in Fields, x Expiry) (string, error) {
	if err := call.check("add-object", "/objects"); err != nil {
		return "", err
	}
	ids, fails, err := e.add(ctx, call, []Fields{in}, x)
	if err = first(fails, err); err != nil {
		return "", err
	}
	return ids[0], nil
}

// AddAll stores new objects, all or none. The failures, if any, stand in the
// order of the input.
func (e *Engine) AddAll(ctx context.Context, call Call, in []Fields, x Expiry) ([]string, []Failure, error) {
	if err := call.check("add-objects", "/bulk/objects"); err != nil {
		return nil, nil, err
	}
	return e.add(ctx, call, in, x)
}

// first returns the failure of a bulk call with one item.
func first(fails []Failure, err error) error {
	if err == nil && len(fails) > 0 {
		return fails[0]
	}
	return err
}

// errRollBack ends a transaction whose failures are told item by item.
var errRollBack = fault.New(fault.Invalid, "nothing was written")

func (e *Engine) add(ctx context.Context, call Call, in []Fields, x Expiry) ([]string, []Failure, error) {
	if err := e.checkBulk(len(in), x); err != nil {
		return nil, nil, err
	}
	if x.Given && !x.Never && x.Secs == 0 {
		return nil, nil, fault.New(fault.Invalid, "The expiration of a new object must be at least one second from now.").WithDetail("parameter", "expiration_secs")
	}
	ids := make([]string, len(in))
	var fails []Failure
	err := e.update(ctx, call.Collection, func(tx storage.Tx, c *collection) error {
		w, err := e.writer(call, tx, c, x)
		if err != nil {
			return err
		}
		fails, err = eachItem(len(in), func(i int) error {
			o, err := w.add(in[i])
			if err == nil {
				ids[i] = o.id.String()
			}
			return err
		})
		return err
	})
	if err != nil {
		return nil, fails, settled(err, fails)
	}
	call.Pass.NoteObject(ids...)
	return ids, nil, nil
}

// checkBulk bounds a bulk call.
func (e *Engine) checkBulk(n int, x Expiry) error {
	if n == 0 || n > e.o.MaxPage {
		return fault.Newf(fault.Invalid, "The request must hold between 1 and %d objects.", e.o.MaxPage)
	}
	return x.check()
}

// eachItem runs do for each item. What the caller did wrong in one item is
// kept and the rest is still looked at; any other failure ends the call.
func eachItem(n int, do func(i int) error) ([]Failure, error) {
	fails := make([]Failure, n)
	failed := false
	for i := range n {
		err := do(i)
		switch fault.Of(err) {
		case fault.Invalid, fault.NotFound, fault.Conflict:
			fails[i], failed = err, true
		default:
			if err != nil {
				return nil, err
			}
		}
	}
	if failed {
		return fails, errRollBack
	}
	return nil, nil
}

// settled is the failure of a bulk call: none if the items tell it.
func settled(err error, fails []Failure) error {
	if fails != nil && errors.Is(err, errRollBack) {
		return nil
	}
	return err
}

// writer changes objects of one collection in one transaction.
type writer struct {
	engine *Engine
	call   Call
	tx     storage.Tx
	c      *collection
	access access
	expiry Expiry
	asked  map[string]bool // properties that the policies have let pass
	// archived is whether archived objects are meant instead of active ones.
	archived bool
}

func (e *Engine) writer(call Call, tx storage.Tx, c *collection, x Expiry) (*writer, error) {
	a, err := call.access(c, tx.Now())
	if err != nil {
		return nil, err
	}
	return &writer{engine: e, call: call, tx: tx, c: c, access: a, expiry: x, asked: map[string]bool{}}, nil
}

// mayWrite asks the policies about a property once per call.
func (w *writer) mayWrite(v *view) error {
	if w.asked[v.name] {
		return nil
	}
	if err := w.call.ask("write", w.archived, v); err != nil {
		return err
	}
	w.asked[v.name] = true
	return nil
}

// add stores one new object.
func (w *writer) add(in Fields) (*object, error) {
	now := w.tx.Now().UnixMilli()
	o := &object{created: now, modified: now, expires: w.expiry.at(w.tx.Now())}
	if v, ok := in[propID]; ok {
		if err := w.ownID(o, v); err != nil {
			return nil, err
		}
	} else {
		o.id = newID()
	}
	if err := w.fill(o, in); err != nil {
		return nil, err
	}
	if err := w.own(o, in); err != nil {
		return nil, err
	}
	for _, p := range w.c.user {
		if !p.IsNullable && o.raw(p) == nil {
			return nil, badValue(p.Name, "is required")
		}
	}
	if err := w.access.admit(o); err != nil {
		return nil, err
	}
	return o, w.engine.store(w.tx, w.c, nil, o)
}

// ownID takes the id that the caller chose for a new object.
func (w *writer) ownID(o *object, v jsontext.Value) error {
	p := w.c.props[propID]
	if err := w.mayWrite(p.views[""]); err != nil {
		return err
	}
	raw, rule := p.typ.canonical(v)
	if rule != "" {
		return badValue(propID, rule)
	}
	o.id, _ = parseID(unquote(raw))
	switch _, err := fetch(w.tx, w.c, o.id); fault.Of(err) {
	case fault.NotFound:
		return nil
	default:
		if err != nil {
			return err
		}
		return fault.New(fault.Conflict, "An object with this id exists.").WithReason("not_unique").WithDetail("property", propID)
	}
}

// fill sets the user properties of o and its tenant. A null removes a value.
func (w *writer) fill(o *object, in Fields) error {
	for _, name := range sortedKeys(in) {
		p := w.c.props[name]
		switch {
		case p == nil:
			_, err := w.c.lookup(name)
			return orBad(err, name)
		case p.num == numID, p.num == numOwner, p.num == numOwnerColl:
			continue
		case p.IsReadonly:
			return badValue(name, "is read-only")
		}
		if err := w.mayWrite(p.views[""]); err != nil {
			return err
		}
		raw, err := checkValue(p, in[name])
		if err != nil {
			return err
		}
		if p.num == numTenant {
			o.tenant = unquote(raw)
			continue
		}
		o.set(p.num, raw)
	}
	return nil
}

// orBad refuses to write a transformation.
func orBad(err error, name string) error {
	if err == nil {
		return badValue(name, "is a transformation and cannot be written")
	}
	return err
}

func sortedKeys(in Fields) []string {
	out := make([]string, 0, len(in))
	for k := range in {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// checkValue returns the canonical form of a value; nil for null.
func checkValue(p *property, v jsontext.Value) ([]byte, error) {
	if v.Kind() == 'n' {
		if !p.IsNullable {
			return nil, badValue(p.Name, "must not be null")
		}
		return nil, nil
	}
	raw, rule := p.typ.canonical(v)
	if rule != "" {
		return nil, badValue(p.Name, rule)
	}
	return raw, checkSubstring(p, raw)
}

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
	o.tenant, o.owner, o.ownerName, o.ownerKey = owner.tenant, key, ownerColl, oc.key
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
		if err := e.pushOne(tx, oc, id(rest[8:24]), o.tenant, end, depth); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) pushOne(tx storage.Tx, oc *collection, key id, tenant string, end int64, depth int) error {
	old, err := fetch(tx, oc, key)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	o := old.clone()
	o.ownerExpires, o.tenant = end, tenant
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

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

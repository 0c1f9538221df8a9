package objects

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Input says which object a request for a token, a ciphertext or a hash is
// about: exactly one of the four.
type Input struct {
	ID           *string     `json:"id"`            // a stored object
	Fields       Fields      `json:"fields"`        // values that the request brings
	Encrypted    *Ciphertext `json:"encrypted"`     // values that a ciphertext holds
	RequestIndex *int        `json:"request_index"` // the same object as that earlier request of the batch
}

// Ciphertext is what encrypt returned, with its scope.
type Ciphertext struct {
	Text  string `json:"ciphertext"`
	Scope string `json:"scope"`
}

// maxScope and maxTag bound scopes and tags, in bytes; maxTags their number.
const (
	maxScope = 256
	maxTag   = 256
	maxTags  = 10
)

const defaultScope = "default"

// resolved is an input after all checks: an object, stored or made of the
// request's values.
type resolved struct {
	object *object
	stored bool // object is in storage
}

// resolver turns the inputs of one batch into objects that the caller may
// touch.
type resolver struct {
	ctx    context.Context
	engine *Engine
	call   Call
	tx     storage.ReadTx
	c      *collection
	access access
	done   []resolved
	// touched lists the stored objects that the call is about.
	touched []string
}

// resolver runs fn with a resolver for one run of a transaction and returns
// which objects it touched.
func (e *Engine) resolver(ctx context.Context, call Call, tx storage.ReadTx, c *collection, fn func(*resolver) error) (touched []string, err error) {
	a, err := call.access(c, tx.Now())
	if err != nil {
		return nil, err
	}
	r := &resolver{ctx: ctx, engine: e, call: call, tx: tx, c: c, access: a}
	err = fn(r)
	return r.touched, err
}

// resolve runs fn on a snapshot of the call's collection.
func (e *Engine) resolve(ctx context.Context, call Call, fn func(*resolver) error) error {
	var touched []string
	err := e.view(ctx, call.Collection, func(tx storage.ReadTx, c *collection) (err error) {
		touched, err = e.resolver(ctx, call, tx, c, fn)
		return err
	})
	return call.noteAll(touched, err)
}

// resolveTo is resolve in a transaction that may write.
func (e *Engine) resolveTo(ctx context.Context, call Call, fn func(storage.Tx, *resolver) error) error {
	var touched []string
	err := e.update(ctx, call.Collection, func(tx storage.Tx, c *collection) (err error) {
		touched, err = e.resolver(ctx, call, tx, c, func(r *resolver) error { return fn(tx, r) })
		return err
	})
	return call.noteAll(touched, err)
}

// noteAll names the objects of a call that went well in its audit entry: once,
// however often the transaction ran.
func (call Call) noteAll(touched []string, err error) error {
	if err == nil {
		call.Pass.NoteObject(touched...)
	}
	return err
}

// next resolves the input of the next request in the batch.
func (r *resolver) next(in Input) (resolved, error) {
	out, err := r.resolve(in)
	if err == nil && in.Fields != nil && out.object.tenant == "" {
		a := r.access
		a.tenants = nil // values that the request brings belong to no tenant yet
		err = a.admit(out.object)
	} else if err == nil {
		err = r.admit(out.object)
	}
	if err != nil {
		return resolved{}, err
	}
	r.note(out.object)
	r.done = append(r.done, out)
	return out, nil
}

// note remembers the stored object behind values for the audit entry.
func (r *resolver) note(o *object) {
	if o.id != (id{}) {
		r.touch(o.id.String())
	}
}

func (r *resolver) touch(name string) {
	if name != "" && !slices.Contains(r.touched, name) {
		r.touched = append(r.touched, name)
	}
}

func (r *resolver) resolve(in Input) (resolved, error) {
	n := 0
	for _, given := range []bool{in.ID != nil, in.Fields != nil, in.Encrypted != nil, in.RequestIndex != nil} {
		if given {
			n++
		}
	}
	if n != 1 {
		return resolved{}, fault.New(fault.Invalid, "The object of a request must be exactly one of id, fields, encrypted and request_index.").WithDetail("field", "object")
	}
	switch {
	case in.ID != nil:
		o, err := r.stored(*in.ID)
		return resolved{o, true}, err
	case in.Fields != nil:
		o, err := r.fromFields(in.Fields)
		return resolved{o, false}, err
	case in.Encrypted != nil:
		sealed, err := r.engine.decipher(r.c, *in.Encrypted)
		if err != nil {
			return resolved{}, err
		}
		if err := sealed.live(r.tx.Now(), false); err != nil {
			return resolved{}, err
		}
		if err := r.call.ask("decrypt", false, sealed.views(r.c)...); err != nil {
			return resolved{}, err
		}
		return resolved{sealed.asObject(), false}, nil
	}
	if i := *in.RequestIndex; i >= 0 && i < len(r.done) {
		return r.done[i], nil
	}
	return resolved{}, fault.New(fault.Invalid, "The request_index must be that of an earlier request of the batch.").WithDetail("field", "request_index")
}

func (r *resolver) stored(name string) (*object, error) {
	key, ok := parseID(name)
	if !ok {
		return nil, badValue(propID, "must be a UUID")
	}
	o, err := fetch(r.tx, r.c, key)
	if err != nil {
		return nil, err
	}
	if o.archived(r.tx.Now()) {
		return nil, noObject(key)
	}
	return o, nil
}

// fromFields makes an object of values that the request brings.
func (r *resolver) fromFields(in Fields) (*object, error) {
	o, err := r.changes(in)
	if err == nil && len(o.fields) == 0 {
		return nil, fault.New(fault.Invalid, "The fields of a request must hold at least one value.").WithDetail("field", "fields")
	}
	return o, err
}

// changes reads the values that a request brings; there may be none.
func (r *resolver) changes(in Fields) (*object, error) {
	o := &object{}
	for _, name := range sortedKeys(in) {
		p := r.c.props[name]
		switch {
		case p == nil:
			_, err := r.c.lookup(name)
			return nil, orBad(err, name)
		case p.IsBuiltin && p.num != numTenant:
			return nil, badValue(name, "cannot be given here")
		}
		raw, err := checkValue(p, in[name])
		if err != nil {
			return nil, err
		}
		if p.num == numTenant {
			o.tenant = unquote(raw)
			continue
		}
		o.set(p.num, raw)
	}
	return o, nil
}

// asObject is the object that a ciphertext stands for.
func (s *sealed) asObject() *object {
	return &object{id: s.object, created: s.created, tenant: s.tenant, fields: s.fields}
}

// admit refuses values that the caller may not touch. Values that do not say
// whom they belong to belong to the stored object that they were taken from,
// if that still exists, as it is now.
func (r *resolver) admit(o *object) error {
	if r.access.matches(o) {
		return r.access.admitTenant(o)
	}
	for _, b := range r.access.bounds {
		if raw := o.raw(b.prop); raw != nil && !b.allows(raw) {
			return r.access.admit(o)
		}
	}
	live, err := fetch(r.tx, r.c, o.id)
	if fault.Is(err, fault.NotFound) || err == nil && live.created != o.created {
		return r.access.admit(o)
	}
	if err != nil {
		return err
	}
	if err := r.access.admit(live); err != nil {
		return err
	}
	return r.access.admitTenant(o)
}

// chosen returns the properties that a request names, or all that the object
// has a value for. Transformations are refused, and so are properties without a
// value unless these are to be left out.
func (r *resolver) chosen(o *object, names []string, leaveOut bool) ([]*property, error) {
	var out []*property
	if len(names) == 0 {
		for _, p := range r.c.user {
			if o.raw(p) != nil {
				out = append(out, p)
			}
		}
	}
	for _, name := range names {
		v, err := r.c.lookup(name)
		if err != nil {
			return nil, err
		}
		if v.apply != nil || v.prop.IsBuiltin {
			return nil, badValue(name, "cannot be used here")
		}
		if o.raw(v.prop) == nil {
			if leaveOut {
				continue
			}
			return nil, badValue(name, "has no value")
		}
		if !slices.Contains(out, v.prop) {
			out = append(out, v.prop)
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Invalid, "The object of a request has no values.").WithDetail("field", "object")
	}
	slices.SortFunc(out, func(a, b *property) int { return int(a.num) - int(b.num) })
	return out, nil
}

func pick(o *object, ps []*property) []field {
	out := make([]field, len(ps))
	for i, p := range ps {
		out[i] = field{p.num, o.raw(p)}
	}
	return out
}

// checkLabels bounds scope and tags.
func checkLabels(scope string, tags []string) error {
	if scope == "" || len(scope) > maxScope || strings.ContainsFunc(scope, unicode.IsControl) {
		return fault.Newf(fault.Invalid, "A scope must have between 1 and %d bytes and no control characters.", maxScope).WithDetail("field", "scope")
	}
	if len(tags) > maxTags {
		return fault.Newf(fault.Invalid, "There can be at most %d tags.", maxTags).WithDetail("field", "tags")
	}
	for _, t := range tags {
		if t == "" || len(t) > maxTag {
			return fault.New(fault.Invalid, "A tag must have between 1 and "+strconv.Itoa(maxTag)+" bytes.").WithDetail("field", "tags")
		}
	}
	return nil
}

// orDefault returns the scope that is meant when none is given.
func orDefault(scope string) string {
	if scope == "" {
		return defaultScope
	}
	return scope
}

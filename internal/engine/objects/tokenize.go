package objects

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/storage"
)

var tokenIDPattern = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

// TokenizeRequest is one object to make a token of.
type TokenizeRequest struct {
	Type        string   `json:"type"`
	Object      Input    `json:"object"`
	Props       []string `json:"props"`
	TokenID     string   `json:"token_id"`
	Scope       string   `json:"scope"` // "" = default
	Tags        []string `json:"tags"`
	UniqueTags  []string `json:"ensure_unique_tenant_tags"`
	StoreObject bool     `json:"store_object"`
	Template    string   `json:"fptemplate"` // "primary_account_number" or ""
	FPProps     []string `json:"fpprops"`    // properties that the template uses
}

// TokenValue is a token that Tokenize made or found.
type TokenValue struct {
	TokenID  string `json:"token_id"`
	ObjectID string `json:"object_id,omitzero"`
}

func (q *TokenizeRequest) check() error {
	switch {
	case !slices.Contains([]string{PCI, PCIOneWay, Pointer, Randomized, Deterministic}, q.Type):
		return fault.New(fault.Invalid, "The type of a token must be one of pci, pci_oneway, pointer, randomized, deterministic.").WithDetail("field", "type")
	case q.TokenID != "" && !tokenIDPattern.MatchString(q.TokenID):
		return fault.New(fault.Invalid, "A token id must have between 1 and 128 letters, digits, hyphens and underscores.").WithDetail("field", "token_id")
	case q.TokenID != "" && q.Template != "":
		return fault.New(fault.Invalid, "A token id cannot be chosen together with a template.").WithDetail("field", "token_id")
	case q.StoreObject && q.Object.Fields == nil:
		return fault.New(fault.Invalid, "Only an object given by its fields can be stored.").WithDetail("field", "store_object")
	}
	q.Scope = orDefault(q.Scope)
	if err := checkLabels(q.Scope, q.Tags); err != nil {
		return err
	}
	return checkUniqueTags(q.Tags, q.UniqueTags)
}

// Tokenize makes a token for each request, all or none.
func (e *Engine) Tokenize(ctx context.Context, call Call, in []TokenizeRequest, transaction string, x Expiry) ([]TokenValue, error) {
	if err := call.check("tokenize", "/tokens"); err != nil {
		return nil, err
	}
	if err := e.checkBulk(len(in), x); err != nil {
		return nil, err
	}
	if len(transaction) > maxTransaction {
		return nil, fault.Newf(fault.Invalid, "A transaction id must have at most %d bytes.", maxTransaction).WithDetail("parameter", "transaction_id")
	}
	for i := range in {
		if err := in[i].check(); err != nil {
			return nil, err
		}
	}
	var out []TokenValue
	err := e.resolveTo(ctx, call, func(tx storage.Tx, r *resolver) (err error) {
		out = make([]TokenValue, len(in))
		for i := range in {
			if out[i], err = r.tokenize(tx, &in[i], x); err != nil {
				return err
			}
		}
		return e.noteTransaction(tx, r.c, transaction, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (r *resolver) tokenize(tx storage.Tx, q *TokenizeRequest, x Expiry) (TokenValue, error) {
	in, err := r.inputOf(tx, q)
	if err != nil {
		return TokenValue{}, err
	}
	ps, err := r.chosen(in.object, q.Props, false)
	if err != nil {
		return TokenValue{}, err
	}
	shape, err := r.template(in.object, ps, q.Template, q.FPProps)
	if err != nil {
		return TokenValue{}, err
	}
	if err := r.call.ask("tokenize", false, views(shape.asked(ps))...); err != nil {
		return TokenValue{}, err
	}
	if q.Type == Pointer && !in.stored {
		return TokenValue{}, fault.New(fault.Invalid, "A pointer token needs a stored object.").WithDetail("field", "object")
	}
	fs := pick(in.object, ps)
	old, t, err := r.tokenFor(tx, q, fs, shape)
	if err != nil {
		return TokenValue{}, err
	}
	use := ref{Created: tx.Now().UnixMilli(), Expires: x.at(tx.Now()), Tenant: in.object.tenant, Tags: q.Tags}
	out := TokenValue{TokenID: t.ID}
	if in.stored {
		use.Object, use.ObjectMade, use.ObjectEnd = in.object.id.String(), in.object.created, in.object.end()
		out.ObjectID = use.Object
	} else {
		use.Owner = r.owner(in.object)
	}
	if err := r.uniqueTags(q.UniqueTags, t.ID, use); err != nil {
		return TokenValue{}, err
	}
	if err := t.use(use); err != nil {
		return TokenValue{}, err
	}
	return out, r.engine.saveToken(tx, r.c, old, t)
}

// inputOf resolves the object of a request, and stores it first if asked.
func (r *resolver) inputOf(tx storage.Tx, q *TokenizeRequest) (resolved, error) {
	if !q.StoreObject {
		return r.next(q.Object)
	}
	w := &writer{engine: r.engine, call: r.call, tx: tx, c: r.c, access: r.access, asked: map[string]bool{}}
	o, err := w.add(q.Object.Fields)
	if err != nil {
		return resolved{}, err
	}
	out := resolved{o, true}
	r.note(o)
	r.done = append(r.done, out)
	return out, nil
}

// owner is what later tells whose values these are: those that the caller's
// own claims looked at.
func (r *resolver) owner(o *object) []value {
	var out []value
	for _, b := range r.access.bounds {
		if raw := o.raw(b.prop); raw != nil && b.prop.num >= firstProp {
			out = append(out, value{int(b.prop.num), raw})
		}
	}
	return out
}

// tokenFor returns the token for values: the one that has them already, where
// the type says so, or a new one.
func (r *resolver) tokenFor(tx storage.Tx, q *TokenizeRequest, fs []field, shape template) (old, t *token, err error) {
	t = &token{Type: q.Type, Scope: q.Scope, ID: q.TokenID, Values: toValues(fs)}
	for _, f := range fs {
		t.Props = append(t.Props, int(f.num))
	}
	switch q.Type {
	case Deterministic:
		return r.deterministicToken(tx, q, fs, shape, t)
	case PCI, PCIOneWay:
		return r.pciToken(tx, q, fs, shape, t)
	case Pointer:
		t.Values = nil
	}
	return nil, t, r.giveID(tx, t, shape)
}

func (r *resolver) deterministicToken(tx storage.Tx, q *TokenizeRequest, fs []field, shape template, t *token) (old, out *token, err error) {
	t.ID = shape.deterministic(r.engine.fingerprint(r.c, "", q.Scope, fs))
	if q.TokenID != "" && q.TokenID != t.ID {
		return nil, nil, fault.New(fault.Conflict, "The id of a deterministic token follows from its values.").WithDetail("field", "token_id")
	}
	old, err = loadToken(tx, r.c, r.engine.tokenHash(r.c, t.ID))
	if old != nil && (old.Type != Deterministic || old.Scope != t.Scope || !sameValues(old.Values, t.Values)) {
		return nil, nil, errTaken // a short template can give two values one id
	}
	return old, copyOr(old, t), err
}

var errTaken = fault.New(fault.Conflict, "A token with this id exists.").WithDetail("field", "token_id")

// pciToken finds the token of equal values, in this collection or, in a global
// scope, in any.
func (r *resolver) pciToken(tx storage.Tx, q *TokenizeRequest, fs []field, shape template, t *token) (old, out *token, err error) {
	if q.TokenID != "" && len(r.access.bounds) > 0 { // whether the value has another id would tell whether others have it
		return nil, nil, refuse(policy.Check{Name: "narrowing", Expected: r.access.expected(), Note: "the id of a token that all uses of a value share cannot be chosen"})
	}
	key := r.engine.pciKey(r.c, q.Type, q.Scope, fs)
	if q.Type == PCIOneWay {
		t.Values = []value{{0, key[len(key)-16:]}}
	}
	if old, err = r.byValue(tx, key); err != nil {
		return nil, nil, err
	}
	known := ""
	global := strings.HasPrefix(q.Scope, globalScope)
	everywhere := append([]byte("obj/gv/"), key[len(key)-16:]...)
	switch {
	case old != nil:
		known = old.ID
	case global:
		b, err := tx.Get(everywhere)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, nil, err
		}
		known = string(b)
	}
	if known != "" && q.TokenID != "" && q.TokenID != known {
		return nil, nil, fault.New(fault.Conflict, "The value has a token with another id.").WithDetail("field", "token_id")
	}
	if old != nil {
		return old, copyOr(old, t), nil
	}
	if known != "" {
		t.ID = known
	}
	if err := r.giveID(tx, t, shape); err != nil || !global {
		return nil, t, err
	}
	return nil, t, tx.Put(everywhere, []byte(t.ID), time.Time{})
}

// byValue returns the token that a value index names, or nil.
func (r *resolver) byValue(tx storage.ReadTx, key []byte) (*token, error) {
	h, err := tx.Get(key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(h) != 16 {
		return nil, errRecord
	}
	return loadToken(tx, r.c, id(h))
}

// giveID makes up the id of a new token, or checks that the chosen one is free.
func (r *resolver) giveID(tx storage.ReadTx, t *token, shape template) error {
	chosen := t.ID != ""
	for range 20 {
		if !chosen {
			t.ID = shape.random()
		}
		taken, err := loadToken(tx, r.c, r.engine.tokenHash(r.c, t.ID))
		if err != nil || taken == nil {
			return err
		}
		if chosen {
			return errTaken
		}
	}
	return fault.New(fault.Conflict, "There are no more free ids for this card number.").WithDetail("field", "fptemplate")
}

func copyOr(old, fresh *token) *token {
	if old == nil {
		return fresh
	}
	return old.clone()
}

package objects

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/storage"
)

// Types of data tokens, beside Randomized and Deterministic.
const (
	PCI       = "pci"        // one token per value and scope
	PCIOneWay = "pci_oneway" // the same, and never turned back
	Pointer   = "pointer"    // shows the object as it is when it is read
)

// Storage keys of tokens:
//
//	obj/t/<collection><token hash>                 token
//	obj/tv/<collection><value hash>                token of a pci value
//	obj/to/<collection><object><token hash>        tokens of an object
//	obj/tt/<collection><tag hash><token hash>      tokens with a tag
//	obj/tx/<collection><transaction hash>          tokens of a transaction
//	obj/gv/<value hash>                            token id of a pci value in a global scope

// token is a stored data token.
type token struct {
	ID     string  `json:"id"`
	Type   string  `json:"type"`
	Scope  string  `json:"scope"`
	Props  []int   `json:"props"`            // numbers of the properties
	Values []value `json:"values,omitempty"` // not for pointers and one-way tokens
	Refs   []ref   `json:"refs"`
}

// value is a stored value of a property.
type value struct {
	Num int    `json:"n"`
	Raw []byte `json:"v"`
}

// ref is one use of a token.
type ref struct {
	Created int64  `json:"created"`
	Expires int64  `json:"expires,omitzero"`
	Object  string `json:"object,omitzero"` // id, "" if made of given values
	// ObjectEnd is when the object is archived; 0 means never.
	ObjectEnd int64    `json:"object_end,omitzero"`
	Tenant    string   `json:"tenant,omitzero"`
	Tags      []string `json:"tags,omitempty"`
	// Owner holds the values by which the caller's claims admitted the object
	// when the token was made of values that are stored nowhere else.
	Owner []value `json:"owner,omitempty"`
}

// maxRefs bounds the uses of one token, maxUseTags the tags of a use that grows
// with every call.
const (
	maxRefs    = 1000
	maxUseTags = 100
)

var tokenIDPattern = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

func toValues(fs []field) []value {
	out := make([]value, len(fs))
	for i, f := range fs {
		out[i] = value{int(f.num), f.raw}
	}
	return out
}

func toFields(vs ...[]value) []field {
	o := object{}
	for _, list := range vs {
		for _, v := range list {
			o.set(uint16(v.Num), v.Raw) //nolint:gosec // written by toValues
		}
	}
	return o.fields
}

// end is when the use is archived, by its own expiry or its object's; 0 means
// never.
func (r ref) end() int64 {
	if r.Expires == 0 || r.ObjectEnd != 0 && r.ObjectEnd < r.Expires {
		return r.ObjectEnd
	}
	return r.Expires
}

func (r ref) archived(now time.Time) bool { return r.end() != 0 && now.UnixMilli() >= r.end() }

// hash is the storage name of a token id.
func (e *Engine) tokenHash(c *collection, tokenID string) id { return e.nameHash(c, "token", tokenID) }

func (e *Engine) nameHash(c *collection, kind, name string) id {
	b := append([]byte(kind), 0)
	b = append(b, c.key[:]...)
	return id(e.o.Keyring.HMAC("objects/token", append(b, name...))[:16])
}

func (c *collection) tokenKey(h id) []byte { return append(c.keyOf("obj/t/", 16), h[:]...) }

// tokenIndex lists the index keys of a token.
func (e *Engine) tokenIndex(c *collection, t *token) [][]byte {
	h := e.tokenHash(c, t.ID)
	var out [][]byte
	for _, r := range t.Refs {
		if key, ok := parseID(r.Object); ok {
			out = append(out, slices.Concat(c.keyOf("obj/to/", 32), key[:], h[:]))
		}
		for _, tag := range r.Tags {
			th := e.nameHash(c, "tag", tag)
			out = append(out, slices.Concat(c.keyOf("obj/tt/", 32), th[:], h[:]))
		}
	}
	if t.Type == PCI || t.Type == PCIOneWay {
		out = append(out, e.pciKey(c, t.Type, t.Scope, toFields(t.Values)))
	}
	slices.SortFunc(out, slices.Compare)
	return slices.CompactFunc(out, slices.Equal)
}

// pciKey finds the token of a value. One-way tokens keep a hash of their
// values instead of them.
func (e *Engine) pciKey(c *collection, kind, scope string, fs []field) []byte {
	h := e.fingerprint(c, kind, scope, fs)
	if kind == PCIOneWay && len(fs) == 1 && fs[0].num == 0 {
		h = id(fs[0].raw)
	}
	return slices.Concat(c.keyOf("obj/tv/", 16), h[:])
}

// loadToken reads a token by its storage name; nil if there is none.
func loadToken(tx storage.ReadTx, c *collection, h id) (*token, error) {
	b, err := tx.Get(c.tokenKey(h))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t := &token{}
	if err := json.Unmarshal(b, t); err != nil {
		return nil, errors.Join(errRecord, err)
	}
	return t, nil
}

// saveToken writes a token with its index keys; old is what it replaces. A
// token without uses is removed.
func (e *Engine) saveToken(tx storage.Tx, c *collection, old, t *token) error {
	var keep [][]byte
	live := t != nil && len(t.Refs) > 0
	if live {
		keep = e.tokenIndex(c, t)
	}
	if old != nil {
		for _, k := range e.tokenIndex(c, old) {
			if slices.ContainsFunc(keep, func(n []byte) bool { return slices.Equal(n, k) }) {
				continue
			}
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
	}
	if !live {
		if old == nil {
			return nil
		}
		return tx.Delete(c.tokenKey(e.tokenHash(c, old.ID)))
	}
	h := e.tokenHash(c, t.ID)
	until := e.tokenUntil(t)
	for _, k := range keep {
		if err := tx.Put(k, h[:], until); err != nil {
			return err
		}
	}
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return tx.Put(c.tokenKey(h), b, until)
}

// tokenUntil is when storage may drop a token: the retention period after its
// last use has expired. Zero keeps it.
func (e *Engine) tokenUntil(t *token) time.Time {
	var last int64
	for _, r := range t.Refs {
		if r.end() == 0 {
			return time.Time{}
		}
		last = max(last, r.end())
	}
	return time.UnixMilli(last).Add(e.o.Retention)
}

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

// maxTransaction bounds a transaction id, in bytes.
const maxTransaction = 256

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
		use.Object, use.ObjectEnd = in.object.id.String(), in.object.end()
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

func (t *token) clone() *token {
	c := *t
	c.Refs = slices.Clone(t.Refs)
	return &c
}

// use adds a use of a token, or renews the one of the same object.
func (t *token) use(n ref) error {
	for i, r := range t.Refs {
		if r.Object == n.Object && (n.Object != "" || sameValues(r.Owner, n.Owner) && r.Tenant == n.Tenant) {
			n.Created = r.Created
			n.Tags = addTags(r.Tags, n.Tags)
			if len(n.Tags) > maxUseTags {
				return fault.Newf(fault.Conflict, "A token can have at most %d tags.", maxUseTags)
			}
			t.Refs[i] = n
			return nil
		}
	}
	if len(t.Refs) >= maxRefs {
		return fault.Newf(fault.Conflict, "A token can stand for at most %d objects.", maxRefs)
	}
	t.Refs = append(t.Refs, n)
	return nil
}

func sameValues(a, b []value) bool {
	return slices.EqualFunc(a, b, func(x, y value) bool { return x.Num == y.Num && slices.Equal(x.Raw, y.Raw) })
}

// noteTransaction remembers which tokens a transaction made, for a day.
func (e *Engine) noteTransaction(tx storage.Tx, c *collection, name string, made []TokenValue) error {
	if name == "" {
		return nil
	}
	ids, err := e.transaction(tx, c, name)
	if err != nil {
		return err
	}
	if ids != nil {
		return fault.New(fault.Conflict, "The transaction id was used before.").WithDetail("parameter", "transaction_id")
	}
	ids = []string{}
	for _, t := range made {
		if !slices.Contains(ids, t.TokenID) {
			ids = append(ids, t.TokenID)
		}
	}
	b, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return tx.Put(e.transactionKey(c, name), b, tx.Now().Add(24*time.Hour))
}

func (e *Engine) transactionKey(c *collection, name string) []byte {
	h := e.nameHash(c, "transaction", name)
	return slices.Concat(c.keyOf("obj/tx/", 16), h[:])
}

func (e *Engine) transaction(tx storage.ReadTx, c *collection, name string) ([]string, error) {
	b, err := tx.Get(e.transactionKey(c, name))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	return ids, json.Unmarshal(b, &ids)
}

// Transaction returns the tokens that a transaction made. A caller whose token
// narrows gets those that it may touch.
func (e *Engine) Transaction(ctx context.Context, call Call, name string) ([]string, error) {
	if err := call.check("get-by-transaction-id", "/transaction_id/"+name); err != nil {
		return nil, err
	}
	out := []string{}
	err := e.resolve(ctx, call, func(r *resolver) error {
		tx, c := r.tx, r.c
		if err := call.askOne("read", c.tokens); err != nil {
			return err
		}
		s := &selector{resolver: r}
		ids, err := e.transaction(tx, c, name)
		if err != nil {
			return err
		}
		out = out[:0]
		for _, tokenID := range ids {
			t, err := loadToken(tx, c, e.tokenHash(c, tokenID))
			if err != nil {
				return err
			}
			if t == nil {
				continue
			}
			ok, err := s.any(t)
			if err != nil {
				return err
			}
			if ok {
				out = append(out, tokenID)
			}
		}
		return nil
	})
	return out, err
}

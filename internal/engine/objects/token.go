package objects

import (
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
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
	// ObjectMade is when the object was added: its id may be given again.
	ObjectMade int64 `json:"object_made,omitzero"`
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

// of reports whether the use belongs to o, and not to an earlier object of the
// same id.
func (r ref) of(o *object) bool { return r.ObjectMade == o.created && r.Object == o.id.String() }

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

func (t *token) clone() *token {
	c := *t
	c.Refs = slices.Clone(t.Refs)
	return &c
}

// use adds a use of a token, or renews the one of the same object.
func (t *token) use(n ref) error {
	for i, r := range t.Refs {
		if r.Object == n.Object && r.ObjectMade == n.ObjectMade && (n.Object != "" || sameValues(r.Owner, n.Owner) && r.Tenant == n.Tenant) {
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

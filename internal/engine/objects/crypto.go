package objects

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
)

// Types of ciphertext.
const (
	Randomized    = "randomized"
	Deterministic = "deterministic"
)

// EncryptRequest is one object to encrypt.
type EncryptRequest struct {
	Type   string   `json:"type"` // "" = randomized
	Object Input    `json:"object"`
	Props  []string `json:"props"`
	Scope  string   `json:"scope"` // "" = default
	Tags   []string `json:"tags"`
}

// Encrypt returns a ciphertext for each request, all or none.
func (e *Engine) Encrypt(ctx context.Context, call Call, in []EncryptRequest, x Expiry) ([]string, error) {
	if err := call.check("encrypt", "/encrypt/objects"); err != nil {
		return nil, err
	}
	return eachText(ctx, e, call, in, x, func(r *resolver, q EncryptRequest) (string, error) { return r.encrypt(q, x) })
}

// eachText runs do on each request of a batch, all or none.
func eachText[Q any](ctx context.Context, e *Engine, call Call, in []Q, x Expiry, do func(*resolver, Q) (string, error)) ([]string, error) {
	if err := e.checkBulk(len(in), x); err != nil {
		return nil, err
	}
	var out []string
	err := e.resolve(ctx, call, func(r *resolver) (err error) {
		out = make([]string, len(in))
		for i, q := range in {
			if out[i], err = do(r, q); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

func (r *resolver) encrypt(q EncryptRequest, x Expiry) (string, error) {
	if q.Type == "" {
		q.Type = Randomized
	}
	q.Scope = orDefault(q.Scope)
	if err := checkLabels(q.Scope, q.Tags); err != nil {
		return "", err
	}
	in, err := r.next(q.Object)
	if err != nil {
		return "", err
	}
	ps, err := r.chosen(in.object, q.Props, true)
	if err != nil {
		return "", err
	}
	if err := r.call.ask("encrypt", false, views(ps)...); err != nil {
		return "", err
	}
	s := &sealed{
		kind: q.Type, scope: q.Scope, expires: x.at(r.tx.Now()), tenant: in.object.tenant,
		object: in.object.id, created: in.object.created, tags: q.Tags, fields: pick(in.object, ps),
	}
	return r.engine.encipher(r.c, s)
}

// UpdateEncryptedRequest changes values inside a ciphertext.
type UpdateEncryptedRequest struct {
	Type      string     `json:"type"`
	Encrypted Ciphertext `json:"encrypted_object"`
	Fields    Fields     `json:"fields"`
	Props     []string   `json:"props"`
	Scope     string     `json:"scope"`
}

// UpdateEncrypted returns new ciphertexts with the given values changed.
func (e *Engine) UpdateEncrypted(ctx context.Context, call Call, in []UpdateEncryptedRequest, x Expiry, archived bool) ([]string, error) {
	if err := call.check("update-encrypted", "/encrypt/objects"); err != nil {
		return nil, err
	}
	return eachText(ctx, e, call, in, x, func(r *resolver, q UpdateEncryptedRequest) (string, error) { return r.reencrypt(q, x, archived) })
}

func (r *resolver) reencrypt(q UpdateEncryptedRequest, x Expiry, archived bool) (string, error) {
	if q.Fields == nil {
		return "", fault.New(fault.Invalid, "The fields to change are missing; an empty object changes none.").WithDetail("field", "fields")
	}
	s, err := r.engine.decipher(r.c, q.Encrypted)
	if err != nil {
		return "", err
	}
	if err := s.live(r.tx.Now(), archived); err != nil {
		return "", err
	}
	if err := r.call.ask("decrypt", archived, s.views(r.c)...); err != nil {
		return "", err
	}
	o := s.asObject()
	if err := r.admit(o); err != nil { // as it was
		return "", err
	}
	change, err := r.changes(q.Fields)
	if err != nil {
		return "", err
	}
	after := o.clone()
	for _, f := range change.fields {
		after.set(f.num, f.raw)
	}
	if change.tenant != "" {
		after.tenant = change.tenant
	}
	if err := r.admit(after); err != nil { // and as it will be
		return "", err
	}
	ps, err := r.chosen(after, q.Props, true)
	if err != nil {
		return "", err
	}
	if err := r.call.ask("encrypt", false, views(ps)...); err != nil {
		return "", err
	}
	r.note(o)
	n := &sealed{kind: s.kind, scope: s.scope, expires: s.expires, tenant: after.tenant, object: s.object, created: s.created, tags: s.tags, fields: pick(after, ps)}
	if q.Type != "" {
		n.kind = q.Type
	}
	if q.Scope != "" {
		n.scope = q.Scope
	}
	if x.Given {
		n.expires = x.at(r.tx.Now())
	}
	if err := checkLabels(n.scope, n.tags); err != nil {
		return "", err
	}
	return r.engine.encipher(r.c, n)
}

// DecryptRequest is one ciphertext to decrypt.
type DecryptRequest struct {
	Encrypted Ciphertext `json:"encrypted_object"`
	Props     []string   `json:"props"`
}

// Decrypt returns the values of each ciphertext as a JSON array.
func (e *Engine) Decrypt(ctx context.Context, call Call, in []DecryptRequest, archived, metadata bool) ([]byte, error) {
	if err := call.check("decrypt", "/decrypt/objects"); err != nil {
		return nil, err
	}
	if err := e.checkBulk(len(in), Expiry{}); err != nil {
		return nil, err
	}
	var out []byte
	err := e.resolve(ctx, call, func(r *resolver) (err error) {
		out = []byte{'['}
		for i, q := range in {
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = r.decrypt(out, q, archived, metadata); err != nil {
				return err
			}
		}
		out = append(out, ']')
		return nil
	})
	return out, err
}

func (r *resolver) decrypt(b []byte, q DecryptRequest, archived, metadata bool) ([]byte, error) {
	s, err := r.engine.decipher(r.c, q.Encrypted)
	if err != nil {
		return b, err
	}
	if err := s.live(r.tx.Now(), archived); err != nil {
		return b, err
	}
	vs := s.views(r.c)
	if len(q.Props) > 0 {
		if vs, err = r.c.shown(Projection{Props: q.Props}); err != nil {
			return b, err
		}
	}
	if err := r.call.ask("decrypt", archived, vs...); err != nil {
		return b, err
	}
	o := s.asObject()
	if err := r.admit(o); err != nil {
		return b, err
	}
	r.note(o)
	b = o.render(append(b, `{"fields":`...), vs, r.tx.Now())
	if metadata {
		b = s.metadata(append(b, `,"metadata":`...))
	}
	return append(b, '}'), nil
}

// HashRequest is one object to hash.
type HashRequest struct {
	Object   Input    `json:"object"`
	Props    []string `json:"props"`
	Scope    string   `json:"scope"`
	Template string   `json:"fptemplate"`
	FPProps  []string `json:"fpprops"`
}

// Hash returns, for each request, the id that a deterministic token of the
// same values has.
func (e *Engine) Hash(ctx context.Context, call Call, in []HashRequest) ([]string, error) {
	if err := call.check("hash-objects", "/hash/objects"); err != nil {
		return nil, err
	}
	return eachText(ctx, e, call, in, Expiry{}, (*resolver).hash)
}

func (r *resolver) hash(q HashRequest) (string, error) {
	scope := orDefault(q.Scope)
	if err := checkLabels(scope, nil); err != nil {
		return "", err
	}
	in, err := r.next(q.Object)
	if err != nil {
		return "", err
	}
	ps, err := r.chosen(in.object, q.Props, false)
	if err != nil {
		return "", err
	}
	shape, err := r.template(in.object, ps, q.Template, q.FPProps)
	if err != nil {
		return "", err
	}
	if err := r.call.ask("hash", false, views(shape.asked(ps))...); err != nil {
		return "", err
	}
	return shape.deterministic(r.engine.fingerprint(r.c, "", scope, pick(in.object, ps))), nil
}

// globalScope begins the scopes in which equal values of properties with equal
// names have equal tokens in all collections. It concerns their ids only: each
// collection keeps tokens of its own, under its own policies.
const globalScope = "global:"

// fingerprint is a keyed hash of values in a scope of a collection.
func (e *Engine) fingerprint(c *collection, kind, scope string, fs []field) id {
	global := strings.HasPrefix(scope, globalScope)
	b := append([]byte(nil), c.key[:]...)
	if global {
		b = make([]byte, len(c.key))
	}
	b = appendBytes(appendBytes(b, []byte(kind)), []byte(scope))
	for _, f := range fs {
		if p := c.byNum[f.num]; global && p != nil {
			b = appendBytes(b, []byte(p.Name))
		} else {
			b = binary.BigEndian.AppendUint16(b, f.num)
		}
		b = appendBytes(b, f.raw)
	}
	return id(e.o.Keyring.HMAC("objects/fingerprint", b)[:16])
}

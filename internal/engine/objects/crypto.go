package objects

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

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

// sealed is what a ciphertext holds.
type sealed struct {
	kind    string
	scope   string
	expires int64
	tenant  string
	object  id    // zero if it was not made of a stored object
	created int64 // when that object was: its id may be given again
	tags    []string
	fields  []field
}

// maxCiphertext bounds a ciphertext, in bytes of its text.
const maxCiphertext = 8 << 20

// Encrypt returns a ciphertext for each request, all or none.
func (e *Engine) Encrypt(ctx context.Context, call Call, in []EncryptRequest, x Expiry) ([]string, error) {
	if err := call.check("encrypt", "/encrypt/objects"); err != nil {
		return nil, err
	}
	if err := e.checkBulk(len(in), x); err != nil {
		return nil, err
	}
	var out []string
	err := e.resolve(ctx, call, func(r *resolver) (err error) {
		out = make([]string, len(in))
		for i, q := range in {
			if out[i], err = r.encrypt(q, x); err != nil {
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
	if err := e.checkBulk(len(in), x); err != nil {
		return nil, err
	}
	var out []string
	err := e.resolve(ctx, call, func(r *resolver) (err error) {
		out = make([]string, len(in))
		for i, q := range in {
			if out[i], err = r.reencrypt(q, x, archived); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
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

func (s *sealed) metadata(b []byte) []byte {
	b = append(append(b, `{"type":`...), quoted(s.kind)...)
	b = append(append(b, `,"scope":`...), quoted(s.scope)...)
	if s.expires != 0 {
		b = append(append(b, `,"expiration":`...), quotedTime(s.expires)...)
	}
	b = append(b, `,"tags":`...)
	return append(quotedList(b, s.tags), '}')
}

func quotedList(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, t := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quoted(t)...)
	}
	return append(b, ']')
}

// views lists what a ciphertext holds. Values of properties that were deleted
// since are left out.
func (s *sealed) views(c *collection) []*view {
	var out []*view
	for _, f := range s.fields {
		if p := c.byNum[f.num]; p != nil {
			out = append(out, p.views[""])
		}
	}
	return out
}

// live refuses a ciphertext that has expired; with archived, one that has not.
func (s *sealed) live(now time.Time, archived bool) error {
	expired := s.expires != 0 && now.UnixMilli() >= s.expires
	switch {
	case expired && !archived:
		return fault.New(fault.Invalid, "The encrypted object is archived: it has expired.").WithReason("ciphertext_expired")
	case archived && !expired:
		return fault.New(fault.Invalid, "The encrypted object is not archived.").WithDetail("parameter", "options")
	}
	return nil
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
	if err := e.checkBulk(len(in), Expiry{}); err != nil {
		return nil, err
	}
	var out []string
	err := e.resolve(ctx, call, func(r *resolver) (err error) {
		out = make([]string, len(in))
		for i, q := range in {
			if out[i], err = r.hash(q); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
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

// First byte of a ciphertext.
const (
	modeRandomized    = 1
	modeDeterministic = 2
)

func (s *sealed) pack() []byte {
	b := binary.AppendVarint(nil, s.expires)
	b = appendBytes(b, []byte(s.tenant))
	b = append(b, s.object[:]...)
	b = binary.AppendVarint(b, s.created)
	b = binary.AppendUvarint(b, uint64(len(s.tags)))
	for _, t := range s.tags {
		b = appendBytes(b, []byte(t))
	}
	for _, f := range s.fields {
		b = appendBytes(binary.AppendUvarint(b, uint64(f.num)), f.raw)
	}
	return b
}

func unpack(b []byte, kind, scope string) (*sealed, bool) {
	r := &reader{b: b}
	s := &sealed{kind: kind, scope: scope, expires: r.varint(), tenant: string(r.bytes())}
	copy(s.object[:], r.take(16))
	s.created = r.varint()
	n := r.uvarint()
	for range min(n, maxTags) {
		s.tags = append(s.tags, string(r.bytes()))
	}
	for len(r.b) > 0 {
		s.fields = append(s.fields, field{uint16(r.uvarint()), r.bytes()}) //nolint:gosec // written by pack
	}
	return s, !r.bad && n <= maxTags
}

// aad binds a ciphertext to its collection, mode and scope.
func (c *collection) aad(mode byte, scope string) []byte {
	return append(append(append([]byte(nil), c.key[:]...), mode), scope...)
}

// encipher turns values into the text that callers keep.
func (e *Engine) encipher(c *collection, s *sealed) (string, error) {
	plain := s.pack()
	switch s.kind {
	case Randomized:
		aad := c.aad(modeRandomized, s.scope)
		return base64.StdEncoding.EncodeToString(append([]byte{modeRandomized}, e.o.Keyring.Seal("objects/encrypt", aad, plain)...)), nil
	case Deterministic:
		b, err := e.sealSIV(c.aad(modeDeterministic, s.scope), plain)
		return base64.StdEncoding.EncodeToString(append([]byte{modeDeterministic}, b...)), err
	}
	return "", fault.New(fault.Invalid, "The type of encryption must be randomized or deterministic.").WithDetail("field", "type")
}

// decipher reads what encipher wrote. Whatever is wrong with a ciphertext, the
// caller reads the same sentence.
func (e *Engine) decipher(c *collection, in Ciphertext) (*sealed, error) {
	bad := fault.New(fault.Invalid, "The ciphertext was not made by this vault for this collection and scope.").WithReason("value_invalid").WithDetail("field", "ciphertext")
	if len(in.Text) > maxCiphertext {
		return nil, bad
	}
	b, err := base64.StdEncoding.Strict().DecodeString(in.Text)
	if err != nil || len(b) == 0 || strings.ContainsAny(in.Text, "\r\n") {
		return nil, bad
	}
	scope := orDefault(in.Scope)
	var plain []byte
	kind := Randomized
	switch b[0] {
	case modeRandomized:
		plain, err = e.o.Keyring.Open("objects/encrypt", c.aad(modeRandomized, scope), b[1:])
	case modeDeterministic:
		kind = Deterministic
		plain, err = e.openSIV(c.aad(modeDeterministic, scope), b[1:])
	default:
		return nil, bad
	}
	if err != nil {
		return nil, bad
	}
	s, ok := unpack(plain, kind, scope)
	if !ok {
		return nil, bad
	}
	return s, nil
}

// sivSize is the length of a synthetic IV.
const sivSize = 32

// sealSIV encrypts deterministically: a keyed hash of the plaintext and its
// context is the synthetic IV (as in RFC 5297), and from it comes a key that
// encrypts this one plaintext, so that the nonce may be constant.
func (e *Engine) sealSIV(aad, plain []byte) ([]byte, error) {
	siv := e.siv(aad, plain)
	g, err := e.sivCipher(siv)
	if err != nil {
		return nil, err
	}
	return g.Seal(siv, make([]byte, g.NonceSize()), plain, aad), nil //nolint:gosec // the key is used for this plaintext only
}

var errSIV = fault.New(fault.Invalid, "not a deterministic ciphertext")

func (e *Engine) openSIV(aad, b []byte) ([]byte, error) {
	if len(b) < sivSize {
		return nil, errSIV
	}
	g, err := e.sivCipher(b[:sivSize])
	if err != nil {
		return nil, err
	}
	plain, err := g.Open(nil, make([]byte, g.NonceSize()), b[sivSize:], aad)
	if err != nil || subtle.ConstantTimeCompare(e.siv(aad, plain), b[:sivSize]) != 1 {
		return nil, errSIV
	}
	return plain, nil
}

func (e *Engine) siv(aad, plain []byte) []byte {
	msg := appendBytes(make([]byte, 0, len(aad)+len(plain)+10), aad)
	return e.o.Keyring.HMAC("objects/siv", append(msg, plain...))
}

func (e *Engine) sivCipher(siv []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(e.o.Keyring.HMAC("objects/siv-key", siv))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

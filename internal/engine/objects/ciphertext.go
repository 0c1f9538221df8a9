package objects

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

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

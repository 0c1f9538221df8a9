package jwt

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Limits bounds what Parse takes. A zero field means that of BearerLimits.
type Limits struct {
	MaxBytes int // length of the whole token in bytes
	MaxDepth int // nesting of objects and arrays in header and payload
}

// BearerLimits is for tokens that come in a header of every request;
// LoginLimits for tokens that are exchanged once, in a body.
var (
	BearerLimits = Limits{MaxBytes: 16 << 10, MaxDepth: 32}
	LoginLimits  = Limits{MaxBytes: 64 << 10, MaxDepth: 32}
)

// Token is one well-formed signed JWT. Nothing in it is trusted: the claims
// become facts only through Verify. A Token is immutable.
type Token struct {
	text      []byte
	signedLen int // length of header and payload with the dot between them
	signature []byte
	header    header
	claims    Claims
}

// Parse reads a token in its only accepted spelling. It refuses with
// ErrTooLarge, ErrMalformed, ErrType or ErrClaims; see the package comment for
// the rules.
func Parse(raw string, l Limits) (*Token, error) {
	if l.MaxBytes <= 0 {
		l.MaxBytes = BearerLimits.MaxBytes
	}
	if l.MaxDepth <= 0 {
		l.MaxDepth = BearerLimits.MaxDepth
	}
	if len(raw) > l.MaxBytes {
		return nil, refuse(ErrTooLarge, "the token is longer than this endpoint takes")
	}
	t, payload, err := parseEnvelope(raw, l.MaxDepth)
	if err != nil {
		return nil, err
	}
	doc, ok := decodeSegment(payload)
	if !ok {
		return nil, refuse(ErrMalformed, misspelt(raw, "the token's payload is not canonical base64url"))
	}
	if err := t.claims.parse(doc, l.MaxDepth); err != nil {
		return nil, err
	}
	return t, nil
}

// parseEnvelope reads everything but the payload, which it returns as it
// stands.
func parseEnvelope(raw string, maxDepth int) (t *Token, payload string, err error) {
	h, payload, s, ok := split(raw)
	if !ok {
		return nil, "", refuse(ErrMalformed, misspelt(raw, "a token has three non-empty parts with a dot between them"))
	}
	t = &Token{text: []byte(raw), signedLen: len(h) + 1 + len(payload)}
	if t.signature, ok = decodeSegment(s); !ok {
		return nil, "", refuse(ErrMalformed, misspelt(raw, "the token's signature is not canonical base64url"))
	}
	doc, ok := decodeSegment(h)
	if !ok {
		return nil, "", refuse(ErrMalformed, misspelt(raw, "the token's header is not canonical base64url"))
	}
	if err := t.header.parse(doc, maxDepth); err != nil {
		return nil, "", err
	}
	return t, payload, nil
}

// misspelt says why a token cannot be read: in words for what people do to a
// token on its way, else what the parser found.
func misspelt(raw, found string) string {
	const bearer = "Bearer "
	switch {
	case len(raw) > len(bearer) && strings.EqualFold(raw[:len(bearer)], bearer):
		return "the token begins with the word Bearer: send what follows it alone"
	case strings.ContainsAny(raw, " \t\r\n"):
		return "there is white space in the token"
	case strings.HasPrefix(raw, "\ufeff"):
		return "the token begins with a byte order mark"
	}
	return found
}

// split cuts a compact serialization at its two dots. It looks at no more than
// three parts, so a megabyte of dots costs nothing.
func split(raw string) (header, payload, signature string, ok bool) {
	header, rest, ok1 := strings.Cut(raw, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	ok = ok1 && ok2 && header != "" && payload != "" && signature != "" && strings.IndexByte(signature, '.') < 0
	return header, payload, signature, ok
}

var strict64 = base64.RawURLEncoding.Strict()

// decodeSegment decodes s and reports whether it is the canonical spelling of
// the result. The library's decoder skips line breaks, hence the test for them.
func decodeSegment(s string) ([]byte, bool) {
	if strings.IndexByte(s, '\n') >= 0 || strings.IndexByte(s, '\r') >= 0 {
		return nil, false
	}
	b, err := strict64.DecodeString(s)
	return b, err == nil
}

// Algorithm returns the algorithm that the header announces. It is a claim of
// whoever made the token; Verify holds it against the key and the allow-list.
func (t *Token) Algorithm() Algorithm { return t.header.alg }

// KeyID returns the header's kid, and whether there is one.
func (t *Token) KeyID() (string, bool) { return t.header.kid, t.header.hasKID }

// Type returns the header's typ as written, or "".
func (t *Token) Type() string { return t.header.typ }

// Unverified returns the claims that nobody has vouched for yet. They are fit
// for choosing an issuer's configuration and for refusing early, never for
// admitting.
func (t *Token) Unverified() *Claims { return &t.claims }

// Hash returns the SHA-256 of the token's text. As a token has one accepted
// spelling, equal tokens have equal hashes.
func (t *Token) Hash() [32]byte { return sha256.Sum256(t.text) }

// Len returns the length of the token's text in bytes.
func (t *Token) Len() int { return len(t.text) }

// String keeps a token out of logs: it never shows any part of it.
func (t *Token) String() string { return "jwt.Token(hidden)" }

// GoString is String for the %#v verb.
func (t *Token) GoString() string { return t.String() }

func (t *Token) signed() []byte { return t.text[:t.signedLen] }

package jwt

import (
	"crypto"
	_ "crypto/sha256" // the hashes that the algorithms name
	_ "crypto/sha512"
	"slices"
)

// Algorithm is a JWS signature algorithm (RFC 7518 section 3, RFC 8037,
// RFC 9864). The zero value is none that verifies.
type Algorithm string

// The algorithms. There are no others.
const (
	RS256 Algorithm = "RS256"
	RS384 Algorithm = "RS384"
	RS512 Algorithm = "RS512"
	PS256 Algorithm = "PS256"
	PS384 Algorithm = "PS384"
	PS512 Algorithm = "PS512"
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	ES512 Algorithm = "ES512"
	EdDSA Algorithm = "EdDSA"
	// Ed25519 is EdDSA under its fully specified name. It verifies only under
	// a key whose JWK says so.
	Ed25519 Algorithm = "Ed25519"
	HS256   Algorithm = "HS256"
	HS384   Algorithm = "HS384"
	HS512   Algorithm = "HS512"
)

type family uint8

const (
	rsaPKCS1 family = iota
	rsaPSS
	ecdsaCurve
	edwards
	hmacSecret
)

type algorithmInfo struct {
	family family
	hash   crypto.Hash
	curve  string // the only curve that goes with an ECDSA algorithm
}

var algorithms = map[Algorithm]algorithmInfo{
	RS256:   {rsaPKCS1, crypto.SHA256, ""},
	RS384:   {rsaPKCS1, crypto.SHA384, ""},
	RS512:   {rsaPKCS1, crypto.SHA512, ""},
	PS256:   {rsaPSS, crypto.SHA256, ""},
	PS384:   {rsaPSS, crypto.SHA384, ""},
	PS512:   {rsaPSS, crypto.SHA512, ""},
	ES256:   {ecdsaCurve, crypto.SHA256, "P-256"},
	ES384:   {ecdsaCurve, crypto.SHA384, "P-384"},
	ES512:   {ecdsaCurve, crypto.SHA512, "P-521"},
	EdDSA:   {edwards, 0, ""},
	Ed25519: {edwards, 0, ""},
	HS256:   {hmacSecret, crypto.SHA256, ""},
	HS384:   {hmacSecret, crypto.SHA384, ""},
	HS512:   {hmacSecret, crypto.SHA512, ""},
}

// Known reports whether a is one of the algorithms above.
func (a Algorithm) Known() bool {
	_, ok := algorithms[a]
	return ok
}

// Symmetric reports whether a signs and verifies with the same secret.
func (a Algorithm) Symmetric() bool {
	info, ok := algorithms[a]
	return ok && info.family == hmacSecret
}

// Asymmetric returns every algorithm with a public key, in the order in which
// the reference lists them. The slice is the caller's.
func Asymmetric() []Algorithm {
	return []Algorithm{RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512, EdDSA, Ed25519}
}

// Allows reports whether the allow-list admits a. A nil list admits every
// asymmetric algorithm; a symmetric one must always be spelled out. An empty
// list that is not nil admits nothing. EdDSA admits its other name.
func Allows(list []Algorithm, a Algorithm) bool {
	info, ok := algorithms[a]
	if !ok {
		return false
	}
	if list == nil {
		return info.family != hmacSecret
	}
	return slices.Contains(list, a) || a == Ed25519 && slices.Contains(list, EdDSA)
}

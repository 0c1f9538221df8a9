package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
)

// KeyType is the kty of a key (RFC 7518 section 6.1, RFC 8037).
type KeyType string

// The key types.
const (
	KeyRSA KeyType = "RSA"
	KeyEC  KeyType = "EC"
	KeyOKP KeyType = "OKP"
	KeyOct KeyType = "oct"
)

// Bounds of an RSA key. Below the lower one a key can be broken; above the
// upper one every verification costs milliseconds, which a caller who has no
// valid token at all could make us pay.
const (
	minRSABits     = 2048
	maxRSABits     = 8192
	minRSAExponent = 65537
)

// Key is one key that verifies tokens. It is immutable and was checked when it
// was made, so a Key that exists is fit for use. It prints without its
// material.
type Key struct {
	id     string
	hasID  bool
	kty    KeyType
	algs   []Algorithm
	rsa    *rsa.PublicKey
	ec     *ecdsa.PublicKey
	ed     ed25519.PublicKey
	secret []byte
}

// NewKey returns the key for a public key of the standard library:
// *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey. id may be empty: the
// key then fits tokens with any kid. alg may be empty: the key then fits every
// algorithm of its type. It fails with ErrKey.
func NewKey(pub crypto.PublicKey, id string, alg Algorithm) (*Key, error) {
	k := &Key{id: id, hasID: id != ""}
	var err error
	switch p := pub.(type) {
	case *rsa.PublicKey:
		err = k.setRSA(p)
	case *ecdsa.PublicKey:
		err = k.setEC(p)
	case ed25519.PublicKey:
		err = k.setEd25519(p)
	default:
		err = refuse(ErrKey, "the key is neither RSA, ECDSA nor Ed25519")
	}
	if err == nil && alg != "" {
		err = k.pin(alg)
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

// ParsePEM reads exactly one PEM block that holds a public key: PKIX
// ("PUBLIC KEY") or an X.509 certificate, whose dates and chain mean nothing
// here. Text before the block, as some tools write it, is ignored. It fails
// with ErrKey, also on anything after the block.
func ParsePEM(data []byte) (*Key, error) {
	block, rest := pem.Decode(data)
	if block == nil {
		return nil, refuse(ErrKey, "the text does not contain a PEM block")
	}
	if len(trimSpace(string(rest))) != 0 {
		return nil, refuse(ErrKey, "unexpected data after the PEM block: give one key at a time")
	}
	if strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, refuse(ErrKey, "this is a private key: give its public key, and take the private one for exposed")
	}
	switch block.Type {
	case "PUBLIC KEY":
		pub, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, refuse(ErrKey, "the PEM block does not hold a valid public key")
		}
		return NewKey(pub, "", "")
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, refuse(ErrKey, "the PEM block does not hold a valid certificate")
		}
		return NewKey(cert.PublicKey, "", "")
	}
	return nil, refuse(ErrKey, `the PEM block must be of type "PUBLIC KEY" or "CERTIFICATE"`)
}

func (k *Key) setRSA(p *rsa.PublicKey) error {
	if p == nil || p.N == nil {
		return refuse(ErrKey, "the RSA key is empty")
	}
	switch bits := p.N.BitLen(); {
	case bits < minRSABits:
		return refuse(ErrKey, "the RSA key is shorter than 2048 bits")
	case bits > maxRSABits:
		return refuse(ErrKey, "the RSA key is longer than 8192 bits")
	case p.E < minRSAExponent || p.E&1 == 0 || p.E > 1<<31-1:
		return refuse(ErrKey, "the RSA key's exponent must be odd, at least 65537 and below 2^31")
	case p.N.Bit(0) == 0:
		return refuse(ErrKey, "the RSA key's modulus is even")
	case hasROCA(p.N):
		return refuse(ErrKey, "the RSA key has the ROCA weakness (CVE-2017-15361) and can be factored")
	}
	k.kty, k.rsa = KeyRSA, p
	k.algs = []Algorithm{RS256, RS384, RS512, PS256, PS384, PS512}
	return nil
}

func (k *Key) setEC(p *ecdsa.PublicKey) error {
	if p == nil || p.Curve == nil || p.X == nil || p.Y == nil { //nolint:staticcheck // Bytes panics without coordinates
		return refuse(ErrKey, "the EC key is empty")
	}
	// Bytes fails for a point off the curve and for the point at infinity.
	if _, err := p.Bytes(); err != nil {
		return refuse(ErrKey, "the EC key is not a point on its curve")
	}
	k.kty, k.ec = KeyEC, p
	for alg, info := range algorithms {
		if info.family == ecdsaCurve && info.curve == p.Curve.Params().Name {
			k.algs = []Algorithm{alg}
			return nil
		}
	}
	return refuse(ErrKey, "the EC key's curve must be P-256, P-384 or P-521")
}

func (k *Key) setEd25519(p ed25519.PublicKey) error {
	if !soundEdwardsPoint(p) {
		return refuse(ErrKey, "the Ed25519 key is not a point of large order on its curve")
	}
	k.kty, k.ed = KeyOKP, p
	k.algs = []Algorithm{EdDSA}
	return nil
}

// setSecret takes a symmetric key; RFC 7518 section 3.2 wants it at least as
// long as the hash.
func (k *Key) setSecret(secret []byte, alg Algorithm) error {
	info := algorithms[alg]
	if info.family != hmacSecret {
		return refuse(ErrKey, "a symmetric key must name its algorithm: HS256, HS384 or HS512")
	}
	if len(secret) < info.hash.Size() || len(secret) > 1<<10 {
		return refuse(ErrKey, "a symmetric key must be at least as long as the hash of its algorithm and at most 1024 bytes")
	}
	k.kty, k.secret = KeyOct, secret
	k.algs = []Algorithm{alg}
	return nil
}

// pin restricts the key to the algorithm that its JWK names.
func (k *Key) pin(alg Algorithm) error {
	if !slices.Contains(k.algs, alg) && (alg != Ed25519 || k.kty != KeyOKP) {
		return refuse(ErrKey, "the key names an algorithm that does not go with its type")
	}
	k.algs = []Algorithm{alg}
	return nil
}

// ID returns the key's kid, or "" when it has none and fits any.
func (k *Key) ID() string { return k.id }

// HasID reports whether the key has a kid.
func (k *Key) HasID() bool { return k.hasID }

// Type returns the key's kty.
func (k *Key) Type() KeyType { return k.kty }

// Algorithms returns what the key may verify. The slice is the caller's.
func (k *Key) Algorithms() []Algorithm { return slices.Clone(k.algs) }

// Symmetric reports whether the key is a shared secret.
func (k *Key) Symmetric() bool { return k.kty == KeyOct }

// String names the key without its material.
func (k *Key) String() string { return "jwt.Key(" + string(k.kty) + ")" }

// GoString is String for the %#v verb.
func (k *Key) GoString() string { return k.String() }

// Thumbprint returns the JWK SHA-256 thumbprint (RFC 7638) in base64url.
// A symmetric key has none: the thumbprint of a secret can be guessed at.
func (k *Key) Thumbprint() string {
	if k.Symmetric() {
		return ""
	}
	members, order := k.material()
	text := []byte{'{'}
	for i, name := range order {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, '"')
		text = append(text, name...)
		text = append(text, `":"`...)
		text = append(text, members[name]...)
		text = append(text, '"')
	}
	sum := sha256.Sum256(append(text, '}'))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// JWK returns the public key as a JSON Web Key with kid, use and, when the key
// is bound to one algorithm, alg. It returns nil for a symmetric key.
func (k *Key) JWK() []byte {
	if k.Symmetric() {
		return nil
	}
	members, _ := k.material()
	members["use"] = "sig"
	if k.hasID {
		members["kid"] = k.id
	}
	if len(k.algs) == 1 {
		members["alg"] = string(k.algs[0])
	}
	doc, _ := json.Marshal(members) // a map of strings cannot fail
	return doc
}

// material returns the members that make the public key what it is, and their
// names in the order of RFC 7638.
func (k *Key) material() (members map[string]string, order []string) {
	b64 := base64.RawURLEncoding.EncodeToString
	switch k.kty {
	case KeyRSA:
		return map[string]string{"e": b64(big.NewInt(int64(k.rsa.E)).Bytes()), "kty": "RSA", "n": b64(k.rsa.N.Bytes())},
			[]string{"e", "kty", "n"}
	case KeyEC:
		point, _ := k.ec.Bytes() // checked when the key was made
		half := len(point) / 2   // 0x04, x, y
		return map[string]string{"crv": k.ec.Params().Name, "kty": "EC", "x": b64(point[1 : 1+half]), "y": b64(point[1+half:])},
			[]string{"crv", "kty", "x", "y"}
	}
	return map[string]string{"crv": "Ed25519", "kty": "OKP", "x": b64(k.ed)}, []string{"crv", "kty", "x"}
}

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"math"
	"math/big"
	"slices"
)

// maxJWKDepth bounds the nesting of a key document; keys are flat.
const maxJWKDepth = 16

// ParseJWK reads one public JSON Web Key (RFC 7517). It refuses with ErrKey:
// private and symmetric keys (whatever is published is not secret any more),
// keys whose use, key_ops or alg say that they do not verify signatures, and
// keys that are too weak. Members that it does not know are ignored.
func ParseJWK(doc []byte) (*Key, error) { return parseJWK(doc, false) }

// ParseInlineJWK is ParseJWK for a key that the operator wrote into the
// configuration itself: there a symmetric key ("oct") with an alg of HS256,
// HS384 or HS512 is admitted too.
func ParseInlineJWK(doc []byte) (*Key, error) { return parseJWK(doc, true) }

func parseJWK(doc []byte, symmetric bool) (*Key, error) {
	obj, err := parseObject(doc, maxJWKDepth, "key")
	if err != nil {
		return nil, refuse(ErrKey, "the key is not one unambiguous JSON object")
	}
	m := jwk(obj.members)
	alg, err := m.purpose()
	if err != nil {
		return nil, err
	}
	kty, _, err := m.text("kty")
	if err != nil {
		return nil, err
	}
	k := &Key{kty: KeyType(kty)}
	if k.id, k.hasID, err = m.text("kid"); err != nil {
		return nil, err
	}
	if err := m.material(k, alg, symmetric); err != nil {
		return nil, err
	}
	if alg != "" {
		if err := k.pin(alg); err != nil {
			return nil, err
		}
	}
	return k, nil
}

type jwk []member

func (m jwk) get(name string) Value {
	return (&Claims{members: m}).Get(name)
}

// text returns a member that must be a string when it is there.
func (m jwk) text(name string) (s string, present bool, err error) {
	v := m.get(name)
	s, ok := v.Text()
	if !ok && v.Kind() != KindAbsent {
		return "", false, refuse(ErrKey, "the key's "+name+" is not a string")
	}
	return s, ok, nil
}

// purpose checks that the key is meant for verifying signatures and returns
// its alg, or "".
func (m jwk) purpose() (Algorithm, error) {
	if use, present, err := m.text("use"); err != nil || present && use != "sig" {
		return "", refuse(ErrKey, "the key's use is not sig")
	}
	if ops := m.get("key_ops"); ops.Kind() != KindAbsent {
		list, ok := ops.List()
		if !ok || !slices.ContainsFunc(list, func(v Value) bool { s, _ := v.Text(); return s == "verify" }) {
			return "", refuse(ErrKey, "the key's key_ops do not include verify")
		}
	}
	alg, present, err := m.text("alg")
	if err != nil {
		return "", err
	}
	if present && !Algorithm(alg).Known() {
		return "", refuse(ErrKey, "the key's alg is not a signature algorithm that is supported")
	}
	return Algorithm(alg), nil
}

// privateMembers are what makes a JWK of the type a private one.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

func (m jwk) material(k *Key, alg Algorithm, symmetric bool) error {
	if k.kty != KeyOct {
		for _, name := range privateMembers {
			if m.get(name).Kind() != KindAbsent {
				return refuse(ErrKey, "the key holds private material: publish the public key only, and take this one for exposed")
			}
		}
	}
	switch k.kty {
	case KeyRSA:
		return m.rsa(k)
	case KeyEC:
		return m.ec(k)
	case KeyOKP:
		return m.okp(k)
	case KeyOct:
		if !symmetric {
			return refuse(ErrKey, "a symmetric key is not taken from a published key set")
		}
		secret, err := m.bytes("k")
		if err != nil {
			return err
		}
		return k.setSecret(secret, alg)
	}
	return refuse(ErrKey, "the key's kty is not one that is supported")
}

// bytes returns a member in canonical base64url.
func (m jwk) bytes(name string) ([]byte, error) {
	s, present, err := m.text(name)
	if err != nil {
		return nil, err
	}
	b, ok := decodeSegment(s)
	if !present || !ok {
		return nil, refuse(ErrKey, "the key's "+name+" is missing or is not canonical base64url")
	}
	return b, nil
}

func (m jwk) rsa(k *Key) error {
	n, err := m.bytes("n")
	if err != nil {
		return err
	}
	e, err := m.bytes("e")
	if err != nil {
		return err
	}
	exp := new(big.Int).SetBytes(e)
	if exp.BitLen() > 31 {
		exp.SetInt64(math.MaxInt32 - 1) // even: setRSA refuses it
	}
	return k.setRSA(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exp.Int64())})
}

func (m jwk) ec(k *Key) error {
	crv, _, err := m.text("crv")
	if err != nil {
		return err
	}
	curve, ok := curves[crv]
	if !ok {
		return refuse(ErrKey, "the EC key's curve must be P-256, P-384 or P-521")
	}
	x, err := m.bytes("x")
	if err != nil {
		return err
	}
	y, err := m.bytes("y")
	if err != nil {
		return err
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return refuse(ErrKey, "the EC key's coordinates do not have the length of its curve")
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return refuse(ErrKey, "the EC key is not a point on its curve")
	}
	return k.setEC(pub)
}

func (m jwk) okp(k *Key) error {
	if crv, _, err := m.text("crv"); err != nil || crv != "Ed25519" {
		return refuse(ErrKey, "the OKP key's curve must be Ed25519")
	}
	x, err := m.bytes("x")
	if err != nil {
		return err
	}
	return k.setEd25519(ed25519.PublicKey(x))
}

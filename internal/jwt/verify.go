package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"math/big"
	"slices"
)

// maxTries bounds how many keys one token may be tried under, so that a token
// without a kid cannot make us pay for a whole key set.
const maxTries = 16

// Verified is a token whose signature was found good under one of its issuer's
// keys. Only Verify makes one. What the claims are worth is for the caller to
// judge: times, issuer and audience are not looked at here.
type Verified struct {
	token *Token
	key   *Key
}

// Verify checks the signature under the issuer's keys and returns the token as
// a fact. A key fits when its kid equals the token's (a key or a token without
// a kid fits any), when it verifies the announced algorithm, and when allowed
// admits that algorithm. A nil allow-list admits every asymmetric algorithm; a
// symmetric one must be spelled out.
//
// It fails with ErrAlgorithm, ErrUnknownKey or ErrSignature.
func (t *Token) Verify(keys []*Key, allowed []Algorithm) (*Verified, error) {
	if t == nil {
		return nil, ErrMalformed
	}
	alg := t.header.alg
	if !Allows(allowed, alg) {
		return nil, ErrAlgorithm
	}
	tries := 0
	for _, k := range keys {
		if !k.fits(&t.header) {
			continue
		}
		if tries++; tries > maxTries {
			return nil, refuse(ErrUnknownKey, "the token names no key, and too many of the issuer's keys fit it")
		}
		if k.verify(alg, t.signed(), t.signature) {
			return &Verified{token: t, key: k}, nil
		}
	}
	if tries > 0 {
		return nil, ErrSignature
	}
	return nil, t.whyUnknown(keys)
}

// whyUnknown tells a key that the token may not be used with from no key.
func (t *Token) whyUnknown(keys []*Key) error {
	for _, k := range keys {
		if t.header.hasKID && k != nil && k.hasID && k.id == t.header.kid {
			return refuse(ErrAlgorithm, "the issuer's key does not go with the token's algorithm")
		}
	}
	return ErrUnknownKey
}

// fits reports whether the key may be tried for a token with this header.
func (k *Key) fits(h *header) bool {
	return k != nil && (!k.hasID || !h.hasKID || k.id == h.kid) && slices.Contains(k.algs, h.alg)
}

func (k *Key) verify(alg Algorithm, signed, sig []byte) bool {
	info := algorithms[alg]
	switch info.family {
	case rsaPKCS1:
		return rsa.VerifyPKCS1v15(k.rsa, info.hash, info.digest(signed), sig) == nil
	case rsaPSS:
		opts := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		return rsa.VerifyPSS(k.rsa, info.hash, info.digest(signed), sig, opts) == nil
	case ecdsaCurve:
		half := (k.ec.Params().BitSize + 7) / 8
		if len(sig) != 2*half {
			return false
		}
		r, s := new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])
		return ecdsa.Verify(k.ec, info.digest(signed), r, s)
	case edwards:
		return ed25519.Verify(k.ed, signed, sig)
	}
	mac := hmac.New(info.hash.New, k.secret)
	mac.Write(signed)
	return subtle.ConstantTimeCompare(mac.Sum(nil), sig) == 1
}

func (a algorithmInfo) digest(data []byte) []byte {
	switch a.hash.Size() {
	case sha256.Size:
		sum := sha256.Sum256(data)
		return sum[:]
	case sha512.Size384:
		sum := sha512.Sum384(data)
		return sum[:]
	}
	sum := sha512.Sum512(data)
	return sum[:]
}

// Claims returns the claims, which the issuer has signed. A nil or zero
// Verified, which Verify never returns, has none.
func (v *Verified) Claims() *Claims {
	if v == nil || v.token == nil {
		return &Claims{}
	}
	return &v.token.claims
}

// Key returns the key under which the token verified.
func (v *Verified) Key() *Key { return v.key }

// Token returns the token.
func (v *Verified) Token() *Token { return v.token }

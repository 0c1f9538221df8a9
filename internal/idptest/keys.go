package idptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jotgate/jotgate/internal/jwt"
)

// Key is a private key with its kid and algorithm.
type Key struct {
	ID        string
	Algorithm jwt.Algorithm
	private   crypto.Signer
	secret    []byte
}

// pool keeps generated keys for the whole test process: making an RSA key
// takes a tenth of a second.
var pool = struct {
	sync.Mutex
	free map[jwt.Algorithm][]Key
}{free: map[jwt.Algorithm][]Key{}}

// NewKey makes a key for the algorithm and gives it the kid. Its material is
// used by no other key of the same test.
func NewKey(t testing.TB, kid string, alg jwt.Algorithm) *Key {
	t.Helper()
	pool.Lock()
	defer pool.Unlock()
	var k Key
	if free := pool.free[alg]; len(free) > 0 {
		k = free[len(free)-1]
		pool.free[alg] = free[:len(free)-1]
	} else {
		k = generate(t, alg)
	}
	t.Cleanup(func() {
		pool.Lock()
		defer pool.Unlock()
		pool.free[alg] = append(pool.free[alg], k)
	})
	k.ID = kid
	return &k
}

func generate(t testing.TB, alg jwt.Algorithm) Key {
	t.Helper()
	k := Key{Algorithm: alg}
	var err error
	switch alg {
	case jwt.ES256:
		k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jwt.ES384:
		k.private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case jwt.ES512:
		k.private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case jwt.EdDSA, jwt.Ed25519:
		_, k.private, err = ed25519.GenerateKey(rand.Reader)
	case jwt.HS256, jwt.HS384, jwt.HS512:
		k.secret = make([]byte, 64)
		_, err = rand.Read(k.secret)
	default:
		k.private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatalf("idptest: generating a key for %s: %v", alg, err)
	}
	return k
}

// Public returns the key as the verifier sees it.
func (k *Key) Public(t testing.TB) *jwt.Key {
	t.Helper()
	parse := jwt.ParseJWK
	if k.secret != nil {
		parse = jwt.ParseInlineJWK
	}
	pub, err := parse(k.JWK(t))
	if err != nil {
		t.Fatalf("idptest: %v", err)
	}
	return pub
}

// JWK returns the public JWK, or the secret one of a symmetric key.
func (k *Key) JWK(t testing.TB) []byte {
	t.Helper()
	if k.secret != nil {
		doc, _ := json.Marshal(map[string]string{
			"kty": "oct", "k": base64.RawURLEncoding.EncodeToString(k.secret), "alg": string(k.Algorithm), "kid": k.ID, "use": "sig",
		})
		return doc
	}
	pub, err := jwt.NewKey(k.private.Public(), k.ID, k.Algorithm)
	if err != nil {
		t.Fatalf("idptest: %v", err)
	}
	return pub.JWK()
}

// PEM returns the public key in a PKIX block.
func (k *Key) PEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		t.Fatalf("idptest: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// PrivatePEM returns the private key in a PKCS #8 block.
func (k *Key) PrivatePEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		t.Fatalf("idptest: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Header returns the usual header for the key.
func (k *Key) Header() map[string]any {
	h := map[string]any{"alg": string(k.Algorithm), "typ": "JWT"}
	if k.ID != "" {
		h["kid"] = k.ID
	}
	return h
}

// Token signs claims under the usual header.
func (k *Key) Token(t testing.TB, claims map[string]any) string {
	t.Helper()
	return k.TokenWith(t, k.Header(), claims)
}

// TokenWith signs claims under a header of the caller's. The signature is made
// by the key's own algorithm, whatever the header says.
func (k *Key) TokenWith(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	if claims == nil {
		claims = map[string]any{}
	}
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatalf("idptest: %v", err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatalf("idptest: %v", err)
	}
	return k.Sign(t, string(h), string(c))
}

// Sign signs any header and payload text.
func (k *Key) Sign(t testing.TB, header, payload string) string {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64([]byte(header)) + "." + b64([]byte(payload))
	sig, err := k.signature([]byte(signed))
	if err != nil {
		t.Fatalf("idptest: signing: %v", err)
	}
	return signed + "." + b64(sig)
}

func (k *Key) signature(data []byte) ([]byte, error) {
	hash, ok := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[string(k.Algorithm[2:])]
	if !ok { // EdDSA, Ed25519
		return k.private.Sign(rand.Reader, data, crypto.Hash(0))
	}
	if k.secret != nil {
		mac := hmac.New(hash.New, k.secret)
		mac.Write(data)
		return mac.Sum(nil), nil
	}
	h := hash.New()
	h.Write(data)
	digest := h.Sum(nil)
	switch p := k.private.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, p, digest)
		if err != nil {
			return nil, err
		}
		size := (p.Params().BitSize + 7) / 8
		out := make([]byte, 2*size)
		r.FillBytes(out[:size])
		s.FillBytes(out[size:])
		return out, nil
	case *rsa.PrivateKey:
		if strings.HasPrefix(string(k.Algorithm), "PS") {
			return rsa.SignPSS(rand.Reader, p, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(nil, p, hash, digest)
	}
	return nil, fmt.Errorf("no signer for %s", k.Algorithm)
}

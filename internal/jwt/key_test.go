package jwt_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// members returns a key's JWK with changes; a nil value removes a member.
func members(t *testing.T, key *idptest.Key, with map[string]any) []byte {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(key.JWK(t), &m); err != nil {
		t.Fatal(err)
	}
	for k, v := range with {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	doc, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestKeysThatCannotVerifyAreRefused(t *testing.T) {
	rsaKey := idptest.NewKey(t, "r", jwt.RS256)
	ecKey := idptest.NewKey(t, "e", jwt.ES256)
	edKey := idptest.NewKey(t, "d", jwt.EdDSA)
	type with = map[string]any
	n := func(bits int) string {
		b := make([]byte, bits/8)
		b[0], b[len(b)-1] = 0x80, 1
		return b64(b)
	}
	for name, doc := range map[string][]byte{
		"use enc":                 members(t, rsaKey, with{"use": "enc"}),
		"use in capitals":         members(t, rsaKey, with{"use": "SIG"}),
		"use not a string":        members(t, rsaKey, with{"use": 1}),
		"key_ops empty":           members(t, rsaKey, with{"key_ops": []string{}}),
		"key_ops encrypt":         members(t, rsaKey, with{"key_ops": []string{"encrypt"}}),
		"key_ops not a list":      members(t, rsaKey, with{"key_ops": "verify"}),
		"alg none":                members(t, rsaKey, with{"alg": "none"}),
		"alg not a string":        members(t, rsaKey, with{"alg": 1}),
		"alg of another type":     members(t, rsaKey, with{"alg": "ES256"}),
		"alg HS256":               members(t, rsaKey, with{"alg": "HS256"}),
		"kid number":              members(t, rsaKey, with{"kid": 7}),
		"kty missing":             members(t, rsaKey, with{"kty": nil}),
		"kty number":              members(t, rsaKey, with{"kty": 1}),
		"kty unknown":             members(t, rsaKey, with{"kty": "AKP"}),
		"kty in lower case":       members(t, rsaKey, with{"kty": "rsa"}),
		"private RSA":             members(t, rsaKey, with{"d": "AQAB"}),
		"private EC":              members(t, ecKey, with{"d": "AQAB"}),
		"RSA 1024":                members(t, rsaKey, with{"n": n(1024)}),
		"RSA 2040":                members(t, rsaKey, with{"n": n(2040)}),
		"RSA 8200":                members(t, rsaKey, with{"n": n(8200)}),
		"RSA even":                members(t, rsaKey, with{"n": b64(append([]byte{0x80}, make([]byte, 255)...))}),
		"RSA e 1":                 members(t, rsaKey, with{"e": "AQ"}),
		"RSA e 3":                 members(t, rsaKey, with{"e": "Aw"}),
		"RSA e even":              members(t, rsaKey, with{"e": b64([]byte{1, 0, 2})}),
		"RSA e huge":              members(t, rsaKey, with{"e": n(2048)}),
		"RSA e missing":           members(t, rsaKey, with{"e": nil}),
		"RSA n missing":           members(t, rsaKey, with{"n": nil}),
		"RSA n padded":            members(t, rsaKey, with{"n": n(2048) + "=="}),
		"RSA n not a string":      members(t, rsaKey, with{"n": 1}),
		"EC off its curve":        members(t, ecKey, with{"x": b64(make([]byte, 32))}),
		"EC short coordinate":     members(t, ecKey, with{"x": b64(make([]byte, 31))}),
		"EC x missing":            members(t, ecKey, with{"x": nil}),
		"EC y missing":            members(t, ecKey, with{"y": nil}),
		"EC curve in lower case":  members(t, ecKey, with{"crv": "p-256"}),
		"EC curve number":         members(t, ecKey, with{"crv": 256}),
		"EC with another's curve": members(t, ecKey, with{"crv": "P-384"}),
		"OKP X25519":              members(t, edKey, with{"crv": "X25519"}),
		"OKP small order":         members(t, edKey, with{"x": b64(make([]byte, 32))}),
		"OKP x missing":           members(t, edKey, with{"x": nil}),
		"OKP short":               members(t, edKey, with{"x": "AQ"}),
		"symmetric":               idptest.NewKey(t, "s", jwt.HS256).JWK(t),
		"not an object":           []byte(`[]`),
		"not JSON":                []byte(`{`),
		"a member twice":          []byte(`{"kty":"RSA","kty":"RSA"}`),
	} {
		k, err := jwt.ParseJWK(doc)
		if k != nil || !errors.Is(err, jwt.ErrKey) || !fault.Is(err, fault.Invalid) || fault.ReasonOf(err) != "unusable_key" {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
}

// TestCoordinatesAreNotRunTogether: two members of wrong lengths that make up
// the right point between them are two spellings of one key.
func TestCoordinatesAreNotRunTogether(t *testing.T) {
	key := idptest.NewKey(t, "e", jwt.ES256)
	var m struct{ X, Y string }
	if err := json.Unmarshal(key.JWK(t), &m); err != nil {
		t.Fatal(err)
	}
	x, err := base64.RawURLEncoding.DecodeString(m.X)
	if err != nil {
		t.Fatal(err)
	}
	y, err := base64.RawURLEncoding.DecodeString(m.Y)
	if err != nil {
		t.Fatal(err)
	}
	shifted := members(t, key, map[string]any{"x": b64(x[:31]), "y": b64(append(x[31:], y...))})
	if _, err := jwt.ParseJWK(shifted); !errors.Is(err, jwt.ErrKey) {
		t.Errorf("got %v", err)
	}
}

func TestSymmetricKeysAreTakenInlineOnlyAndWithTheirAlgorithm(t *testing.T) {
	key := idptest.NewKey(t, "s", jwt.HS256)
	k, err := jwt.ParseInlineJWK(key.JWK(t))
	if err != nil || !k.Symmetric() || k.Type() != jwt.KeyOct || !slices.Equal(k.Algorithms(), []jwt.Algorithm{jwt.HS256}) {
		t.Fatalf("%v, %v", k, err)
	}
	if k.JWK() != nil || k.Thumbprint() != "" {
		t.Error("a secret, or what it can be guessed from, is handed out")
	}
	type with = map[string]any
	for name, change := range map[string]with{
		"no alg": {"alg": nil}, "RS256": {"alg": "RS256"}, "31 bytes": {"k": b64(make([]byte, 31))},
		"1025 bytes": {"k": b64(make([]byte, 1025))}, "empty": {"k": ""}, "no k": {"k": nil}, "k number": {"k": 1},
		"HS512 with 63 bytes": {"alg": "HS512", "k": b64(make([]byte, 63))},
	} {
		if _, err := jwt.ParseInlineJWK(members(t, key, change)); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysRestrictTheirAlgorithms(t *testing.T) {
	for alg, want := range map[jwt.Algorithm]string{
		jwt.RS256: "RS256 RS384 RS512 PS256 PS384 PS512", jwt.ES256: "ES256", jwt.ES384: "ES384", jwt.ES512: "ES512", jwt.EdDSA: "EdDSA",
	} {
		key := idptest.NewKey(t, "k", alg)
		free, err := jwt.ParseJWK(members(t, key, map[string]any{"alg": nil, "use": nil, "key_ops": []string{"sign", "verify"}}))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, a := range free.Algorithms() {
			names = append(names, string(a))
		}
		if strings.Join(names, " ") != want {
			t.Errorf("%s: %v", alg, names)
		}
		pinned := key.Public(t)
		if !slices.Equal(pinned.Algorithms(), []jwt.Algorithm{alg}) || pinned.ID() != "k" || !pinned.HasID() {
			t.Errorf("%s: pinned to %v", alg, pinned.Algorithms())
		}
	}
}

// TestJWKAndThumbprintAgreeWithAnotherImplementation also reads our JWKs back.
func TestJWKAndThumbprintAgreeWithAnotherImplementation(t *testing.T) {
	for _, alg := range []jwt.Algorithm{jwt.RS256, jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA} {
		key := idptest.NewKey(t, "k", alg).Public(t)
		var theirs jose.JSONWebKey
		if err := theirs.UnmarshalJSON(key.JWK()); err != nil {
			t.Fatal(err)
		}
		sum, err := theirs.Thumbprint(5) // crypto.SHA256
		if err != nil || b64(sum) != key.Thumbprint() || theirs.KeyID != "k" || theirs.Use != "sig" || theirs.Algorithm != string(alg) {
			t.Errorf("%s: %v %+v", alg, err, theirs)
		}
		again, err := jwt.ParseJWK(key.JWK())
		if err != nil || again.Thumbprint() != key.Thumbprint() || again.Type() != key.Type() {
			t.Errorf("%s: %v", alg, err)
		}
	}
	free, err := jwt.ParsePEM(idptest.NewKey(t, "", jwt.RS256).PEM(t))
	if err != nil || strings.Contains(string(free.JWK()), "alg") || strings.Contains(string(free.JWK()), "kid") {
		t.Errorf("a key that is bound to nothing says otherwise: %s, %v", free.JWK(), err)
	}
}

func certificate(t *testing.T) []byte {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "expired"}, NotAfter: time.Unix(0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestPEMHoldsExactlyOnePublicKey(t *testing.T) {
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	key := idptest.NewKey(t, "", jwt.RS256)
	good := string(key.PEM(t))
	for name, text := range map[string]string{
		"public key": good, "text before": "# the issuer's key\n" + good, "white space around": "\n" + good + "\n \n", "certificate": block("CERTIFICATE", certificate(t)),
		"Ed25519": string(idptest.NewKey(t, "", jwt.EdDSA).PEM(t)),
	} {
		if k, err := jwt.ParsePEM([]byte(text)); err != nil || k.HasID() {
			t.Errorf("%s: %v", name, err)
		}
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weakCurve, err := x509.MarshalPKIXPublicKey(p224.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing": "", "text": "hello", "two keys": good + good, "text behind": good + "x",
		"private": string(key.PrivatePEM(t)), "PKCS #1": block("RSA PUBLIC KEY", []byte{1}), "broken": block("PUBLIC KEY", []byte{1}),
		"broken certificate": block("CERTIFICATE", []byte{1}), "P-224": block("PUBLIC KEY", weakCurve),
	} {
		if k, err := jwt.ParsePEM([]byte(text)); k != nil || !errors.Is(err, jwt.ErrKey) {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	for _, kind := range []string{"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY", "DSA PRIVATE KEY"} {
		if _, err := jwt.ParsePEM([]byte(block(kind, []byte{1}))); !strings.Contains(fault.PublicText(err), "this is a private key") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestNewKeyRefusesWhatIsNoSoundPublicKey(t *testing.T) {
	off := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)} //nolint:staticcheck // no other way to make a bad point
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, pub := range map[string]any{
		"nil": nil, "text": "x", "off the curve": off, "empty EC": &ecdsa.PublicKey{}, "EC without a point": &ecdsa.PublicKey{Curve: elliptic.P256()}, "empty RSA": &rsa.PublicKey{}, "RSA 1024": small.Public(),
		"zero Ed25519": ed25519.PublicKey(make([]byte, 32)), "nil Ed25519": ed25519.PublicKey(nil), "nil RSA": (*rsa.PublicKey)(nil),
	} {
		if k, err := jwt.NewKey(pub, "k", ""); k != nil || !errors.Is(err, jwt.ErrKey) {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	pub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jwt.NewKey(pub, "", jwt.RS256); !errors.Is(err, jwt.ErrKey) {
		t.Errorf("a key is bound to an algorithm of another type: %v", err)
	}
}

func FuzzJWK(f *testing.F) {
	for _, s := range []string{
		`{"kty":"RSA","n":"AQAB","e":"AQAB"}`, `{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`, `{"kty":"OKP","crv":"Ed25519","x":"AA"}`,
		`{"kty":"oct","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","alg":"HS256"}`, `{"kty":"OKP","crv":"Ed25519","x":"BuzxJ4QkFViMq6RmyrIgpSmUPfPNeS1V7FWD_02lRyk","alg":"EdDSA"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		k, err := jwt.ParseInlineJWK(doc)
		if (k == nil) == (err == nil) {
			t.Fatal("neither a key nor an error")
		}
		if err != nil {
			return
		}
		if len(k.Algorithms()) == 0 {
			t.Fatal("a key that verifies nothing")
		}
		if !k.Symmetric() {
			if again, err := jwt.ParseJWK(k.JWK()); err != nil || again.Thumbprint() != k.Thumbprint() {
				t.Fatalf("the key does not survive: %v", err)
			}
		}
	})
}

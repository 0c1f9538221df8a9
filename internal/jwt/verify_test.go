package jwt_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
)

var allAlgorithms = []jwt.Algorithm{
	jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256, jwt.PS384, jwt.PS512, jwt.ES256, jwt.ES384, jwt.ES512,
	jwt.EdDSA, jwt.Ed25519, jwt.HS256, jwt.HS384, jwt.HS512,
}

func mustParse(t testing.TB, raw string) *jwt.Token {
	t.Helper()
	token, err := jwt.Parse(raw, jwt.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestEveryAlgorithmVerifiesItsOwnKeyAndNoOther(t *testing.T) {
	keys := map[jwt.Algorithm]*idptest.Key{}
	for _, a := range allAlgorithms {
		keys[a] = idptest.NewKey(t, "k", a)
	}
	for _, signer := range allAlgorithms {
		token := mustParse(t, keys[signer].Token(t, map[string]any{"sub": "s"}))
		for _, a := range allAlgorithms {
			v, err := token.Verify([]*jwt.Key{keys[a].Public(t)}, allAlgorithms)
			if a != signer {
				if v != nil || !errors.Is(err, jwt.ErrAlgorithm) {
					t.Errorf("%s verifies under a key for %s: %v", signer, a, err)
				}
				continue
			}
			if err != nil || v.Token() != token || v.Key().ID() != "k" {
				t.Errorf("%s: %v", signer, err)
				continue
			}
			if sub, _ := v.Claims().Subject(); sub != "s" {
				t.Errorf("%s: claims are lost", signer)
			}
		}
	}
}

func TestTheAllowListDecides(t *testing.T) {
	public, secret := idptest.NewKey(t, "k", jwt.ES256), idptest.NewKey(t, "k", jwt.HS256)
	ed := idptest.NewKey(t, "k", jwt.Ed25519)
	for name, c := range map[string]struct {
		key     *idptest.Key
		allowed []jwt.Algorithm
		want    error
	}{
		"nil takes every public key":       {public, nil, nil},
		"nil takes no secret":              {secret, nil, jwt.ErrAlgorithm},
		"a secret must be spelled out":     {secret, []jwt.Algorithm{jwt.HS256}, nil},
		"not listed":                       {public, []jwt.Algorithm{jwt.RS256}, jwt.ErrAlgorithm},
		"an empty list takes nothing":      {public, []jwt.Algorithm{}, jwt.ErrAlgorithm},
		"EdDSA admits its other name":      {ed, []jwt.Algorithm{jwt.EdDSA}, nil},
		"the other name does not admit it": {idptest.NewKey(t, "k", jwt.EdDSA), []jwt.Algorithm{jwt.Ed25519}, jwt.ErrAlgorithm},
	} {
		_, err := mustParse(t, c.key.Token(t, nil)).Verify([]*jwt.Key{c.key.Public(t)}, c.allowed)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	for _, a := range jwt.Asymmetric() {
		if a.Symmetric() || !a.Known() || !jwt.Allows(nil, a) {
			t.Errorf("%s", a)
		}
	}
	if !jwt.HS512.Symmetric() || jwt.Algorithm("none").Known() || jwt.Algorithm("none").Symmetric() || jwt.Allows([]jwt.Algorithm{"none"}, "none") {
		t.Error("none is an algorithm")
	}
}

func TestKidChoosesTheKey(t *testing.T) {
	a, b := idptest.NewKey(t, "a", jwt.ES256), idptest.NewKey(t, "b", jwt.ES256)
	anonymous := idptest.NewKey(t, "", jwt.ES256)
	set := []*jwt.Key{nil, {}, b.Public(t), a.Public(t)}
	noKID := map[string]any{"alg": "ES256"}
	for name, c := range map[string]struct {
		raw  string
		keys []*jwt.Key
		want error
	}{
		"named":                        {a.Token(t, nil), set, nil},
		"not named: every key":         {a.TokenWith(t, noKID, nil), set, nil},
		"key without a kid fits any":   {anonymous.TokenWith(t, map[string]any{"alg": "ES256", "kid": "x"}, nil), []*jwt.Key{anonymous.Public(t)}, nil},
		"named, signed by another":     {a.TokenWith(t, map[string]any{"alg": "ES256", "kid": "b"}, nil), set, jwt.ErrSignature},
		"unknown":                      {a.TokenWith(t, map[string]any{"alg": "ES256", "kid": "c"}, nil), set, jwt.ErrUnknownKey},
		"in capitals":                  {a.TokenWith(t, map[string]any{"alg": "ES256", "kid": "A"}, nil), set, jwt.ErrUnknownKey},
		"known, for another algorithm": {a.TokenWith(t, map[string]any{"alg": "ES384", "kid": "a"}, nil), set, jwt.ErrAlgorithm},
		"not named, no key fits":       {a.TokenWith(t, map[string]any{"alg": "ES384"}, nil), set, jwt.ErrUnknownKey},
		"no keys":                      {a.Token(t, nil), nil, jwt.ErrUnknownKey},
	} {
		v, err := mustParse(t, c.raw).Verify(c.keys, nil)
		if !errors.Is(err, c.want) || (v == nil) == (err == nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestATokenWithoutKidCannotMakeUsTryEveryKey(t *testing.T) {
	signer := idptest.NewKey(t, "", jwt.EdDSA)
	var set []*jwt.Key
	for i := range 20 {
		set = append(set, idptest.NewKey(t, fmt.Sprint(i), jwt.EdDSA).Public(t))
	}
	if _, err := mustParse(t, signer.Token(t, nil)).Verify(append(set, signer.Public(t)), nil); !errors.Is(err, jwt.ErrUnknownKey) {
		t.Errorf("got %v", err)
	}
}

// TestECDSASignaturesHaveOneFraming: the same two numbers, framed with a zero
// octet more or less, are another text.
func TestECDSASignaturesHaveOneFraming(t *testing.T) {
	key := idptest.NewKey(t, "k", jwt.ES256)
	keys := []*jwt.Key{key.Public(t)}
	stripped := false
	for range 4000 {
		raw := key.Token(t, nil)
		dot := strings.LastIndexByte(raw, '.')
		sig, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
		if err != nil {
			t.Fatal(err)
		}
		padded := append(append(append([]byte(nil), sig[:32]...), 0), sig[32:]...)
		if _, err := mustParse(t, raw[:dot+1]+b64(padded)).Verify(keys, nil); !errors.Is(err, jwt.ErrSignature) {
			t.Fatalf("a zero octet more: %v", err)
		}
		if sig[32] != 0 {
			continue
		}
		stripped = true
		short := append(append([]byte(nil), sig[:32]...), sig[33:]...)
		if _, err := mustParse(t, raw[:dot+1]+b64(short)).Verify(keys, nil); !errors.Is(err, jwt.ErrSignature) {
			t.Fatalf("a zero octet less: %v", err)
		}
		break
	}
	if !stripped {
		t.Error("no signature with a leading zero was made")
	}
}

func TestZeroValuesDeny(t *testing.T) {
	var token *jwt.Token
	if _, err := token.Verify(nil, nil); !errors.Is(err, jwt.ErrMalformed) {
		t.Errorf("nil token: %v", err)
	}
	key := idptest.NewKey(t, "", jwt.ES256).Public(t)
	if _, err := (&jwt.Token{}).Verify([]*jwt.Key{key}, nil); !errors.Is(err, jwt.ErrAlgorithm) {
		t.Errorf("zero token: %v", err)
	}
	var v *jwt.Verified
	if len(v.Claims().Names()) != 0 || len((&jwt.Verified{}).Claims().Names()) != 0 {
		t.Error("a zero Verified has claims")
	}
}

// TestWhatWeAcceptAnotherImplementationAccepts is the differential test: every
// vector, and every single-bit change of honest tokens, at both verifiers.
func TestWhatWeAcceptAnotherImplementationAccepts(t *testing.T) {
	algs := []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
		jose.HS256, jose.HS384, jose.HS512,
	}
	accepted := 0
	for _, v := range readVectors(t) {
		v.prepare(t)
		keys, _ := v.keys()
		token, err := jwt.Parse(v.Token, jwt.LoginLimits)
		if err != nil {
			continue
		}
		verified, err := token.Verify(keys, v.Settings.SupportedAlgs)
		if err != nil {
			continue
		}
		accepted++
		theirs, err := josejwt.ParseSigned(v.Token, algs)
		if err != nil {
			t.Errorf("%s: the oracle cannot parse it: %v", v.ID, err)
			continue
		}
		key := verified.Key()
		if key.Symmetric() {
			continue // its material does not come out
		}
		var k jose.JSONWebKey
		if err := k.UnmarshalJSON(key.JWK()); err != nil {
			t.Fatal(err)
		}
		claims := map[string]json.RawMessage{}
		if err := theirs.Claims(k.Key, &claims); err != nil {
			t.Errorf("%s: the oracle refuses it: %v", v.ID, err)
		}
		if got := string(verified.Claims().Get("sub").JSON()); string(claims["sub"]) != got {
			t.Errorf("%s: two readings of sub", v.ID)
		}
	}
	if accepted < 60 {
		t.Errorf("only %d tokens were accepted", accepted)
	}
}

func TestNoBitOfATokenCanBeChanged(t *testing.T) {
	for _, alg := range []jwt.Algorithm{jwt.ES256, jwt.EdDSA, jwt.HS256} {
		key := idptest.NewKey(t, "k", alg)
		raw := []byte(key.Token(t, map[string]any{"sub": "s"}))
		keys := []*jwt.Key{key.Public(t)}
		for i := range len(raw) * 8 {
			changed := append([]byte(nil), raw...)
			changed[i/8] ^= 1 << (i % 8)
			token, err := jwt.Parse(string(changed), jwt.Limits{})
			if err != nil {
				continue
			}
			if _, err := token.Verify(keys, allAlgorithms); err == nil {
				t.Fatalf("%s: bit %d changed and accepted", alg, i)
			}
		}
	}
}

// FuzzToken: no text makes the parser panic, what it accepts is its own
// canonical spelling, and the other implementation can parse it too.
func FuzzToken(f *testing.F) {
	for i, v := range readVectors(f) {
		if i%4 == 0 && len(v.Token) < 4<<10 {
			f.Add(v.Token)
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := jwt.Parse(raw, jwt.BearerLimits)
		if (token == nil) == (err == nil) {
			t.Fatal("neither a token nor an error")
		}
		if err != nil {
			if fault.ReasonOf(err) == "" {
				t.Fatalf("an error without a reason: %v", err)
			}
			return
		}
		if token.Hash() != sha256.Sum256([]byte(raw)) {
			t.Fatal("another token")
		}
		_ = token.Unverified().Map()
		header, _, _ := strings.Cut(raw, ".")
		text, err := base64.RawURLEncoding.DecodeString(header)
		if err != nil {
			t.Fatal(err)
		}
		// The oracle also reads key material in the header, which we never do.
		if !token.Algorithm().Known() || token.Algorithm() == jwt.Ed25519 || regexp.MustCompile(`x5|jwk|nonce|\\`).Match(text) {
			return
		}
		if _, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(token.Algorithm())}); err != nil {
			t.Fatalf("the oracle cannot parse it: %v", err)
		}
	})
}

// BenchmarkParseAndVerify is to be read beside BenchmarkRawRSA: the difference
// is what strictness costs.
func BenchmarkParseAndVerify(b *testing.B) {
	for _, alg := range []jwt.Algorithm{jwt.RS256, jwt.ES256, jwt.EdDSA} {
		b.Run(string(alg), func(b *testing.B) {
			raw, keys := benchToken(b, alg)
			b.ReportAllocs()
			for b.Loop() {
				token, err := jwt.Parse(raw, jwt.BearerLimits)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := token.Verify(keys, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	raw, _ := benchToken(b, jwt.RS256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jwt.Parse(raw, jwt.BearerLimits); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRawRSA(b *testing.B) {
	raw, keys := benchToken(b, jwt.RS256)
	dot := strings.LastIndexByte(raw, '.')
	sig, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil {
		b.Fatal(err)
	}
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(keys[0].JWK()); err != nil {
		b.Fatal(err)
	}
	pub := k.Key.(*rsa.PublicKey)
	pub.N = new(big.Int).Set(pub.N)
	signed := []byte(raw[:dot])
	b.ReportAllocs()
	for b.Loop() {
		sum := sha256.Sum256(signed)
		if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], sig); err != nil {
			b.Fatal(err)
		}
	}
}

// benchToken is like a GitHub Actions token: 31 claims, 1.5 kB.
func benchToken(b *testing.B, alg jwt.Algorithm) (string, []*jwt.Key) {
	b.Helper()
	claims := map[string]any{"iss": "https://token.actions.githubusercontent.com", "sub": "repo:org/app:ref:refs/heads/main", "aud": "vault", "exp": 1893412799, "nbf": 1793412799, "iat": 1793412799}
	for i := range 25 {
		claims[fmt.Sprintf("claim_number_%02d", i)] = "value-of-a-claim-" + strings.Repeat("x", i%9)
	}
	key := idptest.NewKey(b, "k", alg)
	return key.Token(b, claims), []*jwt.Key{key.Public(b)}
}

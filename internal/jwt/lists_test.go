package jwt_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
)

var every = []jwt.Algorithm{
	jwt.HS256, jwt.HS384, jwt.HS512, jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256, jwt.PS384, jwt.PS512,
	jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA, jwt.Ed25519,
}

func TestAnAllowListAdmitsWhatItSpellsAndNothingElse(t *testing.T) {
	asymmetric := jwt.Asymmetric()
	for _, a := range every {
		if slices.Contains(asymmetric, a) == strings.HasPrefix(string(a), "HS") || a.Symmetric() != strings.HasPrefix(string(a), "HS") {
			t.Errorf("%s is taken for what it is not", a)
		}
		if jwt.Allows(nil, a) == a.Symmetric() || jwt.Allows([]jwt.Algorithm{}, a) {
			t.Errorf("no list, or an empty one: %s", a)
		}
		for _, listed := range every {
			want := a == listed || a == jwt.Ed25519 && listed == jwt.EdDSA
			if jwt.Allows([]jwt.Algorithm{listed}, a) != want {
				t.Errorf("%s under a list of %s: %v", a, listed, !want)
			}
		}
	}
	for _, a := range []jwt.Algorithm{"", "none", "hs256", "ES256K"} {
		if a.Known() || a.Symmetric() || jwt.Allows(nil, a) || jwt.Allows([]jwt.Algorithm{a}, a) {
			t.Errorf("%q is an algorithm", a)
		}
	}
}

// Readers that do not mind case would find another value in such a token.
func TestNoNameDiffersFromARegisteredOneInCaseOnly(t *testing.T) {
	key := idptest.NewKey(t, "k", jwt.HS256)
	for _, name := range []string{"alg", "kid", "typ", "cty", "crit", "b64", "zip", "enc"} {
		other := strings.ToUpper(name[:1]) + name[1:]
		if _, err := jwt.Parse(key.Sign(t, fmt.Sprintf(`{"alg":"HS256",%q:"x"}`, other), `{}`), jwt.Limits{}); !errors.Is(err, jwt.ErrMalformed) {
			t.Errorf("header %s: %v", other, err)
		}
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"} {
		other := strings.ToUpper(name)
		if _, err := parse(t, fmt.Sprintf(`{%q:"x"}`, other)); !errors.Is(err, jwt.ErrClaims) {
			t.Errorf("claim %s: %v", other, err)
		}
	}
}

func TestNoPublishedKeyHoldsPrivateMaterial(t *testing.T) {
	for _, alg := range []jwt.Algorithm{jwt.RS256, jwt.ES256, jwt.EdDSA} {
		key := idptest.NewKey(t, "k", alg)
		for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
			if _, err := jwt.ParseJWK(members(t, key, map[string]any{name: "AQAB"})); !errors.Is(err, jwt.ErrKey) || !strings.Contains(err.Error(), "private") {
				t.Errorf("%s with %s: %v", alg, name, err)
			}
		}
	}
}

func TestAnExponentIsNotCutToSize(t *testing.T) {
	key := idptest.NewKey(t, "k", jwt.RS256)
	for _, bits := range []uint{32, 63, 64} {
		e := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(65537))
		if _, err := jwt.ParseJWK(members(t, key, map[string]any{"e": b64(e.Bytes())})); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("65537 and 2^%d: %v", bits, err)
		}
	}
	if _, err := jwt.ParseJWK(members(t, key, map[string]any{"e": b64(big.NewInt(1<<31 - 1).Bytes())})); err != nil {
		t.Errorf("the greatest one: %v", err)
	}
}

func TestSixteenKeysAreTriedAndNoMore(t *testing.T) {
	signer := idptest.NewKey(t, "", jwt.EdDSA)
	var others []*jwt.Key
	for i := range 16 {
		others = append(others, idptest.NewKey(t, fmt.Sprint(i), jwt.EdDSA).Public(t))
	}
	token := mustParse(t, signer.Token(t, nil))
	if _, err := token.Verify(append(others[:15:15], signer.Public(t)), nil); err != nil {
		t.Errorf("the sixteenth: %v", err)
	}
	if _, err := token.Verify(append(others, signer.Public(t)), nil); !errors.Is(err, jwt.ErrUnknownKey) {
		t.Errorf("the seventeenth: %v", err)
	}
}

func TestATokenMayBeAsLongAsItsLimit(t *testing.T) {
	key := idptest.NewKey(t, "", jwt.HS256)
	pad := func(n int) string {
		return key.Sign(t, `{"alg":"HS256"}`, `{"p":"`+string(bytes.Repeat([]byte("x"), n))+`"}`)
	}
	raw := pad(100)
	if _, err := jwt.Parse(raw, jwt.Limits{MaxBytes: len(raw)}); err != nil {
		t.Errorf("at its limit: %v", err)
	}
	if _, err := jwt.Parse(raw, jwt.Limits{MaxBytes: len(raw) - 1}); !errors.Is(err, jwt.ErrTooLarge) {
		t.Errorf("one byte over: %v", err)
	}
}

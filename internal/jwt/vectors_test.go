package jwt_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/trust"
)

// vector is one line of testdata/jwt-cases.jsonl.
type vector struct {
	ID       string   `json:"id"`
	Level    string   `json:"level"`
	Why      string   `json:"why"`
	Styles   []string `json:"styles"`
	KeySetup struct {
		Kind string   `json:"kind"`
		JWKS string   `json:"jwks"`
		PEMs []string `json:"pems"`
		Also []struct {
			Issuer   string `json:"issuer"`
			Audience string `json:"audience"`
			JWKS     string `json:"jwks"`
		} `json:"also"`
	} `json:"key_setup"`
	Settings struct {
		BoundIssuer      string          `json:"bound_issuer"`
		BoundAudiences   []string        `json:"bound_audiences"`
		BoundSubject     string          `json:"bound_subject"`
		BoundClaims      json.RawMessage `json:"bound_claims"`
		BoundClaimsType  string          `json:"bound_claims_type"`
		UserClaim        string          `json:"user_claim"`
		UserClaimPointer bool            `json:"user_claim_json_pointer"`
		GroupsClaim      string          `json:"groups_claim"`
		SupportedAlgs    []jwt.Algorithm `json:"supported_algs"`
		ExpirationLeeway int             `json:"expiration_leeway"`
		NotBeforeLeeway  int             `json:"not_before_leeway"`
		ClockSkewLeeway  int             `json:"clock_skew_leeway"`
		RolesClaim       string          `json:"roles_claim"`
		Role             string          `json:"role"`
	} `json:"settings"`
	Token   string `json:"token"`
	TokenGZ string `json:"token_gz"`
	Mint    *struct {
		Key    string         `json:"key"`
		Alg    jwt.Algorithm  `json:"alg"`
		Header map[string]any `json:"header"`
		Claims map[string]any `json:"claims"`
	} `json:"mint"`
	Expect        string            `json:"expect"`
	ExpectByStyle map[string]string `json:"expect_by_style"`
	MaxMillis     int               `json:"max_ms"`
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	f, err := os.Open("testdata/jwt-cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []vector
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var v vector
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if len(out) != 473 || lines.Err() != nil {
		t.Fatalf("read %d vectors, error %v", len(out), lines.Err())
	}
	return out
}

var vectorTime = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// prepare replaces what depends on the moment of the test: compressed tokens,
// and tokens that are signed with times around now, for which the trusted key
// of that name is replaced by one that the test holds.
func (v *vector) prepare(t *testing.T) {
	t.Helper()
	if v.TokenGZ != "" {
		raw, err := base64.StdEncoding.DecodeString(v.TokenGZ)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		v.Token = string(text)
	}
	if v.Mint == nil {
		return
	}
	key := idptest.NewKey(t, v.Mint.Key, v.Mint.Alg)
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal([]byte(v.KeySetup.JWKS), &set); err != nil {
		t.Fatal(err)
	}
	replaced := false
	for i, doc := range set.Keys {
		var m struct{ KID string }
		if err := json.Unmarshal(doc, &m); err == nil && m.KID == v.Mint.Key {
			set.Keys[i], replaced = key.JWK(t), true
		}
	}
	if !replaced {
		t.Fatalf("no key %q to replace", v.Mint.Key)
	}
	doc, _ := json.Marshal(set)
	v.KeySetup.JWKS = string(doc)
	for name, value := range v.Mint.Claims {
		if m, ok := value.(map[string]any); ok && m["$now"] != nil {
			n, err := m["$now"].(json.Number).Int64()
			if err != nil {
				t.Fatal(err)
			}
			v.Mint.Claims[name] = vectorTime.Unix() + n
		}
	}
	v.Token = key.TokenWith(t, v.Mint.Header, v.Mint.Claims)
}

func (v *vector) boundClaims(t *testing.T) map[string]any {
	t.Helper()
	if v.Settings.BoundClaims == nil {
		return nil
	}
	value, err := jwt.ParseValue(v.Settings.BoundClaims, 32)
	if err != nil {
		t.Fatal(err)
	}
	return value.Any().(map[string]any)
}

func (v *vector) spec(t *testing.T, style trust.Style) trust.Spec {
	t.Helper()
	s := v.Settings
	spec := trust.Spec{
		Style: style, Name: "vector", Issuer: s.BoundIssuer, Audiences: s.BoundAudiences, Subject: s.BoundSubject,
		Algorithms: s.SupportedAlgs, BoundClaims: v.boundClaims(t), BoundClaimsGlob: s.BoundClaimsType == "glob",
		UserClaim: s.UserClaim, UserClaimPointer: s.UserClaimPointer, GroupsClaim: s.GroupsClaim,
		Times: trust.Times{
			ExpirationLeeway: time.Duration(s.ExpirationLeeway) * time.Second,
			NotBeforeLeeway:  time.Duration(s.NotBeforeLeeway) * time.Second,
			ClockSkew:        time.Duration(s.ClockSkewLeeway) * time.Second,
		},
	}
	if style == trust.Bearer {
		spec.Role = &trust.RoleRule{Claim: s.RolesClaim, Known: []string{s.Role}}
	}
	return spec
}

// keys reads the vector's keys as the server would.
func (v *vector) keys() ([]*jwt.Key, error) {
	switch v.KeySetup.Kind {
	case "jwks":
		keys, _, err := jwks.ParseSet([]byte(v.KeySetup.JWKS))
		return keys, err
	case "keys":
		keys, _, err := jwks.ParseInlineSet([]byte(v.KeySetup.JWKS))
		return keys, err
	}
	var keys []*jwt.Key
	for _, p := range v.KeySetup.PEMs {
		k, err := jwt.ParsePEM([]byte(p))
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// trusted is one issuer's rule with its keys.
type trusted struct {
	rule *trust.Rule
	keys []*jwt.Key
}

func (v *vector) issuers(t *testing.T, style trust.Style) []trusted {
	t.Helper()
	rule, err := trust.Compile(v.spec(t, style))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := v.keys()
	if err != nil {
		t.Logf("keys: %v", err)
	}
	out := []trusted{{rule, keys}}
	if style == trust.Login {
		return out // a mount trusts one issuer
	}
	for _, a := range v.KeySetup.Also {
		spec := v.spec(t, style)
		spec.Issuer, spec.Audiences = a.Issuer, []string{a.Audience}
		rule, err := trust.Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		keys, _, err := jwks.ParseSet([]byte(a.JWKS))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, trusted{rule, keys})
	}
	return out
}

// judge walks one token through the road of a request.
func judge(t *testing.T, raw string, limits jwt.Limits, issuers []trusted) error {
	t.Helper()
	token, err := jwt.Parse(raw, limits)
	if err != nil {
		return err
	}
	var refusals []error
	for _, i := range issuers {
		if err := i.rule.Precheck(token, vectorTime); err != nil {
			refusals = append(refusals, err)
			continue
		}
		kid, hasKID := token.KeyID()
		keys, err := jwks.Static(i.keys...).Keys(t.Context(), kid, hasKID)
		if err != nil {
			return err
		}
		verified, err := token.Verify(keys, i.rule.Algorithms())
		if err != nil {
			return err
		}
		grant, decision := i.rule.Admit(verified, vectorTime)
		if !decision.Allowed && (grant.User != "" || grant.Role != "" || grant.Metadata != nil || grant.Groups != nil) {
			t.Errorf("a refusal came with a grant: %+v", grant)
		}
		return i.rule.Refusal(decision)
	}
	return errors.Join(refusals...)
}

func TestVectorsAtBothDoors(t *testing.T) {
	doors := []struct {
		name   string
		style  trust.Style
		limits jwt.Limits
	}{{"vault", trust.Login, jwt.LoginLimits}, {"bearer", trust.Bearer, jwt.BearerLimits}}
	judged := map[string]int{}
	for _, v := range readVectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			v.prepare(t)
			for _, door := range doors {
				if v.Styles != nil && !slices.Contains(v.Styles, door.name) {
					continue
				}
				want := v.Expect
				if w, ok := v.ExpectByStyle[door.name]; ok {
					want = w
				}
				begin := time.Now()
				err := judge(t, v.Token, door.limits, v.issuers(t, door.style))
				// Ten times what is allowed: the machine may be busy, and an attack
				// that works takes longer than that.
				if limit := 10 * time.Duration(v.MaxMillis) * time.Millisecond; limit > 0 && time.Since(begin) > limit {
					t.Errorf("%s: took %v, limit %v", door.name, time.Since(begin), limit)
				}
				got := "accept"
				if err != nil {
					got = "reject"
				}
				if want != "any" && got != want {
					// The cases of level policy leave the choice to the verifier; we
					// take the stricter side.
					if v.Level == "policy" && got == "reject" {
						t.Logf("%s: refused by choice: %v", door.name, err)
						continue
					}
					t.Errorf("%s: got %s, want %s (%s): %v", door.name, got, want, v.Why, err)
				}
				judged[door.name+" "+want]++
			}
		})
	}
	t.Logf("judged: %v", judged)
	if judged["vault accept"] < 40 || judged["bearer accept"] < 25 || judged["vault reject"] < 380 || judged["bearer reject"] < 330 {
		t.Errorf("fewer cases judged than there are: %v", judged)
	}
}

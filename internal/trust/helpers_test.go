package trust_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/trust"
)

// now is T of the tables: a whole second.
var now = time.Unix(1_800_000_000, 0)

type claims = map[string]any

// verified returns claims as a fact.
func verified(t testing.TB, c claims) *jwt.Verified {
	t.Helper()
	doc, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return verifiedText(t, string(doc))
}

func verifiedText(t testing.TB, payload string) *jwt.Verified {
	t.Helper()
	key := idptest.NewKey(t, "k", jwt.EdDSA)
	token, err := jwt.Parse(key.Sign(t, `{"alg":"EdDSA","kid":"k"}`, payload), jwt.LoginLimits)
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.Verify([]*jwt.Key{key.Public(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func compile(t testing.TB, s trust.Spec) *trust.Rule {
	t.Helper()
	r, err := trust.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// login returns an ordinary role, changed by with.
func login(t testing.TB, with func(*trust.Spec)) *trust.Rule {
	t.Helper()
	s := trust.Spec{Style: trust.Login, Name: "demo", Issuer: "https://idp/", Audiences: []string{"vault"}, UserClaim: "sub"}
	if with != nil {
		with(&s)
	}
	return compile(t, s)
}

// bearer returns an ordinary identity provider, changed by with.
func bearer(t testing.TB, with func(*trust.Spec)) *trust.Rule {
	t.Helper()
	s := trust.Spec{
		Style: trust.Bearer, Name: "app1", Issuer: "https://idp/", Audiences: []string{"vault"},
		Role: &trust.RoleRule{Known: []string{"Reader", "Writer"}},
	}
	if with != nil {
		with(&s)
	}
	return compile(t, s)
}

// base returns the claims of an ordinary token, changed by with; a nil value
// removes a claim.
func base(with claims) claims {
	c := claims{"iss": "https://idp/", "aud": "vault", "sub": "alice", "iat": now.Unix(), "exp": now.Unix() + 600, "roles": []string{"Reader"}}
	for k, v := range with {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

// admit judges claims and returns the grant and the reason and text of a
// refusal, "" when there is none.
func admit(t testing.TB, r *trust.Rule, c claims) (trust.Grant, string, string) {
	t.Helper()
	g, d := r.Admit(verified(t, c), now)
	return outcome(t, r, g, d)
}

func outcome(t testing.TB, r *trust.Rule, g trust.Grant, d policy.Decision) (trust.Grant, string, string) {
	t.Helper()
	err := r.Refusal(d)
	failed, any := d.Failed()
	if d.Allowed != (err == nil) || d.Allowed == any {
		t.Fatalf("decision %+v and error %v disagree", d, err)
	}
	if err == nil {
		return g, "", ""
	}
	if g.User != "" || g.Subject != "" || g.Role != "" || g.Groups != nil || g.Metadata != nil || g.Narrowing != nil || !g.Expires.IsZero() {
		t.Errorf("a refusal came with a grant: %+v", g)
	}
	if !fault.Is(err, fault.Unauthenticated) || fault.ReasonOf(err) != failed.Reason || failed.Reason == "" {
		t.Errorf("refusal %v: kind %v, reason %q, check %+v", err, fault.Of(err), fault.ReasonOf(err), failed)
	}
	return g, fault.ReasonOf(err), fault.PublicText(err)
}

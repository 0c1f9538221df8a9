package trust_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/trust"
)

func TestAudienceMatrix(t *testing.T) {
	const (
		match   = "error validating token: invalid audience (aud) claim: audience claim does not match any expected audience"
		unbound = "audience claim found in JWT but no audiences bound to the role"
	)
	for _, c := range []struct {
		aud        any
		none, x, y string
	}{
		{nil, "", match, match},
		{"", unbound, match, match},
		{"x", unbound, "", match},
		{[]string{}, "", match, match},
		{[]string{"x"}, unbound, "", match},
		{[]string{""}, unbound, match, match},
		{[]string{"z", "x"}, unbound, "", match},
		{"x ", unbound, match, match},
		{"X", unbound, match, match},
	} {
		for bound, want := range map[string]string{"": c.none, "x": c.x, "y": c.y} {
			r := login(t, func(s *trust.Spec) {
				if s.Audiences = nil; bound != "" {
					s.Audiences = []string{"other", bound}
				}
			})
			all := base(claims{"aud": c.aud})
			if _, _, text := admit(t, r, all); text != want {
				t.Errorf("aud %v, bound %q: %q, want %q", c.aud, bound, text, want)
			}
			if err := r.Precheck(verified(t, all).Token(), now); (err == nil) != (want == "") {
				t.Errorf("aud %v, bound %q: early look: %v", c.aud, bound, err)
			}
		}
	}
}

func TestIssuerAndSubjectAreComparedByteForByte(t *testing.T) {
	r := login(t, func(s *trust.Spec) { s.Subject = "alice" })
	for _, c := range []struct {
		with         claims
		reason, text string
	}{
		{claims{}, "", ""},
		{claims{"iss": "https://idp"}, trust.ReasonIssuer, "error validating token: invalid issuer (iss) claim"},
		{claims{"iss": "https://IDP/"}, trust.ReasonIssuer, "error validating token: invalid issuer (iss) claim"},
		{claims{"iss": nil}, trust.ReasonIssuer, "error validating token: invalid issuer (iss) claim"},
		{claims{"sub": "alice2"}, trust.ReasonSubject, "error validating token: invalid subject (sub) claim"},
		{claims{"sub": nil}, trust.ReasonSubject, "error validating token: invalid subject (sub) claim"},
		{claims{"sub": "e\u0301"}, trust.ReasonSubject, "error validating token: invalid subject (sub) claim"},
	} {
		if _, reason, text := admit(t, r, base(c.with)); reason != c.reason || text != c.text {
			t.Errorf("%v: %q %q", c.with, reason, text)
		}
	}
	open := login(t, func(s *trust.Spec) { s.Issuer = "" })
	if _, reason, _ := admit(t, open, base(claims{"iss": "anyone"})); reason != "" || open.Issuer() != "" {
		t.Errorf("an open issuer refuses: %s", reason)
	}
}

func TestTheAlgorithmIsCheckedAgainWhenAdmitting(t *testing.T) {
	r := login(t, func(s *trust.Spec) { s.Algorithms = []jwt.Algorithm{jwt.RS256} })
	v := verified(t, base(nil)) // EdDSA, verified under another allow-list
	g, d := r.Admit(v, now)
	if _, reason, _ := outcome(t, r, g, d); reason != trust.ReasonAlgorithm {
		t.Errorf("reason %q", reason)
	}
	if err := r.Precheck(v.Token(), now); fault.ReasonOf(err) != trust.ReasonAlgorithm {
		t.Errorf("early look: %v", err)
	}
	if !slices.Equal(r.Algorithms(), []jwt.Algorithm{jwt.RS256}) {
		t.Error("the allow-list is lost")
	}
}

func TestOrderOfTheMessagesIsTheReferences(t *testing.T) {
	r := login(t, func(s *trust.Spec) { s.Subject = "bob"; s.BoundClaims = map[string]any{"k": "v"} })
	bad := base(claims{"iss": "x", "aud": "x", "sub": "x", "exp": 1})
	for _, want := range []string{"(iss)", "(sub)", "(aud)", "(exp)", "error validating claims"} {
		if _, _, text := admit(t, r, bad); !strings.Contains(text, want) {
			t.Errorf("got %q, want %s first", text, want)
		}
		switch want {
		case "(iss)":
			bad["iss"] = "https://idp/"
		case "(sub)":
			bad["sub"] = "bob"
		case "(aud)":
			bad["aud"] = "vault"
		case "(exp)":
			bad["exp"] = now.Unix() + 60
		}
	}
}

func TestADecisionListsEveryCheckAlsoAfterAFailure(t *testing.T) {
	r := bearer(t, nil)
	_, d := r.Admit(verified(t, base(claims{"iss": "x", "exp": 1, "roles": []string{}})), now)
	var failed, names []string
	for _, c := range d.Checks {
		names = append(names, c.Name)
		if !c.OK {
			failed = append(failed, c.Name)
		}
	}
	if !slices.Equal(failed, []string{"issuer", "expiration", "role"}) || !slices.Contains(names, "audience") || d.Rule != "app1" {
		t.Errorf("failed %v of %v", failed, names)
	}
}

func TestExplainShowsTheChecksAndNeverAllows(t *testing.T) {
	r := bearer(t, nil)
	token := verified(t, base(nil)).Token()
	d := r.Explain(token, now)
	if d.Allowed {
		t.Fatal("an unverified token is allowed")
	}
	first, _ := d.Failed()
	if first.Reason != trust.ReasonSignatureUnproven || len(d.Checks) < 8 {
		t.Errorf("%+v", d)
	}
	for _, c := range d.Checks[1:] {
		if !c.OK {
			t.Errorf("an honest token fails %+v", c)
		}
	}
	d = r.Explain(token, now.Add(time.Hour))
	if c := d.Checks[len(d.Checks)-1]; !c.OK {
		t.Errorf("role: %+v", c)
	}
	if !slices.ContainsFunc(d.Checks, func(c policy.Check) bool { return c.Reason == trust.ReasonExpired }) {
		t.Error("the expiry is not shown")
	}
	for _, d := range []policy.Decision{(*trust.Rule)(nil).Explain(token, now), (&trust.Rule{}).Explain(token, now), r.Explain(nil, now)} {
		if _, failed := d.Failed(); d.Allowed || !failed {
			t.Error("a zero value explains itself as allowed")
		}
	}
}

func TestZeroValuesDeny(t *testing.T) {
	v := verified(t, base(nil))
	r := login(t, nil)
	for name, call := range map[string]func() (trust.Grant, policy.Decision){
		"nil rule":      func() (trust.Grant, policy.Decision) { return (*trust.Rule)(nil).Admit(v, now) },
		"zero rule":     func() (trust.Grant, policy.Decision) { return (&trust.Rule{}).Admit(v, now) },
		"nil token":     func() (trust.Grant, policy.Decision) { return r.Admit(nil, now) },
		"zero verified": func() (trust.Grant, policy.Decision) { return r.Admit(&jwt.Verified{}, now) },
	} {
		g, d := call()
		if d.Allowed || g.User != "" {
			t.Errorf("%s: admitted", name)
		}
		if err := r.Refusal(d); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"nil rule": (*trust.Rule)(nil).Precheck(v.Token(), now), "zero rule": (&trust.Rule{}).Precheck(v.Token(), now), "nil token": r.Precheck(nil, now),
		"zero decision": r.Refusal(policy.Decision{}), "zero decision of no rule": (*trust.Rule)(nil).Refusal(policy.Decision{}),
	} {
		if !fault.Is(err, fault.Unauthenticated) || fault.ReasonOf(err) != trust.ReasonRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := trust.Compile(trust.Spec{}); err == nil {
		t.Error("the zero Spec compiles")
	}
}

func TestCompileNamesEveryProblem(t *testing.T) {
	_, err := trust.Compile(trust.Spec{
		Style: trust.Login, Algorithms: []jwt.Algorithm{"HS999"}, Times: trust.Times{MaxAge: 200 * 365 * 24 * time.Hour},
		ClaimMappings: map[string]string{"a": "role", "b": "x", "c": "x"}, Role: &trust.RoleRule{}, NamespaceTopClaim: "x",
	})
	for _, want := range []string{
		`unsupported signing algorithm "HS999"`, "a user claim must be defined on the role",
		`metadata key "role" is reserved and may not be a mapping destination`, `multiple keys are mapped to metadata key "x"`,
		"shorter than 100 years", "belong to identity providers",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	for _, s := range []trust.Spec{{Role: &trust.RoleRule{}}, {NamespaceTopClaim: "x"}, {ExtraClaims: "{}"}} {
		s.Style, s.Name, s.UserClaim = trust.Login, "demo", "sub"
		if _, err := trust.Compile(s); err == nil || !strings.Contains(err.Error(), "belong to identity providers") {
			t.Errorf("%+v: %v", s, err)
		}
	}
	_, err = trust.Compile(trust.Spec{Style: trust.Bearer, Times: trust.Times{ClockSkew: 61 * time.Second}})
	for _, want := range []string{"(iss) must be set", "(aud) must be set", "at most 60 seconds", "role rule must be set"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	_, err = trust.Compile(trust.Spec{
		Style: trust.Bearer, Issuer: "i", Audiences: []string{""},
		Role: &trust.RoleRule{Claim: "/a~", Map: map[string]string{"x": "Gone", "y": " admin"}, Allowed: []string{"Gone", "Admin"}},
	})
	for _, want := range []string{"(aud) must be set", `roles_claim "/a~" is not a valid`, `roles_map names the role "Gone", which does not exist`,
		`roles_map names the role " admin", which is the built-in`, `allowed_roles names the role "Gone"`, `allowed_roles names the role "Admin", which is the built-in`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Detail()["field"] == "" || f.Kind() != fault.Invalid {
		t.Errorf("a problem does not say where it is: %v", err)
	}
}

func TestVerifyRefusalSpeaksTheReferencesLanguage(t *testing.T) {
	for _, c := range []struct {
		err    error
		static bool
		text   string
	}{
		{jwt.ErrSignature, true, "error validating token: error verifying token signature: no known key successfully validated the token signature"},
		{jwt.ErrUnknownKey, true, "error validating token: error verifying token signature: no known key successfully validated the token signature"},
		{jwt.ErrSignature, false, "error validating token: error verifying token signature: failed to verify id token signature"},
		{jwt.ErrUnknownKey, false, "error validating token: error verifying token signature: failed to verify id token signature"},
		{jwt.ErrAlgorithm, false, "error validating token: invalid algorithm (alg) header parameter: token signed with unexpected algorithm"},
		{jwt.ErrMalformed, false, "error validating token: error verifying token signature: the token is malformed"},
		{jwks.ErrUnavailable, false, "error validating token: error verifying token signature: the keys of the token's issuer cannot be fetched at the moment"},
		{errors.New("secret cause"), false, "error validating token: error verifying token signature: internal error"},
	} {
		err := trust.VerifyRefusal(c.err, c.static)
		var f *fault.Error
		if !errors.As(err, &f) || f.Public() != c.text || !errors.Is(err, c.err) || f.Kind() != fault.Of(c.err) || f.Reason() != fault.ReasonOf(c.err) {
			t.Errorf("%v: %v", c.err, err)
		}
	}
	if trust.VerifyRefusal(nil, true) != nil {
		t.Error("no error becomes one")
	}
}

// TestDecisionsAreBoundedAndPrintable: what a token says reaches explain and
// audit.
func TestDecisionsAreBoundedAndPrintable(t *testing.T) {
	r := login(t, nil)
	long := strings.Repeat("é", 4000)
	_, d := r.Admit(verified(t, base(claims{"iss": "a\x1b[31m\n\u2028" + long})), now)
	for _, c := range d.Checks {
		if len(c.Received) > 300 || strings.ContainsAny(c.Received, "\x1b\n\u2028") || strings.Contains(c.Received, "\ufffd[31m\ufffd\ufffd") != (c.Name == "issuer") {
			t.Errorf("%s shows %q", c.Name, c.Received)
		}
	}
}

func TestRuleAccessors(t *testing.T) {
	r := login(t, nil)
	r.Audiences()[0] = "changed"
	if r.Name() != "demo" || r.Issuer() != "https://idp/" || !slices.Equal(r.Audiences(), []string{"vault"}) || r.Algorithms() != nil {
		t.Error("the rule is not what was written")
	}
}

func TestARuleDoesNotChangeWithItsSpec(t *testing.T) {
	spec := trust.Spec{
		Style: trust.Bearer, Name: "a", Issuer: "https://idp/", Audiences: []string{"vault"},
		Role: &trust.RoleRule{Known: []string{"Reader"}, Map: map[string]string{"Reader": "Reader"}, Allowed: []string{"Reader"}},
	}
	r := compile(t, spec)
	spec.Audiences[0], spec.Role.Map["Writer"], spec.Role.Known[0], spec.Role.Allowed[0] = "x", "Writer", "x", "x"
	if _, reason, _ := admit(t, r, base(nil)); reason != "" {
		t.Error(reason)
	}
}

func BenchmarkAdmit(b *testing.B) {
	key := idptest.NewKey(b, "k", jwt.EdDSA)
	token, err := jwt.Parse(key.Token(b, base(claims{"email": "a@b", "team": "x"})), jwt.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	v, err := token.Verify([]*jwt.Key{key.Public(b)}, nil)
	if err != nil {
		b.Fatal(err)
	}
	r := bearer(b, func(s *trust.Spec) { s.BoundClaims = map[string]any{"team": "x"} })
	b.ReportAllocs()
	for b.Loop() {
		if _, d := r.Admit(v, now); !d.Allowed {
			b.Fatal(fmt.Sprint(d))
		}
	}
}

// A token that its issuer bound to a key of its holder is no bearer token:
// whoever shows it has proved nothing about the key.
func TestTokensThatAreBoundToAKey(t *testing.T) {
	for name, cnf := range map[string]any{
		"mTLS": claims{"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"},
		"DPoP": claims{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
		"JWK":  claims{"jwk": claims{"kty": "oct"}}, "empty": claims{}, "unreadable": "x", "list": []any{}, "false": false,
	} {
		c := base(claims{"cnf": cnf})
		ignore := func(s *trust.Spec) { s.IgnoreConfirmation = true }
		for style, rule := range map[string][2]*trust.Rule{"login": {login(t, nil), login(t, ignore)}, "bearer": {bearer(t, nil), bearer(t, ignore)}} {
			if _, reason, text := admit(t, rule[0], c); reason != trust.ReasonConfirmation || !strings.Contains(text, "bound to a key") {
				t.Errorf("%s, %s: %q, %q", style, name, reason, text)
			}
			if err := rule[0].Precheck(verified(t, c).Token(), now); fault.ReasonOf(err) != trust.ReasonConfirmation {
				t.Errorf("%s, %s: it costs a fetch and a signature: %v", style, name, err)
			}
			if _, reason, _ := admit(t, rule[1], c); reason != "" {
				t.Errorf("%s, %s: refused although the operator ignores it: %s", style, name, reason)
			}
		}
	}
	g, d := login(t, nil).Admit(verifiedText(t, `{"iss":"https://idp/","aud":"vault","sub":"a","exp":1800000600,"cnf":null}`), now)
	if _, reason, _ := outcome(t, login(t, nil), g, d); reason != trust.ReasonConfirmation {
		t.Errorf("null: %q", reason)
	}
}

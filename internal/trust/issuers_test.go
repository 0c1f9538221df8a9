package trust_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/trust"
)

func TestEachIssuerHasBoundsOfItsOwn(t *testing.T) {
	at := now.Unix()
	rule := func(change func(*trust.Spec)) *trust.Rule {
		return login(t, func(s *trust.Spec) {
			s.Issuer = ""
			s.Issuers = []trust.IssuerBounds{
				{Issuer: "https://one/", Audiences: []string{"vault", "more"}, Algorithms: []jwt.Algorithm{jwt.EdDSA}, MaxAge: time.Minute},
				{Issuer: "https://two/", Algorithms: []jwt.Algorithm{jwt.RS256}},
				{Issuer: "https://three/"},
			}
			if change != nil {
				change(s)
			}
		})
	}
	plain := rule(nil)
	open := rule(func(s *trust.Spec) { s.Audiences = nil })
	young := rule(func(s *trust.Spec) { s.Times.MaxAge = 30 * time.Second; s.Times.ClockSkew = -1 })
	old := rule(func(s *trust.Spec) { s.Times.MaxAge = time.Hour; s.Times.ClockSkew = -1 })
	narrow := rule(func(s *trust.Spec) { s.Algorithms = []jwt.Algorithm{jwt.RS256} })
	for name, tc := range map[string]struct {
		rule   *trust.Rule
		claims claims
		want   string
	}{
		"all hold":                        {plain, claims{"iss": "https://one/", "iat": at}, ""},
		"an issuer without bounds":        {plain, claims{"iss": "https://three/", "iat": at - 500}, ""},
		"an issuer that is not listed":    {plain, claims{"iss": "https://idp/"}, trust.ReasonIssuer},
		"no issuer":                       {plain, claims{"iss": nil}, trust.ReasonIssuer},
		"the issuer's algorithm":          {plain, claims{"iss": "https://two/"}, trust.ReasonAlgorithm},
		"the rule's algorithm holds, too": {narrow, claims{"iss": "https://three/"}, trust.ReasonAlgorithm},
		"and so where both have one":      {narrow, claims{"iss": "https://one/"}, trust.ReasonAlgorithm},
		"too old for the issuer":          {plain, claims{"iss": "https://one/", "iat": at - 121}, trust.ReasonTooOld},
		"an age is needed":                {plain, claims{"iss": "https://one/", "iat": nil}, trust.ReasonNoIssuedAt},
		"too old for the rule":            {young, claims{"iss": "https://one/", "iat": at - 31}, trust.ReasonTooOld},
		"the issuer's age is the smaller": {old, claims{"iss": "https://one/", "iat": at - 61}, trust.ReasonTooOld},
		"the rule's age, for the others":  {old, claims{"iss": "https://three/", "iat": at - 61}, ""},
		"an audience of the issuer only":  {plain, claims{"iss": "https://one/", "aud": "more"}, trust.ReasonAudience},
		"an audience of the rule only":    {rule(func(s *trust.Spec) { s.Audiences = []string{"x"} }), claims{"iss": "https://one/", "aud": "x"}, trust.ReasonAudience},
		"one of each":                     {rule(func(s *trust.Spec) { s.Audiences = []string{"x"} }), claims{"iss": "https://one/", "aud": []string{"x", "more"}}, ""},
		"the issuer's alone":              {open, claims{"iss": "https://one/", "aud": "more"}, ""},
		"and not another":                 {open, claims{"iss": "https://one/", "aud": "x"}, trust.ReasonAudience},
		"nor none":                        {open, claims{"iss": "https://one/", "aud": nil}, trust.ReasonAudience},
		"nobody binds one":                {open, claims{"iss": "https://three/"}, trust.ReasonAudienceUnbound},
		"nobody binds or names one":       {open, claims{"iss": "https://three/", "aud": nil}, ""},
	} {
		c := base(tc.claims)
		if _, reason, text := admit(t, tc.rule, c); reason != tc.want {
			t.Errorf("%s: %q (%s), want %q", name, reason, text, tc.want)
		}
		early := tc.rule.Precheck(verified(t, c).Token(), now)
		if (early == nil) != (tc.want == "") {
			t.Errorf("%s: before the signature: %v", name, early)
		}
	}
}

// TestARefusalNamesTheIssuersThatAreTaken: an operator reads what was expected.
func TestARefusalNamesTheIssuersThatAreTaken(t *testing.T) {
	rule := login(t, func(s *trust.Spec) {
		s.Issuer, s.Issuers = "", []trust.IssuerBounds{{Issuer: "https://two/"}, {Issuer: "https://one/"}}
	})
	_, d := rule.Admit(verified(t, base(claims{"iss": "https://idp/"})), now)
	if first, _ := d.Failed(); first.Expected != "https://one/, https://two/" || first.Received != "https://idp/" {
		t.Errorf("%+v", first)
	}
	for want, change := range map[string]func(*trust.Spec){
		"RS256, PS256": func(s *trust.Spec) { s.Algorithms = []jwt.Algorithm{jwt.RS256, jwt.PS256} },
		"RS256, EdDSA and PS256": func(s *trust.Spec) {
			s.Algorithms = []jwt.Algorithm{jwt.RS256, jwt.EdDSA}
			s.Issuer, s.Issuers = "", []trust.IssuerBounds{{Issuer: "https://idp/", Algorithms: []jwt.Algorithm{jwt.PS256}}}
		},
	} {
		_, d := login(t, change).Admit(verified(t, base(nil)), now)
		if first, _ := d.Failed(); first.Expected != want || first.Received == "" {
			t.Errorf("%+v, want %s", first, want)
		}
	}
	key := idptest.NewKey(t, "k", jwt.EdDSA)
	secret, err := jwt.Parse(key.Sign(t, `{"alg":"HS256","kid":"k"}`, `{"iss":"https://idp/"}`), jwt.LoginLimits)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range login(t, nil).Explain(secret, now).Checks {
		if c.Name == "algorithm" && (c.OK || c.Expected != "any with a public key" || c.Received != "HS256") {
			t.Errorf("%+v", c)
		}
	}
}

func TestIssuersThatContradictEachOtherDoNotCompile(t *testing.T) {
	one := trust.IssuerBounds{Issuer: "https://one/"}
	for name, change := range map[string]func(*trust.Spec){
		"a rule has one issuer or a list":       func(s *trust.Spec) { s.Issuer, s.Issuers = "x", []trust.IssuerBounds{one} },
		`issuer "https://one/" is listed twice`: func(s *trust.Spec) { s.Issuers = []trust.IssuerBounds{one, one} },
		`issuer "" is listed twice or has no`:   func(s *trust.Spec) { s.Issuers = []trust.IssuerBounds{{}} },
		`unsupported signing algorithm "none"`: func(s *trust.Spec) {
			s.Issuers = []trust.IssuerBounds{{Issuer: "x", Algorithms: []jwt.Algorithm{"none"}}}
		},
		"must be shorter than 100 years": func(s *trust.Spec) {
			s.Issuers = []trust.IssuerBounds{{Issuer: "x", MaxAge: 200 * 365 * 24 * time.Hour}}
		},
	} {
		s := trust.Spec{Style: trust.Login, Name: "demo", UserClaim: "sub"}
		change(&s)
		if _, err := trust.Compile(s); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
	idp := trust.Spec{
		Style: trust.Bearer, Issuers: []trust.IssuerBounds{one}, Audiences: []string{"a"}, Role: &trust.RoleRule{}, Issuer: "",
	}
	if _, err := trust.Compile(idp); err == nil || !strings.Contains(err.Error(), "a rule has one issuer or a list") {
		t.Errorf("an identity provider with a list of issuers: %v", err)
	}
	// An empty list admits nobody.
	none := login(t, func(s *trust.Spec) { s.Issuer, s.Issuers = "", []trust.IssuerBounds{} })
	if _, reason, _ := admit(t, none, base(nil)); reason != trust.ReasonIssuer {
		t.Error(reason)
	}
}

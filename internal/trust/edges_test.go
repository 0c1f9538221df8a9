package trust_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/trust"
)

func checkNames(d policy.Decision) string {
	var names []string
	for _, c := range d.Checks {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

// What an audit entry and an operator are shown of a login that succeeds: each
// check that stands in its way, once.
func TestADecisionThatAllowsListsEachCheckOnce(t *testing.T) {
	full := func(s *trust.Spec) {
		s.GroupsClaim, s.BoundClaims, s.ClaimMappings = "roles", map[string]any{"sub": "alice"}, map[string]string{"sub": "who"}
		s.Times.MaxAge, s.Times.MaxLifetime = time.Hour, time.Hour
	}
	const times = " not_before expiration issued_at max_lifetime max_age"
	for want, r := range map[string]*trust.Rule{
		"algorithm issuer subject audience" + times + " user_claim claim_mappings groups_claim bound_claims": login(t, full),
		"algorithm issuer subject issuer_audience audience" + times + " user_claim claim_mappings groups_claim bound_claims": login(t, func(s *trust.Spec) {
			full(s)
			s.Issuer, s.Issuers = "", []trust.IssuerBounds{{Issuer: "https://idp/", Audiences: []string{"vault"}}}
		}),
		"algorithm issuer subject not_before expiration issued_at audience user_claim":                                             login(t, func(s *trust.Spec) { s.Audiences = nil }),
		"algorithm issuer subject audience" + times + " user_claim claim_mappings groups_claim bound_claims namespace_claims role": bearer(t, full),
	} {
		c := base(nil)
		if strings.Contains(want, "issued_at audience") {
			delete(c, "aud")
		}
		_, d := r.Admit(verified(t, c), now)
		if got := checkNames(d); got != want || !d.Allowed {
			t.Errorf("allowed %v by\n%s, want\n%s", d.Allowed, got, want)
		}
		if got := checkNames(r.Explain(verified(t, c).Token(), now)); got != "signature "+want {
			t.Errorf("explained by\n%s, want\nsignature %s", got, want)
		}
	}
}

func TestExplainShowsAnAlgorithmThatIsNotAllowed(t *testing.T) {
	r := login(t, func(s *trust.Spec) { s.Algorithms = []jwt.Algorithm{jwt.RS256} })
	d := r.Explain(verified(t, base(nil)).Token(), now)
	if !slices.ContainsFunc(d.Checks, func(c policy.Check) bool { return c.Reason == trust.ReasonAlgorithm }) {
		t.Errorf("%+v", d.Checks)
	}
}

func TestAsLongAsANameMayBe(t *testing.T) {
	r := login(t, func(s *trust.Spec) { s.ClaimMappings = map[string]string{"email": "mail"} })
	name, mail := strings.Repeat("x", 1024), strings.Repeat("y", 4096)
	g, _, text := admit(t, r, base(claims{"sub": name, "email": mail}))
	if g.User != name || g.Metadata["mail"] != mail {
		t.Errorf("refused: %s", text)
	}
}

// Each of them would break a line, hide text or move the cursor where a name
// or a decision is shown.
func TestNoControlCharacterIsInANameOrADecision(t *testing.T) {
	user, sub := login(t, nil), login(t, func(s *trust.Spec) { s.Subject = "bob" })
	for _, c := range []string{"\x00", "\x1f", "\x7f", "\u0080", "\u009f", "\u2028", "\u2029"} {
		if _, reason, _ := admit(t, user, base(claims{"sub": "a" + c})); reason != trust.ReasonUser {
			t.Errorf("%+q is part of a name: %q", c, reason)
		}
		_, d := sub.Admit(verified(t, base(claims{"sub": "a" + c})), now)
		if got, _ := d.Failed(); got.Received != "a\ufffd" {
			t.Errorf("%+q is shown as %+q", c, got.Received)
		}
	}
	for _, c := range []string{" ", "~", "\u00a0", "é", "\u2027"} {
		if g, _, text := admit(t, user, base(claims{"sub": "a" + c})); g.User != "a"+c {
			t.Errorf("%+q is refused: %s", c, text)
		}
	}
}

func TestEachSpanOfTimeIsBounded(t *testing.T) {
	const century = 100 * 365 * 24 * time.Hour
	spec := func(x trust.Times) error {
		_, err := trust.Compile(trust.Spec{Style: trust.Login, Name: "r", UserClaim: "sub", Times: x})
		return err
	}
	for name, with := range map[string]func(time.Duration) trust.Times{
		"expiration_leeway": func(d time.Duration) trust.Times { return trust.Times{ExpirationLeeway: d} },
		"not_before_leeway": func(d time.Duration) trust.Times { return trust.Times{NotBeforeLeeway: d} },
		"clock_skew_leeway": func(d time.Duration) trust.Times { return trust.Times{ClockSkew: d} },
		"max_age":           func(d time.Duration) trust.Times { return trust.Times{MaxAge: d} },
		"max_lifetime":      func(d time.Duration) trust.Times { return trust.Times{MaxLifetime: d} },
	} {
		if err := spec(with(century)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := spec(with(century + 1)); err == nil || !strings.Contains(err.Error(), "shorter than 100 years") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r := bearer(t, func(s *trust.Spec) { s.Times.ClockSkew = time.Minute }); r == nil {
		t.Error("a clock skew of 60 s is refused")
	}
}

func TestACompiledRuleKeepsNothingOfItsSource(t *testing.T) {
	auds, algs := []string{"vault"}, []jwt.Algorithm{jwt.EdDSA}
	r := login(t, func(s *trust.Spec) {
		s.Issuer, s.Audiences, s.Issuers = "", nil, []trust.IssuerBounds{{Issuer: "https://idp/", Audiences: auds, Algorithms: algs}}
	})
	auds[0], algs[0] = "other", jwt.RS256
	if _, _, text := admit(t, r, base(nil)); text != "" {
		t.Errorf("the caller's slices are in force: %s", text)
	}
}

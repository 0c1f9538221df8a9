package vaultapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/idptest"
)

// TestRolesThatAreRarelyMeantAreWarnedOf: each row is written with a warning
// that has the text, and its neighbour, which is meant, without.
func TestRolesThatAreRarelyMeantAreWarnedOf(t *testing.T) {
	type m = map[string]any
	for name, tc := range map[string]struct {
		odd, good m
		want      string
	}{
		"wide skew":          {m{"clock_skew_leeway": 301}, m{"clock_skew_leeway": 300}, "clock_skew_leeway is 5m1s: tokens are admitted for so long after their end"},
		"wide lifetime":      {m{"expiration_leeway": "2h"}, m{"expiration_leeway": "1h"}, "expiration_leeway is 2h0m0s: it is how long tokens without exp live"},
		"no effect":          {m{"not_before_leeway": 30}, m{"not_before_leeway": 0}, "not_before_leeway has no effect"},
		"browser's":          {m{"max_age": 60}, m{"max_token_age": 60}, "max_age has no effect on JWT roles"},
		"no audience":        {m{"bound_audiences": nil, "bound_subject": "a"}, m{"bound_subject": "a"}, "the role has no bound_audiences"},
		"audience pattern":   {m{"bound_audiences": "https://*"}, m{"bound_audiences": "https://a"}, `bound_audiences has "https://*", which is compared literally`},
		"subject pattern":    {m{"bound_subject": "repo:*"}, m{"bound_subject": "repo:a"}, `bound_subject contains "*"`},
		"claim pattern":      {m{"bound_claims": m{"a": "x*"}}, m{"bound_claims": m{"a": "x*"}, "bound_claims_type": "glob"}, `bound_claims contains "*"`},
		"everything":         {m{"bound_claims": m{"a": []any{"x", "**"}}, "bound_claims_type": "glob"}, m{"bound_claims": m{"a": "x"}, "bound_claims_type": "glob"}, `bound claim "a" admits every value`},
		"nothing":            {m{"bound_claims": m{"a": []any{}}}, m{"bound_claims": m{"a": []any{"x"}}}, `bound claim "a" admits no value`},
		"two audiences":      {m{"bound_claims": m{"aud": "x"}}, m{"bound_claims": m{"aud": []any{"x", "bao"}}}, `bound claim "aud" and the role's own bound on it have no value in common`},
		"two subjects":       {m{"bound_claims": m{"/sub": "x"}, "bound_subject": "y"}, m{"bound_claims": m{"/sub": "y"}, "bound_subject": "y"}, `bound claim "/sub" and the role's own bound on it`},
		"groups pattern":     {m{"groups_claim": "g", "groups_filter": "a*"}, m{"groups_claim": "g", "groups_filter": "a*", "groups_filter_type": "glob"}, `groups_filter contains "*"`},
		"policy":             {m{"token_policies": "none"}, m{"token_policies": "none{{.a}}", "token_policies_template_claims": true}, `Policy "none" does not exist`},
		"longer than it may": {m{"token_max_ttl": "769h"}, m{"token_max_ttl": "768h"}, "token max ttl is greater"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			d.withConfig()
			a := d.role("r", tc.odd).want(200)
			if w := fmt.Sprint(a.json()["warnings"]); !strings.Contains(w, tc.want) {
				t.Errorf("warnings %s", w)
			}
			d.role("good", tc.good).want(204)
		})
	}
}

func TestARoleOfSeveralIssuersIsWarnedOf(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	one, two := idptest.NewPlain(t), idptest.NewPlain(t)
	pair := func(p *idptest.Provider, issuer bool) map[string]any {
		m := map[string]any{"jwks_url": p.JWKSURL()}
		if issuer {
			m["issuer"] = p.Issuer()
		}
		return m
	}
	config := func(m map[string]any) { d.do("PUT", "auth/jwt/config", rootToken, m).want(204) }
	const text = "does not say whose tokens it takes"
	warned := func(want bool, with map[string]any) {
		t.Helper()
		if a := d.role("r", with); (a.status == 200 && strings.Contains(string(a.body), text)) != want || a.status >= 300 {
			t.Errorf("warned %v, want %v: %s", !want, want, a.body)
		}
		d.do("DELETE", "auth/jwt/role/r", rootToken, nil).want(204)
	}
	bound := func(name string) map[string]any {
		return map[string]any{"bound_claims": map[string]any{name: one.Issuer()}}
	}
	warned(false, nil) // before there is a configuration
	config(map[string]any{"jwks_pairs": []any{pair(one, false), pair(two, false)}})
	warned(true, nil)
	warned(false, bound("iss"))
	warned(false, bound("/iss"))
	config(map[string]any{"jwks_pairs": []any{pair(one, true), pair(two, true)}})
	warned(false, nil)
	config(map[string]any{"jwks_pairs": []any{pair(one, false)}})
	warned(false, nil)
	config(map[string]any{"oidc_discovery_url": one.Issuer()})
	warned(false, nil)
	d.do("POST", "sys/mounts/auth/jwt/tune", rootToken, map[string]any{"options": map[string]any{"compat": "any_issuer,derived_not_before"}}).want(204)
	warned(true, nil)
	warned(false, bound("iss"))
	d.role("r", map[string]any{"not_before_leeway": 30, "bound_claims": map[string]any{"iss": "x"}}).want(204) // has an effect now
	config(map[string]any{"oidc_discovery_url": one.Issuer(), "bound_issuer": "x"})
	warned(false, nil)
}

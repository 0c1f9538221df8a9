package vaultapi

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// Tools that keep servers as code write, read back and compare. Whatever they
// wrote must read back as written, and writing what was read must change
// nothing; else every plan after an apply shows a difference.

func draw[T any](t *rapid.T, m map[string]any, name string, g *rapid.Generator[T]) {
	if rapid.Bool().Draw(t, name+"?") {
		m[name] = g.Draw(t, name)
	}
}

var claimNames = rapid.SampledFrom([]string{"a", "b", "Team", "x-1", "https://example.org/claims/role"})

func roleBody(t *rapid.T) map[string]any {
	m := map[string]any{"role_type": "jwt", "user_claim": claimNames.Draw(t, "user_claim"), "bound_audiences": rapid.SliceOfN(claimNames, 1, 3).Draw(t, "aud")}
	draw(t, m, "bound_subject", claimNames)
	draw(t, m, "groups_claim", claimNames)
	draw(t, m, "user_claim_json_pointer", rapid.Bool())
	draw(t, m, "verbose_oidc_logging", rapid.Bool())
	draw(t, m, "token_no_default_policy", rapid.Bool())
	for _, n := range []string{"expiration_leeway", "not_before_leeway", "clock_skew_leeway"} {
		draw(t, m, n, rapid.IntRange(-1, 500))
	}
	draw(t, m, "max_age", rapid.IntRange(0, 500))
	draw(t, m, "token_ttl", rapid.IntRange(0, 3600))
	draw(t, m, "token_max_ttl", rapid.IntRange(3600, 7200))
	draw(t, m, "token_explicit_max_ttl", rapid.IntRange(0, 7200))
	draw(t, m, "token_period", rapid.IntRange(0, 7200))
	draw(t, m, "token_num_uses", rapid.IntRange(0, 9))
	draw(t, m, "token_policies", rapid.SliceOfN(claimNames, 0, 3))
	draw(t, m, "token_bound_cidrs", rapid.SliceOfN(rapid.SampledFrom([]string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32"}), 0, 2))
	draw(t, m, "token_type", rapid.SampledFrom([]string{"default", "service"}))
	draw(t, m, "claim_mappings", rapid.Map(claimNames, func(w string) map[string]any { return map[string]any{w: "key"} }))
	draw(t, m, "oidc_scopes", rapid.SliceOfN(claimNames, 0, 2))
	draw(t, m, "max_token_age", rapid.IntRange(1, 500))
	draw(t, m, "max_token_lifetime", rapid.IntRange(1, 500))
	draw(t, m, "audit_claims", rapid.SliceOfNDistinct(claimNames, 1, 2, rapid.ID))
	if m["groups_claim"] != nil {
		draw(t, m, "groups_filter", rapid.SliceOfN(claimNames, 1, 3))
		draw(t, m, "groups_filter_type", rapid.SampledFrom([]string{"string", "glob"}))
		draw(t, m, "groups_map", rapid.Map(claimNames, func(w string) map[string]any { return map[string]any{w: "g"} }))
		draw(t, m, "max_groups", rapid.IntRange(1, 1024))
	}
	if rapid.Bool().Draw(t, "glob") {
		m["bound_claims_type"] = "glob"
		m["bound_claims"] = map[string]any{claimNames.Draw(t, "claim"): rapid.SliceOfN(rapid.SampledFrom([]any{"a*", "b"}), 1, 2).Draw(t, "values")}
	} else {
		draw(t, m, "bound_claims", rapid.Map(claimNames, func(w string) map[string]any { return map[string]any{w: []any{"x", true, 7}} }))
	}
	return m
}

// asJSON is what a client sees of v.
func asJSON(t *rapid.T, v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRolesReadBackAsWritten(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	rapid.Check(t, func(rt *rapid.T) {
		body := roleBody(rt)
		d.do("DELETE", "auth/jwt/role/r", rootToken, nil).want(204)
		if a := d.do("POST", "auth/jwt/role/r", rootToken, body); a.status >= 300 {
			rt.Fatalf("%v: %s", body, a.body)
		}
		first := d.do("GET", "auth/jwt/role/r", rootToken, nil).want(200)
		for k, v := range body {
			if got, want := asJSON(rt, first.data()[k]), asJSON(rt, v); !reflect.DeepEqual(got, want) {
				rt.Fatalf("%s was written as %v and reads back as %v", k, want, got)
			}
		}
		if a := d.do("POST", "auth/jwt/role/r", rootToken, first.data()); a.status >= 300 {
			rt.Fatalf("what was read cannot be written: %s", a.body)
		}
		again := d.do("GET", "auth/jwt/role/r", rootToken, nil).want(200)
		if !reflect.DeepEqual(first.data(), again.data()) {
			rt.Fatalf("first\n%v\nagain\n%v", first.data(), again.data())
		}
	})
}

func TestConfigMountsAndPoliciesReadBackAsWritten(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.do("POST", "auth/jwt/config", rootToken, map[string]any{
		"jwt_validation_pubkeys": []string{string(key.PEM(t))}, "bound_issuer": "i", "default_role": "r", "jwt_supported_algs": []string{"ES256", "RS256"},
	}).want(204)
	first := d.do("GET", "auth/jwt/config", rootToken, nil).data()
	body := map[string]any{}
	for k, v := range first {
		if k != "status" {
			body[k] = v
		}
	}
	d.do("POST", "auth/jwt/config", rootToken, body).want(204)
	if again := d.do("GET", "auth/jwt/config", rootToken, nil).data(); !reflect.DeepEqual(first, again) {
		t.Errorf("config\n%v\nagain\n%v", first, again)
	}

	d.do("POST", "sys/mounts/auth/jwt/tune", rootToken, map[string]any{
		"default_lease_ttl": "1h", "max_lease_ttl": "2h", "listing_visibility": "hidden", "token_type": "service", "description": "d",
		"audit_non_hmac_request_keys": []string{"b", "a"},
	}).want(204)
	tune := d.do("GET", "sys/mounts/auth/jwt/tune", rootToken, nil).data()
	d.do("POST", "sys/mounts/auth/jwt/tune", rootToken, tune).want(204)
	if again := d.do("GET", "sys/mounts/auth/jwt/tune", rootToken, nil).data(); !reflect.DeepEqual(tune, again) {
		t.Errorf("tune\n%v\nagain\n%v", tune, again)
	}

	for _, text := range []string{"path \"a\" {\n  capabilities = [\"read\"] # ü\n}\n\n", "\tpath \"a\" {}", `{"path":{"a":{"capabilities":["read"]}}}`} {
		d.do("PUT", "sys/policies/acl/p", rootToken, map[string]any{"policy": text}).want(204)
		if got := d.do("GET", "sys/policies/acl/p", rootToken, nil).data()["policy"]; got != text {
			t.Errorf("policy %q reads back as %q", text, got)
		}
	}
}

package vaultapi

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/idptest"
)

// renewal is a mount whose client tokens end with their JWT, and who signs for
// it.
type renewal struct {
	*door
	key *idptest.Key
}

func newRenewal(t *testing.T, role map[string]any) renewal {
	t.Helper()
	d := newDoor(t)
	r := renewal{d, d.withConfig()}
	with := map[string]any{"token_ttl": "1h", "token_ttl_from_exp": true, "clock_skew_leeway": -1}
	for k, v := range role {
		with[k] = v
	}
	if a := d.role("demo", with); a.status >= 300 {
		t.Fatal(string(a.body))
	}
	return r
}

// jwt signs a token of 600 s, changed by with.
func (r renewal) jwt(with map[string]any) string { return r.key.Token(r.t, r.claims(with)) }

func (r renewal) renew(token, jwt string) answer {
	r.t.Helper()
	return r.do("PUT", "auth/token/renew-self", token, map[string]any{"jwt": jwt, "increment": 3600})
}

func (r renewal) ttl(token string) string {
	r.t.Helper()
	return words(r.do("GET", "auth/token/lookup-self", token, nil).want(200).data()["ttl"])
}

func TestANewJWTCarriesATokenOn(t *testing.T) {
	r := newRenewal(t, nil)
	first := r.jwt(nil)
	tok := r.login("demo", first).token()
	r.clock.add(5 * time.Minute)
	if a := r.renew(tok, first).want(200); words(a.auth()["lease_duration"]) != "300" {
		t.Fatal("the JWT of the login moved the end", string(a.body))
	}
	if a := r.renew(tok, r.jwt(nil)).want(200); words(a.auth()["lease_duration"]) != "600" || a.token() != tok {
		t.Fatal(string(a.body))
	}
	r.clock.add(9 * time.Minute) // the first JWT is long over
	if r.ttl(tok) != "60" {
		t.Fatal(r.ttl(tok))
	}
	// Without a JWT the end stays where the last one put it.
	a := r.do("PUT", "auth/token/renew-self", tok, map[string]any{"increment": 3600}).want(200)
	if words(a.auth()["lease_duration"]) != "60" {
		t.Fatal(string(a.body))
	}
	// The holder may show the token's text to somebody who renews it.
	a = r.do("PUT", "auth/token/renew", rootToken, map[string]any{"token": tok, "jwt": r.jwt(map[string]any{"exp": r.clock.now().Unix() + 900})}).want(200)
	if words(a.auth()["lease_duration"]) != "900" {
		t.Fatal(string(a.body))
	}
	// A JWT that ends sooner does not take away what another gave.
	r.renew(tok, r.jwt(map[string]any{"exp": r.clock.now().Unix() + 60})).want(200)
	if r.ttl(tok) != "900" {
		t.Fatal(r.ttl(tok))
	}
	r.clock.add(15 * time.Minute)
	r.renew(tok, r.jwt(nil)).refused(403, "permission denied")
}

func TestARenewalIsJudgedAsALogin(t *testing.T) {
	r := newRenewal(t, map[string]any{
		"bound_claims": map[string]any{"env": "prod"}, "groups_claim": "groups", "max_token_age": "15m", "token_max_ttl": "1h",
	})
	good := func(with map[string]any) map[string]any {
		m := map[string]any{"env": "prod", "groups": []string{"g"}}
		for k, v := range with {
			m[k] = v
		}
		return m
	}
	tok := r.login("demo", r.jwt(good(nil))).token()
	now := r.clock.now().Unix()
	const other = "the JWT names another user than the token that it is to renew"
	forged := idptest.NewKey(t, "", "ES256").Token(t, r.claims(good(nil)))
	for name, tc := range map[string]struct{ jwt, want string }{
		"forged":       {forged, "error validating token: error verifying token signature: no known key successfully validated the token signature"},
		"expired":      {r.jwt(good(map[string]any{"iat": now - 100, "exp": now - 1})), "error validating token: invalid expiration time (exp) claim: token is expired"},
		"too old":      {r.jwt(good(map[string]any{"iat": now - 901})), "error validating token: invalid issued at (iat) claim: token is too old"},
		"audience":     {r.jwt(good(map[string]any{"aud": "x"})), "error validating token: invalid audience (aud) claim: audience claim does not match any expected audience"},
		"issuer":       {r.jwt(good(map[string]any{"iss": "https://other"})), "error validating token: invalid issuer (iss) claim"},
		"bound claim":  {r.jwt(good(map[string]any{"env": "dev"})), `error validating claims: claim "env" does not match any associated bound claim values`},
		"groups":       {r.jwt(good(map[string]any{"groups": nil})), `failed to fetch groups: "groups" claim not found in token`},
		"another user": {r.jwt(good(map[string]any{"sub": "mallory"})), other},
		"garbage":      {"x", "error validating token: error verifying token signature: the token is not a JWT in compact form"},
	} {
		t.Run(name, func(t *testing.T) {
			a := r.renew(tok, tc.jwt).want(400)
			if name != "garbage" {
				a.refused(400, tc.want)
			}
			e := r.audit.last()
			if id := a.header.Get(DiagnosisHeader); id == "" || e.Diagnosis != id || len(e.Checks) == 0 || e.Checks[len(e.Checks)-1].OK && !strings.Contains(words(e.Checks), "failed") {
				t.Errorf("diagnosis %q, entry %+v", id, e)
			}
			if s := r.log.String(); strings.Contains(s, tc.jwt) && tc.jwt != "x" || !strings.Contains(s, "renewal refused") {
				t.Error("the operator's log shows the token, or nothing")
			}
		})
	}
	if r.ttl(tok) != "600" {
		t.Error("a refused renewal changed the token")
	}
	if keys := r.do("LIST", "identity/entity-alias/id", rootToken, nil).want(200).data()["keys"].([]any); len(keys) != 1 {
		t.Errorf("a refused renewal made an alias: %v", keys)
	}
	r.clock.add(9 * time.Minute)
	for range 6 { // the greatest life of the role holds, whatever JWTs are shown
		r.renew(tok, r.jwt(good(nil))).want(200)
		r.clock.add(9 * time.Minute)
	}
	r.do("GET", "auth/token/lookup-self", tok, nil).want(403)
}

// TestTwoUsersOfOneSubjectStayTwo: the alias counts, and so does the subject.
func TestTwoUsersOfOneSubjectStayTwo(t *testing.T) {
	r := newRenewal(t, map[string]any{"user_claim": "name"})
	tok := r.login("demo", r.jwt(map[string]any{"name": "alice"})).token()
	for _, with := range []map[string]any{{"name": "bob"}, {"name": "Alice"}, {"name": "alice", "sub": "someone"}, {"name": "alice", "sub": nil}} {
		r.renew(tok, r.jwt(with)).want(400)
	}
	alice := map[string]any{"name": "alice"}
	r.renew(tok, r.jwt(alice)).want(200)
	entity := func(token string) any {
		return r.do("GET", "auth/token/lookup-self", token, nil).want(200).data()["entity_id"]
	}
	other := r.login("demo", r.jwt(map[string]any{"name": "bob"})).token()
	aliases := r.do("GET", "identity/entity/id/"+words(entity(tok)), rootToken, nil).want(200).data()["aliases"].([]any)
	alias := aliases[0].(map[string]any)["id"].(string)
	third := r.do("POST", "identity/entity", rootToken, map[string]any{"name": "third"}).want(200).data()["id"]
	// An alias that was moved to another entity no longer leads to the token's.
	r.do("POST", "identity/entity-alias/id/"+alias, rootToken, map[string]any{"canonical_id": third}).want(200)
	r.renew(tok, r.jwt(alice)).refused(400, "the JWT names another user than the token that it is to renew")
	if e := r.audit.last(); e.Checks[len(e.Checks)-1].Note != "the entity is not the token's" {
		t.Error(e.Checks)
	}
	// An entity that was merged into another one leads there.
	r.do("POST", "identity/entity/merge", rootToken, map[string]any{"from_entity_ids": []any{entity(tok)}, "to_entity_id": third}).want(204)
	r.renew(tok, r.jwt(alice)).want(200)
	r.renew(other, r.jwt(alice)).want(400)
	r.do("POST", "identity/entity/id/"+words(third), rootToken, map[string]any{"disabled": true}).want(204)
	r.renew(tok, r.jwt(alice)).refused(403, "permission denied")
}

func TestARenewalTakesPoliciesAndGivesNone(t *testing.T) {
	r := newRenewal(t, map[string]any{
		"token_policies_template_claims": true, "token_policies": []string{"base", "{{range .roles}}{{if eq . `a`}}of-a{{end}}{{end}}", "{{range .roles}}{{if eq . `b`}}of-b{{end}}{{end}}"},
	})
	tok := r.login("demo", r.jwt(map[string]any{"roles": []string{"a", "b"}})).token()
	for _, tc := range []struct {
		roles []string
		want  []any
	}{
		{[]string{"a", "b"}, []any{"base", "default", "of-a", "of-b"}},
		{[]string{"a"}, []any{"base", "default", "of-a"}},
		{[]string{"a", "b"}, []any{"base", "default", "of-a"}}, // what is gone does not come back
	} {
		if got := r.renew(tok, r.jwt(map[string]any{"roles": tc.roles})).auth()["token_policies"]; !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%v: policies %v, want %v", tc.roles, got, tc.want)
		}
	}
	r.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{"token_policies": "base,more", "token_no_default_policy": true, "token_policies_template_claims": false}).want(200)
	if got := r.renew(tok, r.jwt(map[string]any{"roles": []string{}})).auth()["token_policies"]; !reflect.DeepEqual(got, []any{"base"}) {
		t.Errorf("policies %v after the role has changed", got)
	}
	if got := r.do("GET", "auth/token/lookup-self", tok, nil); got.status != 403 {
		t.Errorf("a token without the policy default may still look itself up: %s", got.body)
	}
}

func TestTheRoleAsItIsNowJudgesARenewal(t *testing.T) {
	r := newRenewal(t, nil)
	tok := r.login("demo", r.jwt(nil)).token()
	change := func(with map[string]any) { r.do("PUT", "auth/jwt/role/demo", rootToken, with).want(204) }
	change(map[string]any{"token_bound_cidrs": "203.0.113.0/24"})
	r.renew(tok, r.jwt(nil)).refused(403, deniedAuthed)
	change(map[string]any{"token_bound_cidrs": "", "bound_subject": "nobody"})
	r.renew(tok, r.jwt(nil)).want(400)
	// A role that no longer binds life to the JWT does not let go of tokens
	// that are bound.
	change(map[string]any{"bound_subject": "", "token_ttl_from_exp": false})
	r.clock.add(time.Minute)
	r.renew(tok, r.jwt(nil)).want(200)
	if r.ttl(tok) != "600" {
		t.Error(r.ttl(tok))
	}
	// One that begins to binds those that are renewed with a JWT.
	free := r.login("demo", r.jwt(nil)).token()
	change(map[string]any{"token_ttl_from_exp": true})
	r.renew(free, r.jwt(nil)).want(200)
	if r.ttl(free) != "600" {
		t.Error(r.ttl(free))
	}
	r.do("DELETE", "auth/jwt/role/demo", rootToken, nil).want(204)
	r.renew(tok, r.jwt(nil)).refused(400, `role "demo" could not be found`)
}

func TestOnlyTokensOfAJWTMountAreRenewedWithAJWT(t *testing.T) {
	r := newRenewal(t, nil)
	const wrong = "the token was not issued for a JWT: renew it without 'jwt'"
	r.renew(r.token("default"), r.jwt(nil)).refused(400, wrong)
	r.renew(rootToken, r.jwt(nil)).refused(400, wrong)
	r.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{"token_type": "batch"}).want(204)
	batch := r.login("demo", r.jwt(nil)).token()
	r.renew(batch, r.jwt(nil)).refused(400, "batch tokens cannot be renewed")
	r.do("PUT", "auth/token/renew", rootToken, map[string]any{"token": "hvs.none", "jwt": r.jwt(nil)}).refused(400, "token not found")
	r.renew("", r.jwt(nil)).refused(403, "permission denied")
	// Who knows only the accessor has no token to prove.
	r.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{"token_type": "service"}).want(204)
	acc := r.login("demo", r.jwt(nil)).auth()["accessor"]
	a := r.do("PUT", "auth/token/renew-accessor", rootToken, map[string]any{"accessor": acc, "jwt": r.jwt(nil)}).want(200)
	if w := words(a.json()["warnings"]); !strings.Contains(w, "jwt") {
		t.Errorf("nothing says that 'jwt' was not looked at: %s", w)
	}
}

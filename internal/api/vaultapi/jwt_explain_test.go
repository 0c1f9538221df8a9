package vaultapi

import (
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/idptest"
)

func TestExplainShowsEveryCheckAndDoesNothing(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("demo", map[string]any{"token_policies": "p", "groups_claim": "g"}).want(200)
	d.role("other", map[string]any{"bound_subject": "somebody-else"}).want(204)
	explain := func(body map[string]any) map[string]any {
		t.Helper()
		return d.do("POST", "auth/jwt/explain", rootToken, body).want(200).data()
	}
	good := key.Token(t, d.claims(map[string]any{"g": []string{"x"}}))

	one := explain(map[string]any{"role": "demo", "jwt": good})
	x := one["roles"].([]any)[0].(map[string]any)
	grant := x["grant"].(map[string]any)
	if one["allowed"] != true || x["allowed"] != true || words(grant["token_policies"], grant["groups"], grant["token_type"]) != "[default p] [x] service" {
		t.Fatal(one)
	}
	all := explain(map[string]any{"jwt": good})["roles"].([]any)
	if len(all) != 2 || all[0].(map[string]any)["role"] != "demo" {
		t.Fatal("the role that allows must come first", all)
	}
	if bad := all[1].(map[string]any); bad["reason"] != "wrong_subject" || bad["grant"] != nil {
		t.Fatal(bad)
	}
	if keys := d.do("LIST", "identity/entity/id", rootToken, nil); keys.status != 404 {
		t.Fatal("explaining made an entity")
	}
	if keys := d.do("LIST", "sys/leases/lookup", rootToken, nil); keys.status != 404 {
		t.Fatal("explaining issued a token")
	}

	// A forged and expired token: every check is there, not only the first.
	forged := idptest.NewKey(t, "k1", "RS256").Token(t, d.claims(map[string]any{"exp": d.clock.now().Unix() - 7200, "iat": d.clock.now().Unix() - 9000, "sub": "mallory"}))
	x = explain(map[string]any{"role": "demo", "jwt": forged})["roles"].([]any)[0].(map[string]any)
	failed := map[string]bool{}
	for _, c := range x["checks"].([]any) {
		if c := c.(map[string]any); c["ok"] != true {
			failed[c["check"].(string)] = true
		}
	}
	if !failed["signature"] || !failed["expiration"] || x["allowed"] != false {
		t.Fatal(x)
	}
	if strings.Contains(d.log.String(), forged) || strings.Contains(d.log.String(), "mallory") {
		t.Fatal("explaining wrote to the log")
	}

	d.do("POST", "auth/jwt/explain", rootToken, map[string]any{"role": "none", "jwt": good}).refused(400, `role "none" could not be found`)
	d.do("POST", "auth/jwt/explain", rootToken, nil).refused(400, "missing token")
	d.do("POST", "auth/jwt/explain", d.token("default"), map[string]any{"jwt": good}).refused(403, deniedAuthed)
	d.do("POST", "auth/jwt/explain", "", map[string]any{"jwt": good}).refused(403, "permission denied")
}

func TestExplainJudgesTheAddress(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("demo", map[string]any{"token_bound_cidrs": "192.0.2.0/24"}).want(204)
	jwt := key.Token(t, d.claims(nil))
	for addr, want := range map[string]bool{"192.0.2.1": true, "198.51.100.1": false, "": true} {
		a := d.do("POST", "auth/jwt/explain", rootToken, map[string]any{"role": "demo", "jwt": jwt, "remote_address": addr}).want(200)
		if a.data()["allowed"] != want {
			t.Errorf("%q: %s", addr, a.body)
		}
	}
	d.do("POST", "auth/jwt/explain", rootToken, map[string]any{"role": "demo", "jwt": jwt, "remote_address": "x"}).refused(400, "remote_address must be an IP address")
}

func TestExplainTellsWhichRoleALoginWithoutOneGets(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	key := idptest.NewKey(t, "", "ES256")
	for name, with := range map[string]map[string]any{
		"a": nil, "b": nil, "ops": {"bound_claims": map[string]any{"team": "ops"}}, "z-none": {"bound_subject": "nobody"},
	} {
		d.role(name, with).want(204)
	}
	for _, tc := range []struct {
		config map[string]any
		team   string
		want   string
	}{
		{map[string]any{}, "ops", ""},
		{map[string]any{"default_role": "b"}, "ops", "b"},
		{map[string]any{"default_role": "ops"}, "dev", ""},
		{map[string]any{"role_selection": "first", "role_order": "z-none,ops,b"}, "ops", "ops"},
		{map[string]any{"role_selection": "first", "role_order": "z-none,ops,b"}, "dev", "b"},
		{map[string]any{"role_selection": "first", "role_order": "z-none"}, "ops", ""},
		{map[string]any{"role_selection": "claims"}, "ops", ""}, // three fit
	} {
		tc.config["jwt_validation_pubkeys"] = string(key.PEM(t))
		d.do("PUT", "auth/jwt/config", rootToken, tc.config).want(204)
		jwt := key.Token(t, d.claims(map[string]any{"team": tc.team}))
		chosen := ""
		for _, r := range d.do("POST", "auth/jwt/explain", rootToken, map[string]any{"jwt": jwt}).want(200).data()["roles"].([]any) {
			if r := r.(map[string]any); r["chosen"] == true {
				chosen += r["role"].(string)
			}
		}
		a := d.login("", jwt)
		got := ""
		if a.status == 200 {
			got = a.auth()["metadata"].(map[string]any)["role"].(string)
		}
		if chosen != tc.want || got != tc.want {
			t.Errorf("%v, team %s: explained as %q, logged in as %q, want %q", tc.config["role_selection"], tc.team, chosen, got, tc.want)
		}
	}
	d.do("DELETE", "auth/jwt/role/a", rootToken, nil).want(204)
	d.do("DELETE", "auth/jwt/role/b", rootToken, nil).want(204)
	one := d.do("POST", "auth/jwt/explain", rootToken, map[string]any{"jwt": key.Token(t, d.claims(map[string]any{"team": "ops"}))}).want(200).data()["roles"].([]any)
	if r := one[0].(map[string]any); r["role"] != "ops" || r["chosen"] != true {
		t.Error(one)
	}
}

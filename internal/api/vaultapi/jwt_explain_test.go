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

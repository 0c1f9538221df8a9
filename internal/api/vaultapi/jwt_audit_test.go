package vaultapi

import (
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/policy"
)

func (d *door) lastLogin() *audit.Login {
	d.t.Helper()
	if e := d.audit.last(); e.Resp != nil {
		return e.Resp.Login
	}
	return nil
}

func TestTheAuditLogShowsTheClaimsThatTheRoleLists(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("demo", map[string]any{
		"audit_claims": "iss,/ctx/run,n,none,empty,list", "audit_claims_hmac": []string{"email", "/ctx/who"}, "bound_claims": map[string]any{"env": "prod"},
	}).want(204)
	role := d.do("GET", "auth/jwt/role/demo", rootToken, nil).want(200).data()
	if words(role["audit_claims"], role["audit_claims_hmac"]) != "[iss /ctx/run n none empty list] [email /ctx/who]" {
		t.Error(role)
	}
	claims := func(with map[string]any) map[string]any {
		m := map[string]any{"env": "prod", "email": "alice@example.com", "n": 12345678901234567, "empty": "", "list": []string{"a", "b"},
			"secret": "hunter2", "ctx": map[string]any{"run": "17", "who": "alice"}}
		for k, v := range with {
			m[k] = v
		}
		return d.claims(m)
	}
	const clear = "map[/ctx/run:17 empty: iss:https://issuer.example list:[\"a\",\"b\"] n:12345678901234567]"
	const hashed = "map[/ctx/who:alice email:alice@example.com]"
	read := d.realAudit()
	tok := d.login("demo", key.Token(t, claims(nil))).token()
	lines := strings.Split(strings.TrimSpace(read()), "\n")
	line := lines[len(lines)-1]
	if !strings.Contains(line, `"login":{"role":"demo","verified":true,"claims":{"/ctx/run":"17","empty":"","iss":"https://issuer.example","list":"[\"a\",\"b\"]","n":"12345678901234567"},"claims_hmac":{"/ctx/who":"hmac-sha256:`) {
		t.Errorf("the line of a login: %s", line)
	}
	if all := read(); strings.Contains(all, "alice") || strings.Contains(all, "hunter2") {
		t.Errorf("the log shows a claim that is not listed, or one in clear that is to be hashed: %s", all)
	}
	d.rt.Gate = gate.New(d.audit, d.clock.now)

	d.login("demo", key.Token(t, claims(map[string]any{"env": "dev"}))).want(400)
	if l := d.lastLogin(); l == nil || !l.Verified || l.Role != "demo" || words(l.Claims) != clear || words(l.Hashed) != hashed {
		t.Errorf("of a genuine token that is refused: %+v", l)
	}
	for name, raw := range map[string]string{
		"forged":  idptest.NewKey(t, "", "ES256").Token(t, claims(nil)),
		"expired": key.Token(t, claims(map[string]any{"exp": d.clock.now().Unix() - 1000, "iat": d.clock.now().Unix() - 2000})),
	} {
		d.login("demo", raw).want(400)
		if l := d.lastLogin(); l == nil || l.Verified || words(l.Claims) != clear {
			t.Errorf("%s: %+v", name, l)
		}
	}
	d.login("demo", "x").want(400)
	if l := d.lastLogin(); l == nil || l.Verified || l.Role != "demo" || l.Claims != nil {
		t.Errorf("of what is no token: %+v", l)
	}
	d.role("plain", map[string]any{"bound_claims": map[string]any{"env": "prod"}}).want(204)
	d.login("plain", key.Token(t, claims(map[string]any{"env": "dev"}))).want(400)
	if l := d.lastLogin(); l == nil || !l.Verified || l.Claims != nil {
		t.Errorf("of a genuine token for a role that lists no claims: %+v", l)
	}
	d.login("plain", idptest.NewKey(t, "", "ES256").Token(t, claims(nil))).want(400)
	if l := d.lastLogin(); l == nil || l.Verified {
		t.Errorf("of a forged token for a role that lists no claims: %+v", l)
	}
	d.login("other", key.Token(t, claims(nil))).want(400)
	if l := d.lastLogin(); l != nil {
		t.Errorf("without a role: %+v", l)
	}
	d.do("PUT", "auth/token/renew-self", tok, map[string]any{"jwt": key.Token(t, claims(nil))}).want(200)
	if l := d.lastLogin(); l == nil || !l.Verified || words(l.Claims) != clear {
		t.Errorf("of a renewal: %+v", l)
	}
	d.do("PUT", "auth/token/renew-self", tok, map[string]any{"jwt": key.Token(t, claims(map[string]any{"sub": "mallory"}))}).want(400)
	if l := d.lastLogin(); l == nil || !l.Verified || words(l.Hashed) != hashed {
		t.Errorf("of a renewal for another user: %+v", l)
	}
	a := d.do("PUT", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": key.Token(t, claims(nil))}, "X-Vault-Wrap-TTL", "60s").want(200)
	if l := d.lastLogin(); l == nil || words(l.Claims) != clear || strings.Contains(string(a.body), "hvs.") && a.json()["auth"] != nil {
		t.Errorf("of a wrapped login: %+v", l)
	}
}

// TestEveryRefusalOfALoginSaysWhy: also those that come before the JWT is
// looked at, and after it was admitted.
func TestEveryRefusalOfALoginSaysWhy(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("near", nil).want(204)
	d.role("far", map[string]any{"token_bound_cidrs": "198.51.100.0/24"}).want(204)
	d.role("counted", map[string]any{"token_num_uses": 2}).want(204)
	jwt := key.Token(t, d.claims(nil))
	entity := d.login("near", jwt).auth()["entity_id"].(string)
	refusal := func(role, jwt string, status int, check policy.Check, genuine bool) {
		t.Helper()
		a := d.login(role, jwt).want(status)
		e := d.audit.last()
		if len(e.Checks) == 0 || e.Checks[len(e.Checks)-1] != check {
			t.Errorf("%s: checks %+v, want %+v", role, e.Checks, check)
		}
		if l := d.lastLogin(); l != nil && l.Verified != genuine {
			t.Errorf("%s: %+v", role, l)
		}
		if id := a.header.Get("X-Jotgate-Diagnosis"); id == "" || !strings.Contains(d.log.String(), "login refused") || !strings.Contains(d.log.String(), id) {
			t.Errorf("%s: the operator's log does not have the id %q", role, id)
		}
	}
	refusal("none", jwt, 400, policy.Check{Name: "request", Note: `role "none" could not be found`}, false)
	refusal("near", "", 400, policy.Check{Name: "request", Note: "missing token"}, false)
	refusal("far", jwt, 403, policy.Check{
		Name: "address", Reason: "address", Expected: "198.51.100.0/24", Received: "192.0.2.1", Note: "the role is bound to other addresses",
	}, false)
	d.do("POST", "sys/mounts/auth/jwt/tune", rootToken, map[string]any{"token_type": "batch"}).want(204)
	refusal("counted", jwt, 400, policy.Check{Name: "issue", Note: `batch tokens cannot have "num_uses" set`}, true)
	d.do("POST", "sys/mounts/auth/jwt/tune", rootToken, map[string]any{"token_type": "default-service"}).want(204)
	d.do("POST", "identity/entity/id/"+entity, rootToken, map[string]any{"disabled": true}).want(204)
	refusal("near", jwt, 403, policy.Check{Name: "issue", Reason: "entity_disabled", Note: "entity_disabled"}, true)
}

func TestClaimsForTheAuditLogAreChecked(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	for text, with := range map[string]map[string]any{
		`'audit_claims' and 'audit_claims_hmac': claim "a" is listed twice`: {"audit_claims": "a", "audit_claims_hmac": "a"},
		`'audit_claims' and 'audit_claims_hmac': "/a~2" names no claim`:     {"audit_claims": "/a~2"},
		"'audit_claims' and 'audit_claims_hmac' name more than 64 claims":   {"audit_claims": strings.Repeat("a,", 65)[:130] + "b"},
	} {
		d.role("r", with).refused(400, text)
	}
	d.role("r", nil).want(204)
	if role := d.do("GET", "auth/jwt/role/r", rootToken, nil).want(200).data(); role["audit_claims"] != nil {
		t.Error("reads back although it was not set")
	}
}

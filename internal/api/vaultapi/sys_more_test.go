package vaultapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRatesAreBoundedBeforeAnythingIsRead(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	d.do("POST", "sys/quotas/rate-limit/login", rootToken, map[string]any{"path": "auth/jwt/login", "rate": 2, "interval": "1m"}).want(204)
	d.do("POST", "sys/quotas/config", rootToken, map[string]any{"enable_rate_limit_response_headers": true}).want(204)
	for range 2 {
		if a := d.login("x", "x").want(400); a.header.Get("X-Ratelimit-Limit") != "2" {
			t.Errorf("headers %v", a.header)
		}
	}
	a := d.do("POST", "auth/jwt/login", "", `{"broken`)
	a.refused(429, `request path "auth/jwt/login": rate limit quota exceeded`)
	if a.header.Get("Retry-After") != "30" || a.header.Get("X-Ratelimit-Remaining") != "0" {
		t.Errorf("headers %v", a.header)
	}
	if e := d.audit.last(); e.Diagnosis != a.header.Get(DiagnosisHeader) {
		t.Error("the refusal is not recorded")
	}
	d.do("PUT", "auth/jwt/login/", "", nil).want(429)
	d.do("GET", "sys/mounts", rootToken, nil).want(200)
	d.clock.add(time.Minute)
	d.login("x", "x").want(400)

	got := d.do("GET", "sys/quotas/rate-limit/login", rootToken, nil).want(200).data()
	want := map[string]any{
		"name": "login", "type": "rate-limit", "path": "auth/jwt/login", "role": "", "rate": json.Number("2"), "inheritable": false,
		"interval": json.Number("60"), "block_interval": json.Number("0"), "group_by": "ip",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rule reads %v", got)
	}
	d.do("POST", "sys/quotas/rate-limit/login", rootToken, got).want(204)
	if keys := d.do("LIST", "sys/quotas/rate-limit", rootToken, nil).want(200).data()["keys"]; !reflect.DeepEqual(keys, []any{"login"}) {
		t.Errorf("keys %v", keys)
	}
	for _, body := range []map[string]any{{"rate": 0}, {"rate": "x"}, {}, {"rate": 1, "role": "x"}, {"rate": 1, "type": "lease-count"}, {"rate": 1, "group_by": "entity"}} {
		d.do("POST", "sys/quotas/rate-limit/bad", rootToken, body).want(400)
	}
	d.do("DELETE", "sys/quotas/rate-limit/login", rootToken, nil).want(204)
	d.do("LIST", "sys/quotas/rate-limit", rootToken, nil).want(404)
	d.do("GET", "sys/quotas/rate-limit/login", rootToken, nil).want(404)
	d.do("GET", "sys/quotas/config", rootToken, nil).want(200)
}

// CVE-2025-6004, CVE-2025-54998: whoever guesses was let off by another
// spelling of the same name.
func TestNoSpellingOfANameDodgesARate(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("demo", nil).want(204)
	d.do("POST", "sys/quotas/rate-limit/login", rootToken, map[string]any{"path": "auth/jwt/login", "rate": 3, "interval": "1m"}).want(204)
	got := ""
	for i, sub := range []string{"alice", "Alice", " alice", "ALICE", "alice "} {
		role := []string{"demo", "DEMO", "Demo"}[i%3]
		got += fmt.Sprint(d.login(role, key.Token(t, d.claims(map[string]any{"sub": sub, "aud": "other"}))).status, " ")
	}
	if got != "400 400 400 429 429 " {
		t.Errorf("five guesses: %s", got)
	}
}

func TestOnlyRulesThatHoldEverywhereAreInheritable(t *testing.T) {
	d := newDoor(t)
	for _, kind := range []string{"rate-limit", "lease-count"} {
		path := "sys/quotas/" + kind + "/all"
		body := func(more ...any) map[string]any {
			m := map[string]any{"rate": 100, "max_leases": 100}
			for i := 0; i < len(more); i += 2 {
				m[more[i].(string)] = more[i+1]
			}
			return m
		}
		d.do("POST", path, rootToken, body("inheritable", false)).refused(400, "all global quotas must be inheritable")
		d.do("POST", path, rootToken, body("path", "sys/", "inheritable", true)).refused(400, "only namespace quotas can be configured as inheritable")
		d.do("GET", path, rootToken, nil).want(404)
		for where, want := range map[string]bool{"": true, "sys/": false} {
			for _, b := range []map[string]any{body("path", where), body("path", where, "inheritable", want)} {
				d.do("POST", path, rootToken, b).want(204)
				if got := d.do("GET", path, rootToken, nil).want(200).data()["inheritable"]; got != want {
					t.Errorf("%s at %q reads inheritable %v", kind, where, got)
				}
			}
		}
	}
}

func TestBrowsersMayCallFromNamedOriginsOnly(t *testing.T) {
	d := newDoor(t)
	const origin = "https://app.example"
	if a := d.do("GET", "sys/mounts", rootToken, nil, "Origin", origin).want(200); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a browser may call although nothing was set up")
	}
	d.do("PUT", "sys/config/cors", d.token("default"), map[string]any{"allowed_origins": "*"}).want(403)
	d.do("PUT", "sys/config/cors", rootToken, map[string]any{"allowed_origins": "app.example"}).want(400)
	d.do("PUT", "sys/config/cors", rootToken, map[string]any{"allowed_origins": []string{origin}, "allowed_headers": "X-Own"}).want(204)
	a := d.do("GET", "sys/mounts", rootToken, nil, "Origin", origin).want(200)
	if a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Vary") != "Origin" {
		t.Errorf("headers %v", a.header)
	}
	a = d.do("OPTIONS", "auth/jwt/login", "", nil, "Origin", origin, "Access-Control-Request-Method", "POST").want(204)
	if !strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "X-Vault-Token,X-Own") || a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("headers %v", a.header)
	}
	d.do("GET", "sys/mounts", rootToken, nil, "Origin", "https://evil.example").refused(403, "origin not allowed")
	d.do("OPTIONS", "sys/mounts", "", nil, "Origin", "https://evil.example").want(403)
	d.do("OPTIONS", "sys/mounts", "", nil).want(405)
	got := d.do("GET", "sys/config/cors", rootToken, nil).want(200).data()
	if got["enabled"] != true || !reflect.DeepEqual(got["allowed_origins"], []any{origin}) {
		t.Errorf("cors reads %v", got)
	}
	d.do("DELETE", "sys/config/cors", rootToken, nil).want(204)
	if got := d.do("GET", "sys/config/cors", rootToken, nil).data(); !reflect.DeepEqual(got, map[string]any{"enabled": false}) {
		t.Errorf("cors reads %v", got)
	}
}

func TestTools(t *testing.T) {
	d := newDoor(t)
	token := d.token("default")
	sum := d.do("POST", "sys/tools/hash", token, map[string]any{"input": "YWJj"}).want(200).data()["sum"]
	if sum != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("SHA-256 of abc is %v", sum)
	}
	sum = d.do("POST", "sys/tools/hash/sha2-512", token, map[string]any{"input": "YWJj", "format": "base64"}).want(200).data()["sum"]
	if !strings.HasPrefix(sum.(string), "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05") {
		t.Errorf("SHA-512 of abc is %v", sum)
	}
	for _, body := range []map[string]any{{"input": "!"}, {"input": "YWJj", "algorithm": "md5"}, {"input": "YWJj", "format": "x"}} {
		d.do("POST", "sys/tools/hash", token, body).want(400)
	}
	random := d.do("POST", "sys/tools/random/5", rootToken, map[string]any{"format": "hex"}).want(200).data()["random_bytes"].(string)
	if len(random) != 10 {
		t.Errorf("5 random bytes are %q", random)
	}
	for _, path := range []string{"sys/tools/random/0", "sys/tools/random/-1", "sys/tools/random/x", "sys/tools/random/999999"} {
		d.do("POST", path, rootToken, nil).want(400)
	}
	if st := d.do("GET", "sys/key-status", rootToken, nil).want(200); st.data()["term"] != json.Number("1") || st.json()["term"] != json.Number("1") {
		t.Errorf("key status %s", st.body)
	}
	history := d.do("LIST", "sys/version-history", rootToken, nil).want(200).data()
	for _, info := range history["key_info"].(map[string]any) {
		if at := info.(map[string]any)["timestamp_installed"]; at != "" { // clients print it as a text
			t.Errorf("installed at %v", at)
		}
	}
}

func TestOneMountIsShownAtTheTopLevelToo(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	d.do("POST", "sys/mounts/kv", rootToken, map[string]any{"type": "kv-v2"}).want(204)
	for path, kind := range map[string]string{"sys/mounts/kv": "kv", "sys/auth/jwt": "jwt", "sys/mounts/auth/jwt": "jwt"} {
		r := d.do("GET", path, rootToken, nil).want(200)
		if r.json()["type"] != kind || r.data()["type"] != kind {
			t.Errorf("%s: %s", path, r.body)
		}
	}
}

func TestOpenAPIDescribesEveryMount(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	d.do("POST", "sys/mounts/secret", rootToken, map[string]any{"type": "kv-v2"}).want(204)
	paths := d.do("GET", "sys/internal/specs/openapi", rootToken, nil).want(200).json()["paths"].(map[string]any)
	for _, p := range []string{"/auth/jwt/login", "/auth/token/lookup-self", "/secret/data/{path}", "/sys/mounts", "/identity/entity"} {
		if paths[p] == nil {
			t.Errorf("%s is missing", p)
		}
	}
}

// A rule for a path that leads nowhere would limit nothing.
func TestQuotasNeedAMount(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	for kind, body := range map[string]map[string]any{"rate-limit": {"rate": 100000}, "lease-count": {"max_leases": 100000}} {
		for path, ok := range map[string]bool{
			"auth/jwt": true, "/auth/jwt/login": true, "auth/*": true, "auth/jwt/*": true, "sys/": true,
			"auth/jwt2/login": false, "nothing": false, "auth/": false, "authx*": false,
		} {
			body["path"] = path
			a := d.do("POST", "sys/quotas/"+kind+"/q", rootToken, body)
			if ok && kind == "lease-count" && strings.HasSuffix(path, "*") {
				a.refused(400, "the path of a lease-count quota cannot end in '*'")
				continue
			}
			if !ok {
				a.refused(400, fmt.Sprintf("invalid mount path %q", path))
				continue
			}
			a.want(204)
			d.do("DELETE", "sys/quotas/"+kind+"/q", rootToken, nil).want(204)
		}
	}
}

func TestLeasesAreBounded(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("demo", nil).want(204)
	d.do("POST", "sys/quotas/lease-count/l", rootToken, map[string]any{"path": "auth/jwt", "max_leases": 2}).want(204)
	good := key.Token(t, d.claims(nil))
	d.login("demo", good).want(200)
	last := d.login("demo", good).auth()["client_token"].(string)
	d.login("demo", good).refused(429, `request path "auth/jwt/login": lease count quota exceeded`)
	got := d.do("GET", "sys/quotas/lease-count/l", rootToken, nil).want(200).data()
	if got["path"] != "auth/jwt/" || got["counter"] != json.Number("2") || got["max_leases"] != json.Number("2") {
		t.Errorf("rule reads %v", got)
	}
	d.do("POST", "auth/token/revoke-self", last, nil).want(204)
	d.clock.add(time.Second)
	d.login("demo", good).want(200)
	d.do("DELETE", "sys/quotas/lease-count/l", rootToken, nil).want(204)
	d.login("demo", good).want(200)
	d.do("LIST", "sys/quotas/lease-count", rootToken, nil).want(404)
	d.do("POST", "sys/quotas/lease-count/l", rootToken, map[string]any{"max_leases": 0}).want(400)
}

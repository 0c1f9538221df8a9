package vaultapi

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/gate"
)

// realAudit gives the door a device on disk and returns a way to read it.
func (d *door) realAudit() func() string {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "log")
	must(d.t, d.broker.Enable(audit.Device{Path: "real", Type: "file", Salt: make([]byte, 32), Options: map[string]string{"file_path": path}}))
	d.rt.Gate = gate.New(d.broker, d.clock.now)
	return func() string {
		raw, err := os.ReadFile(path)
		must(d.t, err)
		return string(raw)
	}
}

// CVE-2025-62513, CVE-2025-62705, CVE-2025-4166, CVE-2025-52893: whatever field
// or type a secret comes in, it reaches neither the audit log, nor the
// operator's log, nor an error.
func TestSecretsInEveryFieldAndTypeStayHidden(t *testing.T) {
	d := kvDoor(t)
	log := d.realAudit()
	d.do("POST", "sys/auth/jwt", rootToken, obj{"type": "jwt"}).want(204)
	const secret = "eyJhbGciOiJIUzI1NiJ9.hunter2.c2lnbmF0dXJl"
	values := map[string]any{
		"text": secret, "list": []string{secret}, "deep": obj{"a": []any{obj{"b": secret}}}, "number": 1, "null": nil, "bool": true,
	}
	requests := []struct{ method, path, field string }{
		{"POST", "auth/jwt/login", "jwt"}, {"POST", "auth/jwt/login", "role"}, {"POST", "auth/jwt/login", "unknown"},
		{"POST", "auth/jwt/config", "jwt_validation_pubkeys"}, {"POST", "auth/jwt/config", "bound_issuer"}, {"POST", "auth/jwt/config", "oidc_client_secret"},
		{"POST", "auth/jwt/role/r", "ttl"}, {"POST", "auth/jwt/role/r", "bound_claims"}, {"POST", "auth/jwt/role/r", "token_num_uses"},
		{"POST", "auth/token/lookup", "token"}, {"POST", "auth/token/revoke", "token"}, {"POST", "auth/token/create", "ttl"}, {"POST", "auth/token/create", "id"},
		{"POST", "sys/wrapping/unwrap", "token"}, {"POST", "sys/wrapping/lookup", "token"}, {"POST", "sys/capabilities", "token"},
		{"PUT", "secret/data/a", "data"}, {"PUT", "secret/data/a", "options"}, {"PUT", "secret/metadata/a", "custom_metadata"}, {"PUT", "secret/metadata/a", "delete_version_after"},
		{"PUT", "secret/delete/a", "versions"}, {"PUT", "kv1/a", "k"}, {"PUT", "cubbyhole/a", "k"},
		{"POST", "sys/audit-hash/real", "input"},
	}
	for _, r := range requests {
		for kind, v := range values {
			for _, tok := range []string{rootToken, ""} {
				a := d.do(r.method, r.path, tok, obj{r.field: v})
				if a.status >= 500 {
					t.Errorf("%s %s with %s in %s: %d", r.method, r.path, kind, r.field, a.status)
				}
				if a.status >= 400 && strings.Contains(string(a.body), "hunter2") {
					t.Errorf("%s %s with %s in %s answers with the secret: %s", r.method, r.path, kind, r.field, a.body)
				}
			}
		}
	}
	d.do("POST", "auth/jwt/login", "", "role=x&jwt="+secret, "Content-Type", "application/x-www-form-urlencoded")
	d.do("POST", "auth/jwt/login", "", `{"jwt":"`+secret+`"`)
	d.do("POST", "auth/jwt/login", "", `{"jwt":"`+secret+`","jwt":"x"}`)
	d.do("GET", "auth/jwt/login?jwt="+secret, "", nil)
	d.do("GET", "secret/data/a", secret, nil)
	d.do("GET", "secret/data/a", "", nil, "Authorization", "Bearer "+secret)
	d.do("GET", "secret/data/a?version="+secret, rootToken, nil)
	for what, text := range map[string]string{"audit log": log(), "operator's log": d.log.String()} {
		if i := strings.Index(text, "hunter2"); i >= 0 {
			t.Errorf("the %s shows the secret: %s", what, text[max(0, i-400):min(len(text), i+100)])
		}
	}
}

// CVE-2024-8365: headers that carry credentials are hashed even if the operator
// forgot to say so.
func TestCredentialHeadersAreHashed(t *testing.T) {
	d := newDoor(t)
	log := d.realAudit()
	for _, h := range []string{"X-Vault-Token", "Authorization", "Cookie", "Proxy-Authorization", "X-Open"} {
		d.do("PUT", "sys/config/auditing/request-headers/"+h, rootToken, obj{"hmac": false}).want(204)
	}
	d.do("GET", "sys/audit", rootToken, nil, "Authorization", "Bearer hunter1", "Cookie", "hunter2", "Proxy-Authorization", "hunter3", "X-Open", "shown")
	text := log()
	for _, secret := range []string{"hunter", `["` + rootToken + `"]}`} {
		if strings.Contains(text, secret) {
			t.Errorf("a credential stands in the log: %s", text)
		}
	}
	for _, want := range []string{`"x-open":["shown"]`, `"cookie":["hmac-sha256:`, `"x-vault-token":["hmac-sha256:`} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
}

// raw sends a request line that no client library would send.
func raw(t *testing.T, addr, method, target, token string) (status int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	must(t, err)
	defer func() { _ = c.Close() }()
	_, err = fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\nX-Vault-Token: %s\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", method, target, token)
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// CVE-2026-3605: no spelling of a path leads out of what the policy names.
func TestPathTricksReachNoOtherSecret(t *testing.T) {
	d := kvDoor(t)
	for _, p := range []string{"team-b/x", "team-a/x", "team-ab/x", "x"} {
		d.do("PUT", "secret/data/"+p, rootToken, obj{"data": obj{"k": "v"}}).want(200)
	}
	tok := d.tokenWith(`path "secret/data/team-a/*" { capabilities = ["create","read","update","patch","delete","list"] }
		path "secret/metadata/team-a/*" { capabilities = ["create","read","update","patch","delete","list"] }
		path "secret/+/team-a/+" { capabilities = ["create","update","delete"] }`)
	srv := httptest.NewServer(d.h)
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	var targets []string
	for _, verb := range []string{"data", "metadata", "delete", "destroy", "undelete", "subkeys"} {
		for _, trick := range []string{
			"team-b/x", "team-a/../team-b/x", "team-a/%2e%2e/team-b/x", "team-a/..%2fteam-b/x", "team-a%2f..%2fteam-b%2fx", "team-a/./../team-b/x",
			"team-a//../team-b/x", "team-a/..;/team-b/x", `team-a\..\team-b\x`, "team-a/%00/../../team-b/x", "*", "team-*/x", "+/x", "team-a*/../team-b/x",
			"team-a/%252e%252e/team-b/x", "team-b/x/", "//team-b/x", "/team-b/x", "%2fteam-b/x", "team-a/../../" + verb + "/team-b/x", "team-a", "team-a/",
			"team-a/x/../../team-b/x", "team-ab/x", "Team-A/../team-b/x", "team-a/\u2025/team-b/x", "team-a/%c0%ae%c0%ae/team-b/x", "team-a/?/../team-b/x", "team-a/#/../team-b/x",
		} {
			targets = append(targets, "/v1/secret/"+verb+"/"+trick)
		}
	}
	targets = append(targets, "/v1/secret/data/team-a/../../../sys/mounts/secret", "/v1//secret/data/team-b/x", "/v1/./secret/data/team-b/x", "v1/secret/data/team-b/x", "http://x/v1/secret/data/team-b/x")
	for _, method := range []string{"GET", "LIST", "DELETE", "POST", "PUT", "PATCH"} {
		for _, target := range targets {
			if status := raw(t, addr, method, target, tok); status >= 500 {
				t.Errorf("%s %s: %d", method, target, status)
			}
		}
	}
	for _, p := range []string{"team-b/x", "team-ab/x", "x"} {
		m := d.do("GET", "secret/metadata/"+p, rootToken, nil).want(200).data()
		v, _ := m["versions"].(obj)["1"].(obj)
		if fmt.Sprint(m["current_version"]) != "1" || v["deletion_time"] != "" || v["destroyed"] != false {
			t.Errorf("%s was changed: %v", p, m)
		}
	}
}

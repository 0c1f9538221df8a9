package server_test

import (
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/servertest"
)

func TestMetricsCountBothDoorsAndShowNothingOfARequest(t *testing.T) {
	key := idptest.NewKey(t, "k", "RS256")
	conf := iam.DefaultText + `
[idps.one]
type = "direct-jwt"
[idps.one.conf]
iss = "https://idp/"
aud = "vault"
keys = '''` + string(key.JWK(t)) + `'''
`
	s := servertest.Start(t, servertest.Options{IAM: conf})
	idp := idptest.NewPlain(t)
	must := func(method, path, body string) {
		t.Helper()
		if status, out := s.Vault(method, path, servertest.RootToken, body); status >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, status, out)
		}
	}
	must("POST", "sys/auth/jwt", `{"type":"jwt"}`)
	must("PUT", "auth/jwt/config", `{"jwks_url":"`+idp.JWKSURL()+`"}`)
	must("PUT", "auth/jwt/role/app", `{"role_type":"jwt","bound_audiences":"vault","user_claim":"sub"}`)
	wrong := idp.Token("elsewhere", map[string]any{"sub": "alice"})
	s.Vault("POST", "auth/jwt/login", "", `{"role":"app","jwt":"`+wrong+`"}`)
	s.Vault("POST", "auth/jwt/login", "", `{"role":"app","jwt":"`+idp.Token("vault", map[string]any{"sub": "alice"})+`"}`)
	s.Vault("GET", "secret/data/private-path", "hvs.private-token", "")
	old := key.Token(t, map[string]any{"iss": "https://idp/", "aud": "vault", "sub": "x", "exp": 1000000000, "roles": []string{"VaultAdminRole"}})
	if status, _ := s.Pvault("GET", "system/info/version", old, ""); status != 401 {
		t.Errorf("expired: %d", status)
	}
	s.Pvault("GET", "system/info/version", servertest.AdminKey, "")

	for _, token := range []string{"", "hvs.wrong"} {
		if status, _ := s.Vault("GET", "sys/metrics", token, ""); status != 403 {
			t.Errorf("metrics with %q: %d", token, status)
		}
	}
	if status, _ := s.Vault("GET", "sys/metrics?format=json", servertest.RootToken, ""); status != 400 {
		t.Errorf("another format: %d", status)
	}
	status, text := s.Vault("GET", "sys/metrics?format=prometheus", servertest.RootToken, "")
	if status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	for _, want := range []string{
		`jotgate_requests_total{door="vault",operation="update",status="2xx"}`,
		`jotgate_requests_total{door="vault",operation="read",status="4xx"}`,
		`jotgate_requests_total{door="pvault",operation="get-vault-version",status="2xx"} 1`,
		`jotgate_requests_total{door="pvault",operation="get-vault-version",status="4xx"} 1`,
		`jotgate_refusals_total{door="vault",issuer="auth/jwt/",reason="wrong_audience"} 1`,
		"jotgate_key_sources 1\n", "jotgate_key_sources_failing 0\n", "jotgate_key_sources_without_keys 0\n", "jotgate_key_set_oldest_seconds ",
		`jotgate_refusals_total{door="pvault",issuer="one",reason="expired"} 1`,
		`jotgate_key_fetches_total{result="failed"} 0`,
		"jotgate_sealed 0", "jotgate_audit_refused_total 0", "go_goroutines",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, `jotgate_key_fetches_total{result="ok"} 0`) {
		t.Error("fetches of keys are not counted")
	}
	for _, secret := range []string{"private-path", "private-token", wrong, servertest.AdminKey, "alice", "127.0.0.1"} {
		if strings.Contains(text, secret) {
			t.Errorf("the metrics show %q", secret)
		}
	}
}

package clients_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/servertest"
)

// Tools that cannot run inside a test are played here: their requests, in
// their order, with their headers, and a look at the fields that they read.

// auth reads the block of a login's answer.
func auth(t *testing.T, answer map[string]any) (token string, block map[string]any) {
	t.Helper()
	block, _ = answer["auth"].(map[string]any)
	token, _ = block["client_token"].(string)
	if token == "" {
		t.Fatalf("no client token in %v", answer)
	}
	return token, block
}

func login(t *testing.T, s *servertest.Server, path string, body any) (token string, block map[string]any) {
	t.Helper()
	return auth(t, call(t, s, "PUT", path, "", body, 200))
}

// The action signs a token of its own when it is given a private key: without
// aud and without sub.
func TestVaultActionSequence(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		setup(t, s)
		key := idptest.NewKey(t, "", jwt.RS256)
		put(t, s, "sys/auth/github", map[string]any{"type": "jwt"})
		put(t, s, "auth/github/config", map[string]any{"jwt_validation_pubkeys": string(key.PEM(t)), "bound_issuer": "vault-action", "default_role": "ci"})
		put(t, s, "auth/github/role/ci", map[string]any{
			"role_type": "jwt", "user_claim": "actor", "bound_claims": map[string]any{"repository": "octo/app", "ref": []string{"refs/heads/main"}}, "policies": "app",
			"claim_mappings": map[string]string{"sha": "commit"},
		})
		claims := func(repository string) map[string]any {
			now := time.Now().Unix()
			return map[string]any{
				"iss": "vault-action", "iat": now, "nbf": now, "exp": now + 3600, "event": "push", "workflow": "build", "sha": "4f2a", "actor": "alice", "repository": repository, "ref": "refs/heads/main",
			}
		}
		body := func(role, repository string) string {
			b, err := json.Marshal(map[string]string{"jwt": key.Token(t, claims(repository)), "role": role})
			ok(t, err)
			return string(b)
		}
		status, out := s.Do("POST", "/v1/auth/github/login", body("", "octo/app"), "X-Vault-Namespace", "", "Content-Type", "application/json")
		if status != 200 {
			t.Fatalf("login: %d %s", status, out)
		}
		token, block := auth(t, object(t, out))
		same(t, "policies", block["policies"], []string{"app", "default"})
		same(t, "metadata", block["metadata"], map[string]string{"role": "ci", "commit": "4f2a"})
		status, out = s.Do("GET", "/v1/secret/data/app/db", "", "X-Vault-Token", token, "X-Vault-Namespace", "")
		same(t, "secret", at(object(t, out), "data", "data"), map[string]string{"user": "alice", "password": "pa55"})
		same(t, "status", status, 200)
		if status, out := s.Vault("GET", "secret/data/app/none", token, ""); status != 404 {
			t.Errorf("the action has a message of its own for 404, got %d %s", status, out)
		}
		for name, b := range map[string]string{"another repository": body("ci", "octo/evil"), "another role": body("admin", "octo/app")} {
			if status, out := s.Do("POST", "/v1/auth/github/login", b); status != 400 || strings.Contains(out, "client_token\":\"") {
				t.Errorf("%s: %d %s", name, status, out)
			}
		}
	})
}

// The token of the workflow itself has a list of claims in sub, and the
// audience that the workflow asked for.
func TestGitHubTokenWithAGlobOnTheSubject(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	put(t, s, "auth/jwt/role/deploy", map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_audiences": "https://github.com/octo", "bound_claims_type": "glob",
		"bound_claims": map[string]any{"sub": "repo:octo/app:*", "environment": []string{"prod*", "stage"}}, "token_policies": "app", "token_ttl": 600,
	})
	for sub, want := range map[string]int{"repo:octo/app:ref:refs/heads/main": 200, "repo:octo/apple:ref:refs/heads/main": 400, "repo:evil/app:x": 400} {
		body := map[string]any{"role": "deploy", "jwt": idp.Token("https://github.com/octo", map[string]any{"sub": sub, "environment": "production"})}
		call(t, s, "POST", "auth/jwt/login", "", body, want)
	}
}

func TestTerraformProviderLoginSequence(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		parent, _ := login(t, s, "auth/jwt/login", map[string]any{"role": "demo", "jwt": idp.Token(audience, nil), "distributed_claim_access_token": ""})
		call(t, s, "GET", "auth/token/lookup-self", parent, nil, 200)
		child, block := auth(t, call(t, s, "POST", "auth/token/create", parent, map[string]any{
			"policies": nil, "ttl": "1200s", "explicit_max_ttl": "1200s", "renewable": false, "display_name": "terraform", "num_uses": 0, "type": "", "entity_alias": "",
		}, 200))
		same(t, "child's life", block["lease_duration"], 1200)
		same(t, "child renewable", block["renewable"], false)
		same(t, "child's policies", block["policies"], []string{"app", "default"})
		version, _ := call(t, s, "GET", "sys/seal-status", child, nil, 200)["version"].(string)
		if !regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`).MatchString(version) {
			t.Errorf("version %q is not a semantic version", version)
		}
		same(t, "secret", at(call(t, s, "GET", "secret/data/app/db", child, nil, 200), "data", "data"), map[string]string{"user": "alice", "password": "pa55"})
		put(t, s, "auth/token/revoke", map[string]any{"token": parent})
		call(t, s, "GET", "auth/token/lookup-self", child, nil, 403)
	})
}

func TestExternalSecretsSequence(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		put(t, s, "auth/jwt/role/eso", with(demoRole, map[string]any{"bound_audiences": "vault", "token_ttl": 90}))
		put(t, s, "auth/jwt/role/batch", with(demoRole, map[string]any{"bound_audiences": "vault", "token_type": "batch"}))
		service := map[string]any{"sub": "system:serviceaccount:apps:web", "exp": time.Now().Unix() + 600}
		token, _ := login(t, s, "auth/jwt/login", map[string]any{"role": "eso", "jwt": idp.Token("vault", service)})
		data, _ := call(t, s, "GET", "auth/token/lookup-self", token, nil, 200)["data"].(map[string]any)
		same(t, "type", data["type"], "service")
		if ttl, isNumber := data["ttl"].(float64); !isNumber || ttl < 80 || ttl > 90 {
			t.Errorf("ttl %v", data["ttl"])
		}
		end, _ := data["expire_time"].(string)
		if at, err := time.Parse(time.RFC3339, end); err != nil || time.Until(at) > 91*time.Second || time.Until(at) < 60*time.Second {
			t.Errorf("expire_time %q: %v", end, err)
		}
		same(t, "secret", at(call(t, s, "GET", "secret/data/app/db?version=1", token, nil, 200), "data", "data", "user"), "alice")
		same(t, "metadata", at(call(t, s, "GET", "secret/metadata/app/db", token, nil, 200), "data", "current_version"), 1)
		same(t, "list", at(call(t, s, "LIST", "secret/metadata/app", token, nil, 200), "data", "keys"), []string{"db"})
		call(t, s, "PUT", "auth/token/revoke-self", token, nil, 204)
		call(t, s, "GET", "auth/token/lookup-self", token, nil, 403)

		root, _ := call(t, s, "GET", "auth/token/lookup-self", servertest.RootToken, nil, 200)["data"].(map[string]any)
		if end, there := root["expire_time"]; !there || end != nil {
			t.Errorf("expire_time of a token without an end: %v", end)
		}
		token, block := login(t, s, "auth/jwt/login", map[string]any{"role": "batch", "jwt": idp.Token("vault", service)})
		same(t, "batch", block["renewable"], false)
		same(t, "type of a batch token", at(call(t, s, "GET", "auth/token/lookup-self", token, nil, 200), "data", "type"), "batch")
	})
}

func TestVaultSecretsOperatorSequence(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	put(t, s, "auth/jwt/role/fixed", with(demoRole, map[string]any{"token_type": "batch", "token_ttl": 60, "token_max_ttl": 60}))
	token, block := login(t, s, "auth/jwt/login", map[string]any{"role": "fixed", "jwt": idp.Token(audience, nil)})
	if block["renewable"] != false || block["lease_duration"] != 60.0 {
		t.Errorf("a token that cannot be renewed says %v", block)
	}
	call(t, s, "GET", "secret/data/forbidden", token, nil, 403) // taints the client, which looks itself up
	call(t, s, "GET", "auth/token/lookup-self", token, nil, 200)
}

// The agent sends the file as it is, with the newline at its end, may ask for
// a wrapped token, and logs in again when the file changes.
func TestAgentAutoAuthSequence(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		var tokens []string
		for range 2 {
			token, _ := login(t, s, "auth/jwt/login", map[string]any{"role": "demo", "jwt": idp.Token(audience, nil) + "\n"})
			tokens = append(tokens, token)
			_, renewed := auth(t, call(t, s, "PUT", "auth/token/renew-self", token, map[string]any{"increment": 3600}, 200))
			same(t, "renewed", renewed["lease_duration"], 3600)
		}
		if tokens[0] == tokens[1] {
			t.Error("two logins gave the same token")
		}
		call(t, s, "GET", "secret/data/app/db", tokens[0], nil, 200) // a new login does not end the old token

		body := `{"role":"demo","jwt":"` + idp.Token(audience, nil) + `\n"}`
		status, out := s.Do("PUT", "/v1/auth/jwt/login", body, "X-Vault-Wrap-TTL", "5m0s", "X-Vault-Request", "true")
		wrapping, _ := at(object(t, out), "wrap_info", "token").(string)
		if status != 200 || wrapping == "" || at(object(t, out), "auth") != nil {
			t.Fatalf("wrapped: %d %s", status, out)
		}
		token, _ := auth(t, call(t, s, "POST", "sys/wrapping/unwrap", wrapping, nil, 200))
		call(t, s, "GET", "secret/data/app/db", token, nil, 200)
	})
}

// Nomad's older client gives up on these texts and tries again on all others.
func TestNomadReadsTheTextsOfRefusals(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	setup(t, s)
	fixed, _ := auth(t, put(t, s, "auth/token/create", map[string]any{"policies": []string{"app"}, "renewable": false, "ttl": "5m"}))
	for _, c := range []struct {
		method, path, token string
		body                any
		status              int
		text                string
	}{
		{"PUT", "auth/token/renew-self", fixed, map[string]any{"increment": 60}, 400, "lease is not renewable"},
		{"PUT", "auth/token/renew", servertest.RootToken, map[string]any{"token": "hvs.gone", "increment": 60}, 400, "token not found"},
		{"PUT", "auth/token/renew-self", "hvs.gone", map[string]any{"increment": 60}, 403, "permission denied"},
		{"PUT", "sys/leases/renew", servertest.RootToken, map[string]any{"lease_id": "none/x", "increment": 60}, 400, "lease not found"},
	} {
		got := call(t, s, c.method, c.path, c.token, c.body, c.status)
		if list, _ := got["errors"].([]any); len(list) != 1 || !strings.Contains(list[0].(string), c.text) {
			t.Errorf("%s: %v, want %q", c.path, got, c.text)
		}
	}
}

// The CLI asks where a path is mounted before each kv command.
func TestCommandLinePreflight(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	token, _ := login(t, s, "auth/jwt/login", map[string]any{"role": "demo", "jwt": idp.Token(audience, nil)})
	data, _ := call(t, s, "GET", "sys/internal/ui/mounts/secret/app/db", token, nil, 200)["data"].(map[string]any)
	same(t, "path", data["path"], "secret/")
	same(t, "type", data["type"], "kv")
	same(t, "the version is a text", at(data, "options", "version"), "2")
	call(t, s, "GET", "sys/internal/ui/mounts/none/x", token, nil, 403)
}

// cert-manager and others expect a kubernetes-like path and ask for health.
func TestKubernetesShapedMountPath(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	put(t, s, "sys/auth/clusters/eu-1", map[string]any{"type": "jwt"})
	put(t, s, "auth/clusters/eu-1/config", map[string]any{"jwks_url": idp.JWKSURL(), "bound_issuer": idp.Issuer()})
	put(t, s, "auth/clusters/eu-1/role/issuer", map[string]any{
		"role_type": "jwt", "bound_audiences": "vault://ns/issuer", "bound_subject": "system:serviceaccount:ns:issuer", "user_claim": "/kubernetes.io/serviceaccount/name", "user_claim_json_pointer": true, "token_policies": "app",
	})
	claims := map[string]any{"sub": "system:serviceaccount:ns:issuer", "kubernetes.io": map[string]any{"serviceaccount": map[string]any{"name": "issuer"}}}
	_, block := auth(t, call(t, s, "POST", "auth/clusters/eu-1/login", "", map[string]any{"role": "issuer", "jwt": idp.Token("vault://ns/issuer", claims)}, 200))
	if policies, _ := block["policies"].([]any); !slices.Contains(policies, any("app")) {
		t.Errorf("policies: %v", policies)
	}
	if status, _ := s.Do("GET", "/v1/sys/health?sealedcode=299&standbyok=true", ""); status != 200 {
		t.Errorf("health: %d", status)
	}
	call(t, s, "POST", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": idp.Token("vault://ns/issuer", claims)}, 400)
}

package clients_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	vault "github.com/hashicorp/vault/api"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/servertest"
)

// audience is what the tokens of these tests are made for, and appPolicy what
// the role "demo" gives.
const (
	audience  = "https://vault.example.com"
	appPolicy = `
path "secret/data/app/*" { capabilities = ["create", "read", "update", "patch", "delete"] }
path "secret/delete/app/*" { capabilities = ["update"] }
path "secret/metadata/app/*" { capabilities = ["read", "list", "delete"] }
path "secret/metadata/app" { capabilities = ["list"] }
path "auth/token/create" { capabilities = ["update"] }
`
)

// demoRole is the role that setup writes.
var demoRole = map[string]any{
	"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{audience}, "token_policies": []string{"app"}, "token_ttl": "1h", "token_max_ttl": "4h",
}

// setup makes auth/jwt with the provider's discovery, the policy "app" and the
// role "demo", with plain HTTP.
func setup(t *testing.T, s *servertest.Server) *idptest.Provider {
	t.Helper()
	idp := idptest.NewPlain(t)
	put(t, s, "sys/auth/jwt", map[string]any{"type": "jwt"})
	put(t, s, "auth/jwt/config", map[string]any{"oidc_discovery_url": idp.Issuer(), "default_role": "demo"})
	put(t, s, "sys/policies/acl/app", map[string]any{"policy": appPolicy})
	put(t, s, "auth/jwt/role/demo", demoRole)
	put(t, s, "secret/data/app/db", map[string]any{"data": map[string]any{"user": "alice", "password": "pa55"}})
	return idp
}

// put writes as root and returns the answer.
func put(t *testing.T, s *servertest.Server, path string, body any) map[string]any {
	t.Helper()
	return call(t, s, "POST", path, servertest.RootToken, body, 200, 204)
}

// call sends a request and decodes the answer; the status must be one of want.
func call(t *testing.T, s *servertest.Server, method, path, token string, body any, want ...int) map[string]any {
	t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	status, out := s.Vault(method, path, token, text)
	if !slices.Contains(want, status) {
		t.Fatalf("%s %s: %d %s, want %v", method, path, status, out, want)
	}
	return object(t, out)
}

// object decodes a JSON object; an empty text is an empty object.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	m := map[string]any{}
	if text == "" {
		return m
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return m
}

// at follows names into nested objects.
func at(m map[string]any, names ...string) any {
	var v any = m
	for _, n := range names {
		o, _ := v.(map[string]any)
		v = o[n]
	}
	return v
}

// with returns a copy of m with the changes.
func with(m map[string]any, changes map[string]any) map[string]any {
	m = maps.Clone(m)
	maps.Copy(m, changes)
	return m
}

// client returns HashiCorp's client for the server.
func client(t *testing.T, s *servertest.Server, token string) *vault.Client {
	t.Helper()
	conf := vault.DefaultConfig()
	conf.Address, conf.MaxRetries = s.URL, 0
	c, err := vault.NewClient(conf)
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken(token)
	return c
}

// must ends the test on an error.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// ok ends the test on an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks that HashiCorp's client saw this status and text.
func refused(t *testing.T, err error, status int, text string) {
	t.Helper()
	var re *vault.ResponseError
	if !errors.As(err, &re) || re.StatusCode != status || !strings.Contains(strings.Join(re.Errors, "\n"), text) {
		t.Errorf("got %v, want status %d with %q", err, status, text)
	}
}

// same compares by the JSON form, in which clients see values.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	g, err1 := json.Marshal(got)
	w, err2 := json.Marshal(want)
	if err1 != nil || err2 != nil || string(g) != string(w) {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// jsonText encodes a value.
func jsonText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

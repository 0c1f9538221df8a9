// Package clienttest drives a whole server with a client that others wrote.
package clienttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/servertest"
)

// TestVendorsClient drives a real server with the npm client that the vendor
// generates from its own specification.
func TestVendorsClient(t *testing.T) {
	dir := installedClient(t)
	key := idptest.NewKey(t, "k1", jwt.Algorithm("RS256"))
	servertest.Each(t, servertest.Options{IAM: iam.DefaultText + `
[roles.NobodyRole]
capabilities = []
policies = []
[idps.app]
type = "direct-jwt"
[idps.app.conf]
iss = "https://idp.test/"
aud = "vault"
keys = '''` + string(key.JWK(t)) + `'''
`}, func(t *testing.T, s *servertest.Server) { tell(t, s, key, dir) })
}

// tell runs the story against one server.
func tell(t *testing.T, s *servertest.Server, key *idptest.Key, dir string) {
	token := func(role string, life time.Duration, more map[string]any) string {
		c := map[string]any{"iss": "https://idp.test/", "aud": "vault", "sub": "u", "exp": time.Now().Add(life).Unix(), "roles": []string{role}}
		for k, v := range more {
			c[k] = v
		}
		return key.Token(t, c)
	}
	cmd := exec.CommandContext(t.Context(), "node", "story.mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"JOTGATE_URL="+s.URL,
		"JOTGATE_JWT_NOBODY="+token("NobodyRole", time.Hour, nil),
		"JOTGATE_JWT_ALICE="+token("VaultAdminRole", time.Hour, map[string]any{"https://app.piiano.io/prop/user_id": "alice"}),
		"JOTGATE_JWT_EXPIRED="+token("VaultAdminRole", -time.Hour, nil),
	)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// installedClient returns where the client is that `make setup` installs.
func installedClient(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal("node is not installed: run make setup")
	}
	dir := filepath.Join("testdata", "client")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@piiano", "vault-client")); err != nil {
		t.Fatal("the client is not installed: run make setup")
	}
	return dir
}

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
// generates from its own specification. It needs node and the npm registry.
func TestVendorsClient(t *testing.T) {
	dir := installClient(t)
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

// installClient installs exactly what the lock file names and returns where.
func installClient(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is not installed: run make setup", tool)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "client"))); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm cannot install the client: %v\n%s", err, out)
	}
	return dir
}

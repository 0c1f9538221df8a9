package clients_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/jotgate/jotgate/internal/servertest"
)

// TestNodeClients runs the clients from npm in one process of Node.js.
func TestNodeClients(t *testing.T) {
	t.Parallel() // waits for real time
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is not installed: run make setup")
	}
	for _, name := range []string{"node-vault", "hashi-vault-js", "@litehex/node-vault"} {
		if _, err := os.Stat("node/node_modules/" + name); err != nil {
			t.Fatal(name + " is not installed: run make setup")
		}
	}
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		cmd := exec.CommandContext(t.Context(), node, "--test", "client.test.mjs", "others.test.mjs")
		cmd.Dir = "node"
		cmd.Env = append(os.Environ(), "JOTGATE_URL="+s.URL, "JOTGATE_ROOT="+servertest.RootToken,
			"JOTGATE_JWT="+idp.Token(audience, nil), "JOTGATE_BAD_JWT="+idp.Token("https://other", nil))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

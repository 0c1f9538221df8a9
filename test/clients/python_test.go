package clients_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/jotgate/jotgate/internal/servertest"
)

// TestHvac runs Python's client as the Debian package python3-hvac brings it,
// for the system's own Python.
func TestHvac(t *testing.T) {
	t.Parallel() // waits for another process
	const python = "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), python, "-c", "import hvac").Run(); err != nil {
		t.Fatal("hvac is not installed: run make setup")
	}
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		cmd := exec.CommandContext(t.Context(), python, "-B", "client_test.py")
		cmd.Dir = "python"
		cmd.Env = append(os.Environ(), "JOTGATE_URL="+s.URL, "JOTGATE_ROOT="+servertest.RootToken, "JOTGATE_ISSUER="+idp.Issuer(), "JOTGATE_JWKS="+idp.JWKSURL(),
			"JOTGATE_JWT="+idp.Token(audience, nil), "JOTGATE_BAD_JWT="+idp.Token("https://other", nil))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// Package clients_test drives a whole jotgate server with clients that are not
// ours: the Go libraries of HashiCorp Vault (both) and OpenBao, clients for
// Node.js and Python, curl, and the call sequences of tools that cannot run
// inside a test. It is a module of its own, so that those clients are no
// dependency of jotgate. The Go client that is ours is tried here too.
//
// It says what the clients need, in their words: what they return, not what
// the wire carries. Bodies and statuses are the business of the door's tests.
package clients_test

import (
	"os"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/storage/postgres/pgtest"
)

// TestMain takes the settings of a real vault out of the environment: every
// client here reads it.
func TestMain(m *testing.M) {
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "VAULT_") || strings.HasPrefix(name, "BAO_") || strings.HasSuffix(strings.ToLower(name), "_proxy") {
			_ = os.Unsetenv(name)
		}
	}
	pgtest.Main(m)
}

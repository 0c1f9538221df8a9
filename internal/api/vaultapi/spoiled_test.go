package vaultapi

import (
	"errors"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/audit"
)

// Requests that nobody could make sense of leave their lines like all others,
// and are refused like all others when no line can be left.
func TestRequestsThatCannotBeUnderstoodAreRecorded(t *testing.T) {
	d := newDoor(t)
	for name, c := range map[string]struct {
		method, path string
		headers      []string
		status       int
	}{
		"path":      {"GET", "secret/../sys/seal", nil, 400},
		"verb":      {"TRACE", "secret/a", nil, 405},
		"namespace": {"GET", "secret/a", []string{"X-Vault-Namespace", "team"}, 404},
		"token":     {"GET", "secret/a", []string{"X-Vault-Token", strings.Repeat("a", 20<<10)}, 413},
		"wrap ttl":  {"GET", "secret/a", []string{"X-Vault-Wrap-TTL", "soon"}, 400},
	} {
		before := len(d.audit.entries)
		d.do(c.method, c.path, "", nil, c.headers...).want(c.status)
		if n := len(d.audit.entries) - before; n != 2 {
			t.Errorf("%s: %d entries", name, n)
			continue
		}
		e := d.audit.last()
		if e.Type != audit.Response || e.Error == "" && name != "verb" || e.Auth.Allowed || e.Req.ID == "" || e.Req.Path != c.path {
			t.Errorf("%s: %+v", name, e)
		}
	}
	d.audit.fail = errors.New("disk full")
	d.do("GET", "secret/../sys/seal", "", nil).want(500)
}

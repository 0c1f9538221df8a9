package server_test

import (
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/servertest"
)

// Nothing outside the doors' prefixes is served or redirected; the common slip
// of an address that ends in a slash is told.
func TestPathsOutsideTheDoorsAreNotServed(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	for path, says := range map[string]string{
		"/": `{"errors":[]}`, "/v1": `{"errors":[]}`, "/v2/sys/health": `{"errors":[]}`, "/ui/": `{"errors":[]}`,
		"//v1/sys/health": "two slashes", "//api/pvlt/1.0/ctl/info/health": "two slashes", "///v1/sys/health": "two slashes",
		"/api/pvlt/2.0/x": "PV1012",
	} {
		for _, method := range []string{"GET", "POST"} {
			if status, out := s.Do(method, path, "", "X-Vault-Token", servertest.RootToken); status != 404 || !strings.Contains(out, says) {
				t.Errorf("%s %s: %d %s", method, path, status, out)
			}
		}
	}
}

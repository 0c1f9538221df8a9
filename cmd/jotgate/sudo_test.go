package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/servertest"
)

// What -output-policy prints must be enough: the program's list of paths that
// need sudo is the server's.
func TestSudoPathsAreTheServers(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	status, out := s.Vault("GET", "sys/internal/specs/openapi", servertest.RootToken, "")
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || status != 200 || len(doc.Paths) < 100 {
		t.Fatal(status, err, len(doc.Paths))
	}
	param := regexp.MustCompile(`\{[^}]*\}`)
	marked := 0
	for path, item := range doc.Paths {
		path = strings.TrimPrefix(param.ReplaceAllString(path, "x"), "/")
		want := item["x-vault-sudo"] == true
		var got bool
		for verb, method := range map[string]string{"get": "GET", "post": "PUT", "delete": "DELETE", "patch": "PATCH"} {
			if item[verb] != nil {
				got = got || needsSudo(method, path, strings.HasSuffix(path, "/"))
			}
		}
		if got != want {
			t.Errorf("%s: the server says %v, the program %v", path, want, got)
		}
		if want {
			marked++
		}
	}
	if marked < 30 {
		t.Errorf("only %d paths need sudo", marked)
	}
}

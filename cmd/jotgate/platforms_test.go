package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/idptest"
)

// TestThePlatformsOfTheDocumentationLogIn runs the operator's commands of
// docs/platforms.md, with a provider of the test in place of each platform's
// issuer, and logs in with tokens that have the platforms' claims.
func TestThePlatformsOfTheDocumentationLogIn(t *testing.T) {
	if testing.Short() {
		t.Skip("builds both programs and starts a server")
	}
	text, err := os.ReadFile("../../docs/platforms.md")
	if err != nil {
		t.Fatal(err)
	}
	shell := newDocShell(t)
	cluster := idptest.New(t)
	issuers := map[string]*idptest.Provider{
		"https://token.actions.githubusercontent.com": idptest.NewPlain(t), "https://gitlab.com": idptest.NewPlain(t), "https://kubernetes.example.com": cluster,
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(shell.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ca.crt", cluster.CAPEM())
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		commands := block[1]
		for name, p := range issuers {
			commands = strings.ReplaceAll(commands, name, p.Issuer())
		}
		if out := shell.run(t, "set -e; export VAULT_TOKEN=root\n"+commands+"\nunset VAULT_TOKEN; echo all done"); !strings.Contains(out, "all done") || strings.Contains(out, "WARNING") {
			t.Fatalf("%s\nprinted\n%s", commands, out)
		}
	}
	github := map[string]any{
		"sub": "repo:octo/app:ref:refs/heads/main", "repository": "octo/app", "repository_id": "123456789", "ref": "refs/heads/main",
		"workflow_ref": "octo/app/.github/workflows/deploy.yml@refs/heads/main", "run_id": "1", "actor": "alice",
	}
	gitlab := map[string]any{
		"sub": "project_path:group/app:ref_type:branch:ref:main", "project_path": "group/app", "project_id": "42", "ref_protected": "true", "pipeline_id": "7", "user_login": "alice",
	}
	pod := map[string]any{
		"sub": "system:serviceaccount:shop:web", "kubernetes.io": map[string]any{"namespace": "shop", "pod": map[string]any{"name": "web-1"}, "serviceaccount": map[string]any{"name": "web"}},
	}
	for _, p := range []struct {
		path, role, issuer string
		claims             map[string]any
		others             []map[string]any // claims of tokens that the role must refuse
	}{
		{"github", "deploy", "https://token.actions.githubusercontent.com", github, []map[string]any{
			{"ref": "refs/pull/1/merge"}, {"repository": "octo/apple"}, {"repository_id": "987654321"}, {"aud": "https://github.com/octo"},
		}},
		{"gitlab", "deploy", "https://gitlab.com", gitlab, []map[string]any{{"ref_protected": "false"}, {"project_id": "43"}, {"aud": "https://gitlab.com"}}},
		{"kubernetes", "web", "https://kubernetes.example.com", pod, []map[string]any{
			{"sub": "system:serviceaccount:shop:other"}, {"sub": "system:serviceaccount:other:web"}, {"aud": "https://kubernetes.default.svc"},
		}},
	} {
		login := func(with map[string]any) string {
			t.Helper()
			claims := map[string]any{}
			for _, part := range []map[string]any{p.claims, with} {
				for k, v := range part {
					claims[k] = v
				}
			}
			write("token", issuers[p.issuer].Token("https://vault.example.com", claims))
			return shell.run(t, "VAULT_TOKEN=$(jotgate login -method=jwt -path="+p.path+" -token-only role="+p.role+" jwt=@token) jotgate kv get -field=password secret/app")
		}
		if out := login(nil); out != "s3cret\n" {
			t.Errorf("%s: %s", p.path, out)
		}
		for _, other := range p.others {
			if out := login(other); strings.Contains(out, "s3cret") || !strings.Contains(out, "Code: 400") {
				t.Errorf("%s with %v: %s", p.path, other, out)
			}
		}
	}
}

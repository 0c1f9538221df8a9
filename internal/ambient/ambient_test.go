package ambient

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func vars(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := m[name]
		return v, ok
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestGitHubActionsIsAskedForTheAudience(t *testing.T) {
	var asked *http.Request
	runner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		_, _ = w.Write([]byte(`{"count":5,"value":"eyJ.of.github\n"}`))
	}))
	defer runner.Close()
	env := vars(map[string]string{githubURL: runner.URL + "/token?api=2", githubBearer: "s3cret", "GITLAB_CI": "true", "VAULT_ID_TOKEN": "eyJ.of.gitlab"})
	got, err := Finder{Audience: "vault", Lookup: env}.Find(t.Context())
	if err != nil || got != "eyJ.of.github" {
		t.Fatalf("%q, %v", got, err)
	}
	if got := asked.URL.RawQuery + " " + asked.Header.Get("Authorization"); got != "api=2&audience=vault Bearer s3cret" {
		t.Errorf("the runner was asked %q", got)
	}
}

func TestTheRunnersCredentialGoesToTheRunnerOnly(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the redirect was followed, with %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	moved := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer moved.Close()
	for name, c := range map[string]struct{ url, bearer, says string }{
		"plain http to another host": {"http://runner.example/token", "s3cret", "not an https address"},
		"another scheme":             {"ftp://127.0.0.1/token", "s3cret", "not an https address"},
		"no address":                 {"nonsense", "s3cret", "not an https address"},
		"no credential":              {"https://runner.example/token", "", "ACTIONS_ID_TOKEN_REQUEST_TOKEN is not"},
		"a redirect":                 {moved.URL, "s3cret", "status 302"},
		"nobody there":               {"http://127.0.0.1:1/?sig=pr1vate", "s3cret", "cannot reach"},
	} {
		_, err := Finder{Lookup: vars(map[string]string{githubURL: c.url, githubBearer: c.bearer})}.Find(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "pr1vate") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGitHubAnswersWithoutATokenAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"denied": {403, `{"value":"x"}`}, "no JSON": {200, "<html>"}, "empty": {200, `{"value":" "}`},
		"endless": {200, `{"value":"` + strings.Repeat("x", 3*MaxToken) + `"}`},
	} {
		runner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		if got, err := (Finder{Lookup: vars(map[string]string{githubURL: runner.URL, githubBearer: "x"})}).Find(t.Context()); err == nil || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		runner.Close()
	}
}

func TestGitLabsTokenIsTakenInsideAJobOnly(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, name := range gitlabTokens {
		got, err := Finder{PodToken: none, Lookup: vars(map[string]string{"GITLAB_CI": "true", name: "eyJ.a.b"})}.Find(t.Context())
		if err != nil || got != "eyJ.a.b" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if got, err := (Finder{PodToken: none, Lookup: vars(map[string]string{name: "eyJ.a.b"})}).Find(t.Context()); !errors.Is(err, ErrNone) {
			t.Errorf("%s outside a job: %q, %v", name, got, err)
		}
	}
}

func TestThePodsTokenIsReadEachTime(t *testing.T) {
	p := file(t, "eyJ.first\n")
	f := Finder{PodToken: p, Lookup: vars(nil)}
	if got, err := f.Find(t.Context()); err != nil || got != "eyJ.first" {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.WriteFile(p, []byte("eyJ.second"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Find(t.Context()); err != nil || got != "eyJ.second" {
		t.Errorf("after the rotation: %q, %v", got, err)
	}
}

func TestFilesThatAreNoTokenAreRefused(t *testing.T) {
	for name, path := range map[string]string{"empty": file(t, ""), "blank": file(t, " \n"), "too long": file(t, strings.Repeat("x", MaxToken+1)), "folder": t.TempDir(), "none": file(t, "x") + "x"} {
		if got, err := ReadFile(path); err == nil || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	var pe *fs.PathError
	if _, err := (Finder{PodToken: t.TempDir(), Lookup: vars(nil)}).Find(t.Context()); !errors.As(err, &pe) || errors.Is(err, ErrNone) {
		t.Errorf("a token that cannot be read: %v", err)
	}
}

func TestACancelledSearchEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err := Finder{Lookup: vars(map[string]string{githubURL: "https://127.0.0.1:1/", githubBearer: "x"})}.Find(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/cli"
)

type result struct {
	out, errs string
	status    int
}

// jot runs one command in memory with the given variables.
func jot(t *testing.T, vars map[string]string, args ...string) result {
	t.Helper()
	if vars["HOME"] == "" {
		vars["HOME"] = t.TempDir()
	}
	var out, errs bytes.Buffer
	env := &cli.Env{Name: "jotgate", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Lookup: func(k string) (string, bool) { v, ok := vars[k]; return v, ok }}
	root := newRoot(env)
	status := cli.Run(env, root, cli.NormalizeFlags(root, args))
	return result{out.String(), errs.String(), status}
}

// record returns a server that answers 204 and the requests that it saw.
func record(t *testing.T) (*httptest.Server, *[]*http.Request) {
	t.Helper()
	var seen []*http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	return s, &seen
}

func TestSettingsComeFromFlagThenJotgateThenVaultThenBao(t *testing.T) {
	names := []string{"flag", "jotgate", "vault", "bao"}
	for i, winner := range names {
		s, seen := record(t)
		vars := map[string]string{}
		args := []string{"delete"}
		for _, name := range names[i:] {
			if name == "flag" {
				args = append(args, "-address="+s.URL, "-namespace=flag")
				continue
			}
			prefix := strings.ToUpper(name) + "_"
			vars[prefix+"NAMESPACE"], vars[prefix+"TOKEN"] = name, "token-of-"+name
			vars[prefix+"ADDR"] = s.URL
		}
		if winner == "flag" {
			vars["JOTGATE_ADDR"], vars["VAULT_ADDR"] = "http://127.0.0.1:1", "http://127.0.0.1:1"
		}
		if r := jot(t, vars, append(args, "x")...); r.status != 0 {
			t.Fatalf("%s: status %d: %s", winner, r.status, r.errs)
		}
		got := (*seen)[0].Header
		if ns := got.Get("X-Vault-Namespace"); ns != winner {
			t.Errorf("%s must win, but the namespace is %q", winner, ns)
		}
		if token := got.Get("X-Vault-Token"); winner != "flag" && token != "token-of-"+winner {
			t.Errorf("%s must win, but the token is %q", winner, token)
		}
	}
}

func TestTheVariableWinsOverTheStoredToken(t *testing.T) {
	s, seen := record(t)
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".vault-token"), []byte("stored\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	jot(t, map[string]string{"VAULT_ADDR": s.URL, "HOME": home}, "delete", "x")
	jot(t, map[string]string{"VAULT_ADDR": s.URL, "HOME": home, "VAULT_TOKEN": "variable"}, "delete", "x")
	jot(t, map[string]string{"VAULT_ADDR": s.URL}, "delete", "x")
	for i, want := range []string{"stored", "variable", ""} {
		if got := (*seen)[i].Header.Get("X-Vault-Token"); got != want {
			t.Errorf("request %d: token %q, want %q", i, got, want)
		}
	}
}

func TestATokenThatNoHeaderCanHoldIsRefusedUnseen(t *testing.T) {
	s, seen := record(t)
	r := jot(t, map[string]string{"VAULT_ADDR": s.URL, "VAULT_TOKEN": "two\nlines-secret"}, "delete", "x")
	if r.status != 1 || len(*seen) != 0 || strings.Contains(r.errs, "secret") || !strings.Contains(r.errs, "VAULT_TOKEN") {
		t.Errorf("status %d, %d requests, %q", r.status, len(*seen), r.errs)
	}
}

func TestOneRedirectIsFollowedWithTheBody(t *testing.T) {
	var got string
	active := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		got = r.Method + " " + r.URL.Path + " " + b.String()
		http.Redirect(w, r, "/again", http.StatusTemporaryRedirect)
	}))
	defer active.Close()
	standby := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, active.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer standby.Close()
	r := jot(t, map[string]string{"VAULT_ADDR": standby.URL}, "write", "x", "a=1")
	if got != `PUT /v1/x {"a":"1"}` {
		t.Errorf("the active node got %q", got)
	}
	if r.status != 2 {
		t.Errorf("a second redirect is shown as what it is: status %d, %s", r.status, r.errs)
	}
	got = ""
	if r := jot(t, map[string]string{"VAULT_ADDR": standby.URL}, "write", "-disable-redirects", "x", "a=1"); got != "" || r.status != 2 {
		t.Errorf("-disable-redirects: status %d, the active node got %q", r.status, got)
	}
}

func TestNoRedirectFromHTTPSToPlainHTTP(t *testing.T) {
	plain, seen := record(t)
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusTemporaryRedirect))
	defer secure.Close()
	r := jot(t, map[string]string{"VAULT_ADDR": secure.URL, "VAULT_SKIP_VERIFY": "1", "VAULT_TOKEN": "t"}, "read", "x")
	if r.status == 0 || len(*seen) != 0 || !strings.Contains(r.errs, "redirects from https to http") {
		t.Errorf("status %d, %d requests, %q", r.status, len(*seen), r.errs)
	}
}

func TestGitHubActionsGivesTheJWT(t *testing.T) {
	var asked *http.Request
	runner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		_, _ = w.Write([]byte(`{"count":1,"value":"eyJ.from.github"}`))
	}))
	defer runner.Close()
	var body bytes.Buffer
	vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = body.ReadFrom(r.Body)
		_, _ = w.Write([]byte(`{"request_id":"1","auth":{"client_token":"s.ci"}}`))
	}))
	defer vault.Close()
	vars := map[string]string{"VAULT_ADDR": vault.URL, "ACTIONS_ID_TOKEN_REQUEST_URL": runner.URL + "/token?api=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner-secret"}
	r := jot(t, vars, "login", "-method=jwt", "-audience=vault", "-token-only", "role=ci")
	if r.status != 0 || r.out != "s.ci" {
		t.Fatalf("status %d, %q, %q", r.status, r.out, r.errs)
	}
	if got := asked.URL.RawQuery + " " + asked.Header.Get("Authorization"); got != "api=2&audience=vault Bearer runner-secret" {
		t.Errorf("the runner was asked %q", got)
	}
	if body.String() != `{"jwt":"eyJ.from.github","role":"ci"}` {
		t.Errorf("the vault got %s", &body)
	}
	if strings.Contains(r.errs+r.out, "eyJ") || strings.Contains(r.errs, "runner-secret") {
		t.Error("a secret was shown")
	}
}

func TestGitHubActionsCredentialGoesNowhereElse(t *testing.T) {
	denied := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer denied.Close()
	for name, vars := range map[string]map[string]string{
		"plain http to another host": {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://runner.example/token", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s3cret"},
		"no address":                 {"ACTIONS_ID_TOKEN_REQUEST_URL": "nonsense", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s3cret"},
		"no credential":              {"ACTIONS_ID_TOKEN_REQUEST_URL": denied.URL},
		"no permission":              {"ACTIONS_ID_TOKEN_REQUEST_URL": denied.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s3cret"},
	} {
		r := jot(t, vars, "login", "-method=jwt")
		if r.status != 1 || strings.Contains(r.errs, "s3cret") {
			t.Errorf("%s: status %d, %q", name, r.status, r.errs)
		}
	}
}

func TestAnswersThatAreNoAPIAreSaidToBe(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"html page":        {200, "<html>", "not the expected JSON"},
		"html error":       {502, "<html>\x1b[31m</html>", "Raw Message"},
		"empty error":      {503, "", "Service Unavailable"},
		"duplicate names":  {200, `{"data":{"a":1,"a":2}}`, "not the expected JSON"},
		"escape in errors": {400, `{"errors":["\u001b[31mred"]}`, `\x1b[31mred`},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		r := jot(t, map[string]string{"VAULT_ADDR": s.URL}, "read", "x")
		s.Close()
		if r.status == 0 || !strings.Contains(r.errs, c.want) || strings.ContainsRune(r.errs, 0x1b) {
			t.Errorf("%s: status %d, %q", name, r.status, r.errs)
		}
	}
}

func TestHumanTimeSpans(t *testing.T) {
	for secs, want := range map[int64]string{0: "0s", 59: "59s", 60: "1m", 3600: "1h", 3660: "1h1m", 3661: "1h1m1s", 2764800: "768h", 36000: "10h", -1: "-1", 1 << 62: "4611686018427387904"} {
		if got := humanSeconds(secs); got != want {
			t.Errorf("%d: got %q, want %q", secs, got, want)
		}
	}
}

func TestGeneratedRootTokenIsDecodedHere(t *testing.T) {
	// "s.token" XOR "abcdefg"
	r := jot(t, map[string]string{}, "operator", "generate-root", "-decode=EkwXCw4DCQ", "-otp=abcdefg")
	if r.status != 0 || r.out != "s.token\n" {
		t.Errorf("status %d, %q, %q", r.status, r.out, r.errs)
	}
	if r := jot(t, map[string]string{}, "operator", "generate-root", "-decode=EkwXCw4DCQ", "-otp=short"); r.status != 1 {
		t.Error("an otp of another length was taken")
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	env := cli.System("jotgate")
	root := newRoot(env)
	cli.Prepare(env, root)
	checkHelp(t, root)
}

func TestAHintFitsTheRefusal(t *testing.T) {
	for _, c := range []struct {
		url    string
		status int
		token  bool
		id     string
		want   string
	}{
		{"/v1/auth/jwt/login", 400, false, "d-1", "every check of this login, under the id d-1"},
		{"/v1/auth/jwt/login", 403, false, "d-1", "every check of this login, under the id d-1"},
		{"/v1/secret/data/x", 403, false, "d-1", `no token is set: run "jotgate login"`},
		{"/v1/secret/data/x", 403, true, "d-1", "what they allow; the server's audit log has the refusal under the id d-1"},
		{"/v1/secret/data/x", 403, true, "", `"jotgate token capabilities PATH" what they allow`},
		{"/v1/v1/secret/data/x", 404, true, "d-1", "the server's address ends in /v1"},
		{"/v1/secret/data/x", 503, true, "", `"jotgate operator unseal" opens it`},
		{"/v1/secret/data/x", 429, true, "d-1", "wait a moment"},
		{"/v1/auth/jwt/role/x", 400, true, "d-1", ""}, // the message says it all
	} {
		got := hintFor(&apiError{URL: "http://127.0.0.1:8200" + c.url, Status: c.status}, c.token, c.id)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s %d: hint %q, want %q", c.url, c.status, got, c.want)
		}
	}
}

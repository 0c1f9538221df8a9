package clients_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	vault "github.com/hashicorp/vault/api"

	"github.com/jotgate/jotgate/client/jwtauth"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/servertest"
)

// readPassword stands in docs/jwt-login.md as it is here.
func readPassword(ctx context.Context, conf *vault.Config) (string, error) {
	client, err := vault.NewClient(conf)
	if err != nil {
		return "", err
	}
	method, err := jwtauth.New("demo", jwtauth.FromPlatform("https://vault.example.com"))
	if err != nil {
		return "", err
	}
	if _, err := client.Auth().Login(ctx, method); err != nil {
		return "", err
	}
	secret, err := client.KVv2("secret").Get(ctx, "app/db")
	if err != nil {
		return "", err
	}
	password, _ := secret.Data["password"].(string)
	return password, nil
}

func TestTheGoHelperInTheDocumentationReadsASecret(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	inGitLab(t, idp)
	conf := vault.DefaultConfig()
	conf.Address = s.URL
	if got, err := readPassword(t.Context(), conf); err != nil || got != "pa55" {
		t.Errorf("%q, %v", got, err)
	}

	source := string(must[[]byte](t)(os.ReadFile("jwtauth_test.go")))
	doc := string(must[[]byte](t)(os.ReadFile("../../docs/jwt-login.md")))
	_, block, found := strings.Cut(doc, "```go\n")
	block, _, closed := strings.Cut(block, "```\n")
	if !found || !closed || !strings.Contains(source, block) {
		t.Errorf("docs/jwt-login.md shows other code than this test runs:\n%s", block)
	}
}

// inGitLab puts the test into a job of GitLab whose token is the provider's.
func inGitLab(t *testing.T, idp *idptest.Provider) {
	t.Helper()
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "")
	t.Setenv("GITLAB_CI", "true")
	t.Setenv("VAULT_ID_TOKEN", idp.Token(audience, nil))
}

func TestTheGoHelperLogsInFromEachSource(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		inGitLab(t, idp)
		file := filepath.Join(t.TempDir(), "jwt")
		ok(t, os.WriteFile(file, []byte(idp.Token(audience, nil)+"\n"), 0o600))
		t.Setenv("MY_JWT", idp.Token(audience, nil))
		for name, source := range map[string]jwtauth.Option{
			"text": jwtauth.FromToken(idp.Token(audience, nil)), "file": jwtauth.FromFile(file),
			"environment": jwtauth.FromEnv("MY_JWT"), "platform": jwtauth.FromPlatform(""),
		} {
			c := client(t, s, "")
			secret := must[*vault.Secret](t)(c.Auth().Login(t.Context(), must[*jwtauth.Auth](t)(jwtauth.New("demo", source))))
			same(t, name, secret.Auth.Policies, []string{"app", "default"})
			if c.Token() != secret.Auth.ClientToken {
				t.Errorf("%s: the client does not use its token", name)
			}
			must[*vault.KVSecret](t)(c.KVv2("secret").Get(t.Context(), "app/db"))
		}

		// The mount's default role, and a token that its file got since.
		method := must[*jwtauth.Auth](t)(jwtauth.New("", jwtauth.FromFile(file), jwtauth.WithMount("auth/jwt")))
		first := must[*vault.Secret](t)(method.Login(t.Context(), client(t, s, "")))
		ok(t, os.WriteFile(file, []byte(idp.Token(audience, map[string]any{"sub": "bob"})), 0o600))
		second := must[*vault.Secret](t)(method.Login(t.Context(), client(t, s, "")))
		if first.Auth.EntityID == second.Auth.EntityID {
			t.Error("the second login used the first token")
		}
	})
}

func TestTheGoHelpersRefusalsAreTheServers(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	jwt := idp.Token("https://another", nil)
	_, err := must[*jwtauth.Auth](t)(jwtauth.New("demo", jwtauth.FromToken(jwt))).Login(t.Context(), client(t, s, ""))
	refused(t, err, 400, "audience")
	if strings.Contains(err.Error(), jwt) {
		t.Error("the error shows the token")
	}
	_, err = must[*jwtauth.Auth](t)(jwtauth.New("demo", jwtauth.FromToken(idp.Token(audience, nil)), jwtauth.WithMount("none"))).Login(t.Context(), client(t, s, ""))
	refused(t, err, 403, "permission denied")
}

func TestTheGoHelpersLoginMayBeWrapped(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	c := client(t, s, "")
	c.SetWrappingLookupFunc(func(_, _ string) string { return "1m" })
	method := must[*jwtauth.Auth](t)(jwtauth.New("demo", jwtauth.FromToken(idp.Token(audience, nil))))
	wrapped := must[*vault.Secret](t)(method.Login(t.Context(), c))
	opened := must[*vault.Secret](t)(client(t, s, "").Logical().Unwrap(wrapped.WrapInfo.Token))
	same(t, "policies", opened.Auth.Policies, []string{"app", "default"})
}

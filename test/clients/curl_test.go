package clients_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/servertest"
)

// sh runs a line in a shell, as a reader of a guide would, and returns what it
// prints.
func sh(t *testing.T, env map[string]string, line string) string {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("curl is not installed: run make setup")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", line)
	cmd.Env = os.Environ()
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// The guide of the JWT auth method has this line, with the address left out.
func TestTheGuidesCurlLineLogsIn(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		out := sh(t, nil, `curl -sS \
    --request POST \
    --data '{"jwt": "`+idp.Token(audience, nil)+`", "role": "demo"}' \
    `+s.URL+`/v1/auth/jwt/login`)
		auth, _ := object(t, out)["auth"].(map[string]any)
		for _, field := range []string{"client_token", "accessor"} {
			if v, _ := auth[field].(string); v == "" {
				t.Errorf("no %s in %s", field, out)
			}
		}
		same(t, "policies", auth["policies"], []string{"app", "default"})
		same(t, "metadata", auth["metadata"], map[string]string{"role": "demo"})
		same(t, "lease_duration", auth["lease_duration"], 3600)
		same(t, "renewable", auth["renewable"], true)
	})
}

func TestCurlAsPeopleUseIt(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "payload.json"), []byte(`{"jwt":"`+idp.Token(audience, nil)+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"ADDR": s.URL, "ROOT": servertest.RootToken, "DIR": dir, "JWT": idp.Token(audience, nil)}
	for name, c := range map[string]struct{ line, want string }{
		"payload from a file": {`curl -sS -X PUT --data @$DIR/payload.json $ADDR/v1/auth/jwt/login`, `"client_token":"`},
		"form":                {`curl -sS --data-urlencode "jwt=$JWT" -d role=demo $ADDR/v1/auth/jwt/login`, `"client_token":"`},
		"JSON type":           {`curl -sS --json '{"jwt":"'$JWT'"}' $ADDR/v1/auth/jwt/login`, `"client_token":"`},
		"chunked":             {`printf '{"jwt":"%s"}' $JWT | curl -sS -H 'Transfer-Encoding: chunked' -X POST -T - $ADDR/v1/auth/jwt/login`, `"client_token":"`},
		"token header":        {`curl -sS -H "X-Vault-Token: $ROOT" $ADDR/v1/secret/data/app/db`, `"user":"alice"`},
		"bearer header":       {`curl -sS -H "Authorization: Bearer $ROOT" $ADDR/v1/secret/data/app/db`, `"user":"alice"`},
		"LIST verb":           {`curl -sS -X LIST -H "X-Vault-Token: $ROOT" $ADDR/v1/secret/metadata`, `"keys":["app/"]`},
		"list parameter":      {`curl -sS -G -d list=true -H "X-Vault-Token: $ROOT" $ADDR/v1/secret/metadata/`, `"keys":["app/"]`},
		"merge patch":         {`curl -sS -X PATCH -H "X-Vault-Token: $ROOT" -H 'Content-Type: application/merge-patch+json' -d '{"data":{"a":"b"}}' $ADDR/v1/secret/data/app/db`, `"version":2`},
		"no token":            {`curl -sS $ADDR/v1/secret/data/app/db`, `{"errors":["permission denied"]}`},
		"health, head only":   {`curl -sSI $ADDR/v1/sys/health`, "200 OK"},
		"health":              {`curl -sS -o /dev/null -w '%{http_code}' $ADDR/v1/sys/health?standbyok=true`, "200"},
		"revoke":              {`T=$(curl -sS -d '{"jwt":"'$JWT'"}' $ADDR/v1/auth/jwt/login | sed 's/.*"client_token":"\([^"]*\)".*/\1/'); curl -sS -w '%{http_code} ' -X POST -H "X-Vault-Token: $T" $ADDR/v1/auth/token/revoke-self; curl -sS -H "X-Vault-Token: $T" $ADDR/v1/auth/token/lookup-self`, `204 {"errors":["permission denied"]}`},
	} {
		if out := sh(t, env, c.line); !strings.Contains(out, c.want) {
			t.Errorf("%s: %s, want %s in it", name, out, c.want)
		}
	}
}

package server_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/servertest"
)

// TestARestartedServerVerifiesWithTheLastGoodKeysForAnHour: also while the
// identity provider is down, at both doors, and not a moment longer.
func TestARestartedServerVerifiesWithTheLastGoodKeysForAnHour(t *testing.T) {
	for _, driver := range []string{"embedded", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			idp := idptest.NewPlain(t)
			conf := iam.DefaultText + "\n[idps.test]\ntype = \"direct-jwt\"\n[idps.test.conf]\niss = \"" + idp.Issuer() + "\"\naud = \"vault\"\njwks_uri = \"" + idp.JWKSURL() + "\"\n"
			o := servertest.Options{Dir: t.TempDir(), IAM: conf}
			if driver == "postgres" {
				o.Postgres = servertest.Postgres(t)
			}
			var passed atomic.Int64
			began := time.Now()
			o.Now = func() time.Time { return began.Add(time.Duration(passed.Load())) }
			idp.SetClock(o.Now)
			start := func() *servertest.Server { return servertest.Start(t, o) }

			s := start()
			must := func(method, path, body string) {
				t.Helper()
				if status, out := s.Vault(method, path, servertest.RootToken, body); status >= 300 {
					t.Fatalf("%s %s: %d %s", method, path, status, out)
				}
			}
			must("POST", "sys/auth/jwt", `{"type":"jwt"}`)
			must("PUT", "auth/jwt/config", `{"jwks_url":"`+idp.JWKSURL()+`","bound_issuer":"`+idp.Issuer()+`"}`)
			must("PUT", "auth/jwt/role/app", `{"role_type":"jwt","bound_audiences":"vault","user_claim":"sub"}`)
			eventually(t, "the keys are kept", func() bool {
				_, out := s.Vault("GET", "auth/jwt/keys", servertest.RootToken, "")
				return strings.Contains(out, `"kept":"`)
			})
			s.Stop()
			idp.Fail(idptest.Status500)

			both := func() (vault, pvault int) {
				raw := idp.Token("vault", map[string]any{"sub": "alice", "roles": []string{"VaultAdminRole"}})
				vault, _ = s.Vault("POST", "auth/jwt/login", "", `{"role":"app","jwt":"`+raw+`"}`)
				pvault, _ = s.Pvault("GET", "system/info/version", raw, "")
				return vault, pvault
			}
			passed.Add(int64(59 * time.Minute))
			s = start()
			if v, p := both(); v != 200 || p != 200 {
				t.Errorf("within the hour: %d and %d", v, p)
			}
			if _, out := s.Vault("GET", "auth/jwt/keys", servertest.RootToken, ""); !strings.Contains(out, `"restored":true`) {
				t.Error(out)
			}
			passed.Add(int64(2 * time.Minute))
			if v, p := both(); v != 400 || p != 503 {
				t.Errorf("past the hour: %d and %d", v, p)
			}
			s.Stop()
			s = start()
			if v, p := both(); v != 400 || p != 503 {
				t.Errorf("past the hour and started again: %d and %d", v, p)
			}
		})
	}
}

package server_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/servertest"
)

// A server that is sealed and unsealed again and again does not gather
// goroutines, and one that was stopped leaves none, not even those that kept a
// provider's keys fresh.
func TestNothingRunsOnAfterSealOrStop(t *testing.T) {
	for _, driver := range []string{"embedded", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			var o servertest.Options
			if driver == "postgres" {
				o.Postgres = servertest.Postgres(t)
			}
			idp := idptest.NewPlain(t)
			none := goleak.IgnoreCurrent()
			v, shares := sharedVault(t, o)
			v.ok("POST", "sys/auth/jwt", `{"type":"jwt"}`)
			v.ok("POST", "sys/mounts/kv", `{"type":"kv","options":{"version":"2"}}`)
			v.ok("PUT", "auth/jwt/config", `{"oidc_discovery_url":"`+idp.Issuer()+`"}`)
			v.ok("PUT", "auth/jwt/role/demo", `{"bound_audiences":"a","user_claim":"sub","policies":"p"}`)
			var sealed goleak.Option
			for cycle := range 3 {
				login := fmt.Sprintf(`{"role":"demo","jwt":%q}`, idp.Token("a", map[string]any{"sub": "x"}))
				if status, out := v.Vault("POST", "auth/jwt/login", "", login); status != 200 {
					t.Fatalf("login: %d %s", status, out)
				}
				v.ok("POST", "kv/data/a", `{"data":{"n":1}}`)
				v.ok("PUT", "sys/seal", "")
				http.DefaultClient.CloseIdleConnections()
				if cycle == 0 {
					sealed = goleak.IgnoreCurrent()
				} else {
					ended(t, sealed)
				}
				v.unseal(shares[:2]...)
			}
			v.Stop()
			http.DefaultClient.CloseIdleConnections()
			ended(t, none)
		})
	}
}

// ended waits until nothing runs but what the option ignores. Connections end
// in their own time.
func ended(t *testing.T, ignored goleak.Option) {
	t.Helper()
	end := time.Now().Add(time.Minute)
	err := goleak.Find(ignored)
	for err != nil && time.Now().Before(end) {
		err = goleak.Find(ignored)
	}
	if err != nil {
		t.Error(err)
	}
}

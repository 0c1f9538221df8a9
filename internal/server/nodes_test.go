package server_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/servertest"
)

// eventually calls ok until it holds. Nodes follow each other by polling, so
// there is no event to wait for from outside.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// nodes starts two servers on one database.
func nodes(t *testing.T) (a, b *servertest.Server) {
	t.Helper()
	o := servertest.Options{Dir: t.TempDir(), Postgres: servertest.Postgres(t)}
	return servertest.Start(t, o), servertest.Start(t, o)
}

func TestWhatOneNodeChangesTheOtherFollows(t *testing.T) {
	a, b := nodes(t)
	must := func(s *servertest.Server, method, path, body string) {
		t.Helper()
		if status, out := s.Vault(method, path, servertest.RootToken, body); status >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, status, out)
		}
	}
	idp := idptest.NewPlain(t)
	must(a, "POST", "sys/auth/jwt", `{"type":"jwt"}`)
	must(a, "PUT", "auth/jwt/config", `{"jwks_url":"`+idp.JWKSURL()+`","bound_issuer":"`+idp.Issuer()+`"}`)
	must(a, "PUT", "sys/policies/acl/app", `{"policy":"path \"secret/data/app\" { capabilities = [\"read\"] }"}`)
	must(a, "PUT", "auth/jwt/role/app", `{"role_type":"jwt","bound_audiences":"vault","user_claim":"sub","token_policies":"app"}`)
	must(a, "POST", "secret/data/app", `{"data":{"k":"v1"}}`)

	body := `{"role":"app","jwt":"` + idp.Token("vault", map[string]any{"sub": "alice"}) + `"}`
	var token string
	eventually(t, "node b serves a login on the mount that node a made", func() bool {
		status, out := b.Vault("POST", "auth/jwt/login", "", body)
		if status == 200 {
			token = decode[login](t, out).Auth.ClientToken
		}
		return status == 200
	})
	if status, out := a.Vault("GET", "secret/data/app", token, ""); status != 200 || !strings.Contains(out, "v1") {
		t.Errorf("node b's token at node a: %d %s", status, out)
	}
	must(b, "PUT", "sys/policies/acl/app", `{"policy":"path \"secret/data/app\" { capabilities = [\"deny\"] }"}`)
	eventually(t, "node a follows the policy", func() bool {
		status, _ := a.Vault("GET", "secret/data/app", token, "")
		return status == 403
	})
	must(a, "POST", "auth/token/revoke", `{"token":"`+token+`"}`)
	if status, _ := b.Vault("GET", "auth/token/lookup-self", token, ""); status != 403 {
		t.Errorf("a token that node a revoked works at node b: %d", status)
	}
	must(a, "DELETE", "sys/auth/jwt", "")
	eventually(t, "node b follows the disabled mount", func() bool {
		status, _ := b.Vault("POST", "auth/jwt/login", "", body)
		return status != 200
	})
}

func TestTheIAMConfigurationIsOneOnAllNodes(t *testing.T) {
	a, b := nodes(t)
	key := idptest.NewKey(t, "k", "RS256")
	conf := iam.DefaultText + `
[idps.one]
type = "direct-jwt"
[idps.one.conf]
iss = "https://idp/"
aud = "vault"
keys = '''` + string(key.JWK(t)) + `'''
`
	token := key.Token(t, map[string]any{"iss": "https://idp/", "aud": "vault", "sub": "x", "exp": time.Now().Unix() + 600, "roles": []string{"VaultAdminRole"}})
	if status, out := a.Pvault("POST", "ctl/iam/conf", servertest.AdminKey, conf); status != 200 {
		t.Fatalf("%d %s", status, out)
	}
	works := func() bool { status, _ := b.Pvault("GET", "system/info/version", token, ""); return status == 200 }
	eventually(t, "node b knows the provider", works)
	if status, out := a.Pvault("POST", "ctl/iam/conf", servertest.AdminKey, iam.DefaultText); status != 200 {
		t.Fatalf("%d %s", status, out)
	}
	eventually(t, "node b forgets the provider and the token that it had verified", func() bool { return !works() })
}

// TestCheckAndSetHoldsAcrossNodes writes the same secret from both nodes with
// check-and-set: each version is written once.
func TestCheckAndSetHoldsAcrossNodes(t *testing.T) {
	a, b := nodes(t)
	var mu sync.Mutex
	won := 0
	var wg sync.WaitGroup
	for i := range 8 {
		s := a
		if i%2 == 1 {
			s = b
		}
		wg.Go(func() {
			status, _ := s.Vault("POST", "secret/data/one", servertest.RootToken, `{"data":{"k":"v"},"options":{"cas":0}}`)
			mu.Lock()
			defer mu.Unlock()
			switch status {
			case 200:
				won++
			case 400:
			default:
				t.Errorf("status %d", status)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d of 8 writers were told that they made version 1", won)
	}
}

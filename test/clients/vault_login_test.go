package clients_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	vault "github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/kubernetes"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/servertest"
)

// sources are the ways in which a JWT mount gets its keys.
var sources = map[string]func(t *testing.T, idp *idptest.Provider) map[string]any{
	"static keys": func(t *testing.T, idp *idptest.Provider) map[string]any {
		return map[string]any{"jwt_validation_pubkeys": []string{string(idp.Key().PEM(t))}, "bound_issuer": idp.Issuer()}
	},
	"discovery": func(_ *testing.T, idp *idptest.Provider) map[string]any {
		return map[string]any{"oidc_discovery_url": idp.Issuer()}
	},
	"JWKS": func(_ *testing.T, idp *idptest.Provider) map[string]any {
		return map[string]any{"jwks_url": idp.JWKSURL(), "bound_issuer": idp.Issuer()}
	},
	"discovery over TLS": func(_ *testing.T, idp *idptest.Provider) map[string]any {
		return map[string]any{"oidc_discovery_url": idp.Issuer(), "oidc_discovery_ca_pem": idp.CAPEM()}
	},
}

func TestVaultClientLogsInWithEveryKindOfKeys(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		root := client(t, s, servertest.RootToken)
		ok(t, root.Sys().PutPolicy("app", appPolicy))
		must[*vault.KVSecret](t)(root.KVv2("secret").Put(t.Context(), "app/db", map[string]any{"user": "alice"}))
		for name, source := range sources {
			t.Run(name, func(t *testing.T) {
				idp := idptest.NewPlain(t)
				if strings.HasSuffix(name, "TLS") {
					idp = idptest.New(t)
				}
				path := "jwt-" + strings.ReplaceAll(strings.ToLower(name), " ", "-")
				ok(t, root.Sys().EnableAuthWithOptions(path, &vault.EnableAuthOptions{Type: "jwt", Description: name}))
				must[*vault.Secret](t)(root.Logical().Write("auth/"+path+"/config", source(t, idp)))
				must[*vault.Secret](t)(root.Logical().Write("auth/"+path+"/role/demo", demoRole))

				c := client(t, s, "")
				in := must[*vault.Secret](t)(c.Logical().Write("auth/"+path+"/login", map[string]any{"role": "demo", "jwt": idp.Token(audience, nil)}))
				if in.Auth == nil || in.Auth.ClientToken == "" || in.Auth.LeaseDuration != 3600 || !in.Auth.Renewable || in.Auth.EntityID == "" || !in.Auth.Orphan {
					t.Fatalf("login: %+v", in.Auth)
				}
				same(t, "policies", in.Auth.Policies, []string{"app", "default"})
				same(t, "token id", must[string](t)(in.TokenID()), in.Auth.ClientToken)
				same(t, "metadata", must[map[string]string](t)(in.TokenMetadata()), map[string]string{"role": "demo"})

				c.SetToken(in.Auth.ClientToken)
				got := must[*vault.KVSecret](t)(c.KVv2("secret").Get(t.Context(), "app/db"))
				same(t, "secret", got.Data, map[string]any{"user": "alice"})
				_, err := c.KVv2("secret").Get(t.Context(), "other")
				refused(t, err, 403, "permission denied")

				_, err = c.Logical().Write("auth/"+path+"/login", map[string]any{"role": "demo", "jwt": idp.Token("https://other", nil)})
				refused(t, err, 400, "audience")
				_, err = c.Logical().Write("auth/"+path+"/login", map[string]any{"role": "none", "jwt": idp.Token(audience, nil)})
				refused(t, err, 400, `role "none" could not be found`)
			})
		}
	})
}

// jwtLogin is an auth method of HashiCorp's library, as applications write it.
type jwtLogin struct{ role, token string }

func (l jwtLogin) Login(ctx context.Context, c *vault.Client) (*vault.Secret, error) {
	return c.Logical().WriteWithContext(ctx, "auth/jwt/login", map[string]any{"role": l.role, "jwt": l.token})
}

func TestVaultClientAuthMethodSetsTheToken(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	c := client(t, s, "")
	c.SetNamespace("") // sends the header, empty
	must[*vault.Secret](t)(c.Auth().Login(t.Context(), jwtLogin{"demo", idp.Token(audience, nil)}))
	if c.Token() == "" {
		t.Fatal("the client has no token")
	}
	self := must[*vault.Secret](t)(c.Auth().Token().LookupSelf())
	same(t, "display name", self.Data["display_name"], "jwt-user-1")
	same(t, "ttl", must[time.Duration](t)(self.TokenTTL()) > 59*time.Minute, true)
	same(t, "renewable", must[bool](t)(self.TokenIsRenewable()), true)
	same(t, "policies", must[[]string](t)(self.TokenPolicies()), []string{"app", "default"})
}

func TestVaultClientLogsInWithTheDefaultRole(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	for _, body := range []map[string]any{{}, {"role": ""}} {
		in := must[*vault.Secret](t)(client(t, s, "").Logical().Write("auth/jwt/login", with(body, map[string]any{"jwt": idp.Token(audience, nil)})))
		same(t, "role", in.Auth.Metadata, map[string]string{"role": "demo"})
	}
}

func TestVaultClientLifetimeWatcherRenewsAndEnds(t *testing.T) {
	t.Parallel() // waits for real time
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		put(t, s, "auth/jwt/role/short", with(demoRole, map[string]any{"token_ttl": "2s", "token_max_ttl": "5s"}))
		c := client(t, s, "")
		in := must[*vault.Secret](t)(c.Auth().Login(t.Context(), jwtLogin{"short", idp.Token(audience, nil)}))
		w := must[*vault.LifetimeWatcher](t)(c.NewLifetimeWatcher(&vault.LifetimeWatcherInput{Secret: in}))
		go w.Start()
		defer w.Stop()
		renewed := 0
		for {
			select {
			case r := <-w.RenewCh():
				renewed++
				if r.Secret.Auth == nil || r.Secret.Auth.ClientToken != in.Auth.ClientToken || r.Secret.Auth.LeaseDuration < 1 {
					t.Errorf("renewal: %+v", r.Secret.Auth)
				}
			case err := <-w.DoneCh():
				if err != nil {
					t.Errorf("the watcher failed: %v", err)
				}
				if renewed < 2 {
					t.Errorf("%d renewals within the maximum life, want 2 or more", renewed)
				}
				return
			case <-time.After(time.Minute):
				t.Fatal("the watcher does not end at the maximum life")
			}
		}
	})
}

func TestVaultClientLifetimeWatcherStopsForARevokedToken(t *testing.T) {
	t.Parallel() // waits for real time
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	put(t, s, "auth/jwt/role/short", with(demoRole, map[string]any{"token_ttl": "2s"}))
	c := client(t, s, "")
	in := must[*vault.Secret](t)(c.Auth().Login(t.Context(), jwtLogin{"short", idp.Token(audience, nil)}))
	ok(t, client(t, s, servertest.RootToken).Auth().Token().RevokeTree(in.Auth.ClientToken))
	// The watcher takes "permission denied" for a token that may not renew
	// itself, and ends without an error when the life it knows of ends.
	w := must[*vault.LifetimeWatcher](t)(c.NewLifetimeWatcher(&vault.LifetimeWatcherInput{Secret: in, RenewBehavior: vault.RenewBehaviorErrorOnErrors}))
	go w.Start()
	defer w.Stop()
	select {
	case err := <-w.DoneCh():
		ok(t, err)
	case <-w.RenewCh():
		t.Error("a revoked token was renewed")
	case <-time.After(time.Minute):
		t.Error("the watcher never notices")
	}
}

// What knows the Kubernetes method sends the same role and jwt: a JWT mount at
// that path serves it. This is HashiCorp's own helper for that method.
func TestKubernetesClientsLogInAtAJWTMount(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	for _, mount := range []string{"kubernetes", "pods/west"} {
		put(t, s, "sys/auth/"+mount, map[string]any{"type": "jwt"})
		put(t, s, "auth/"+mount+"/config", map[string]any{"jwks_url": idp.JWKSURL(), "bound_issuer": idp.Issuer()})
		put(t, s, "auth/"+mount+"/role/pod", map[string]any{
			"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{audience}, "bound_subject": "system:serviceaccount:shop:web", "token_policies": []string{"app"},
		})
	}
	c := client(t, s, "")
	write := func(sub string, mount ...kubernetes.LoginOption) (*vault.Secret, error) {
		file := filepath.Join(t.TempDir(), "token")
		ok(t, os.WriteFile(file, []byte(idp.Token(audience, map[string]any{"sub": sub})), 0o600))
		method, err := kubernetes.NewKubernetesAuth("pod", append(mount, kubernetes.WithServiceAccountTokenPath(file))...)
		ok(t, err)
		return c.Auth().Login(t.Context(), method)
	}
	for _, mount := range [][]kubernetes.LoginOption{nil, {kubernetes.WithMountPath("pods/west")}} {
		in := must[*vault.Secret](t)(write("system:serviceaccount:shop:web", mount...))
		same(t, "policies", in.Auth.Policies, []string{"app", "default"})
	}
	_, err := write("system:serviceaccount:shop:other")
	refused(t, err, 400, "subject")
}

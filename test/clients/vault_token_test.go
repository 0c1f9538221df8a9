package clients_test

import (
	"testing"
	"time"

	vault "github.com/hashicorp/vault/api"

	"github.com/jotgate/jotgate/internal/servertest"
)

func TestVaultClientTokenCreateLookupRenewRevoke(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		setup(t, s)
		root := client(t, s, servertest.RootToken)
		tokens := root.Auth().Token()
		made := must[*vault.Secret](t)(tokens.Create(&vault.TokenCreateRequest{
			Policies: []string{"app"}, TTL: "10m", ExplicitMaxTTL: "1h", Metadata: map[string]string{"team": "red"}, DisplayName: "ci", NumUses: 50,
		}))
		a := made.Auth
		if a.ClientToken == "" || a.LeaseDuration != 600 || !a.Renewable || a.Orphan || a.Accessor == "" {
			t.Errorf("create: %+v", a)
		}
		same(t, "policies", a.TokenPolicies, []string{"app", "default"})
		look := must[*vault.Secret](t)(tokens.Lookup(a.ClientToken))
		same(t, "id", look.Data["id"], a.ClientToken)
		same(t, "meta", look.Data["meta"], map[string]any{"team": "red"})
		same(t, "display name", look.Data["display_name"], "token-ci")
		same(t, "uses", look.Data["num_uses"], 50)
		same(t, "explicit max", look.Data["explicit_max_ttl"], 3600)
		same(t, "type", look.Data["type"], "service")
		if _, err := time.Parse(time.RFC3339, look.Data["expire_time"].(string)); err != nil {
			t.Errorf("expire_time: %v", err)
		}
		byAccessor := must[*vault.Secret](t)(tokens.LookupAccessor(a.Accessor))
		same(t, "id by accessor", byAccessor.Data["id"], "")
		same(t, "accessor", byAccessor.Data["accessor"], a.Accessor)

		same(t, "renewed", must[*vault.Secret](t)(tokens.Renew(a.ClientToken, 1200)).Auth.LeaseDuration, 1200)
		same(t, "renewed by accessor", must[*vault.Secret](t)(tokens.RenewAccessor(a.Accessor, 1300)).Auth.LeaseDuration, 1300)
		same(t, "renewed as self", must[*vault.Secret](t)(tokens.RenewTokenAsSelf(a.ClientToken, 1400)).Auth.LeaseDuration, 1400)
		self := client(t, s, a.ClientToken).Auth().Token()
		capped := must[*vault.Secret](t)(self.RenewSelf(7200)).Auth.LeaseDuration
		if capped > 3600 || capped < 3500 {
			t.Errorf("renewal beyond the explicit maximum: %d s", capped)
		}
		_, err := self.Create(&vault.TokenCreateRequest{Policies: []string{"root"}})
		refused(t, err, 400, "")
		ok(t, tokens.RevokeTree(a.ClientToken))
		_, err = tokens.Lookup(a.ClientToken)
		refused(t, err, 403, "bad token")
		_, err = tokens.LookupAccessor(a.Accessor)
		refused(t, err, 400, "invalid accessor")
		_, err = tokens.Renew(a.ClientToken, 60)
		refused(t, err, 400, "token not found")
		_, err = self.LookupSelf()
		refused(t, err, 403, "permission denied")
	})
}

func TestVaultClientTokenTreesAndOrphans(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		setup(t, s)
		root := client(t, s, servertest.RootToken)
		tokens := root.Auth().Token()
		alive := func(token string) bool {
			_, err := tokens.Lookup(token)
			return err == nil
		}
		parent := must[*vault.Secret](t)(tokens.Create(&vault.TokenCreateRequest{Policies: []string{"app"}})).Auth
		own := client(t, s, parent.ClientToken).Auth().Token()
		child := must[*vault.Secret](t)(own.Create(&vault.TokenCreateRequest{})).Auth
		same(t, "the parent's policies", child.Policies, []string{"app", "default"})
		orphan := must[*vault.Secret](t)(tokens.CreateOrphan(&vault.TokenCreateRequest{Policies: []string{"app"}})).Auth
		same(t, "orphan", orphan.Orphan, true)

		ok(t, own.RevokeSelf(""))
		if alive(parent.ClientToken) || alive(child.ClientToken) || !alive(orphan.ClientToken) {
			t.Error("revoke-self must take the child and leave the orphan")
		}
		parent = must[*vault.Secret](t)(tokens.Create(&vault.TokenCreateRequest{Policies: []string{"app"}})).Auth
		child = must[*vault.Secret](t)(client(t, s, parent.ClientToken).Auth().Token().Create(&vault.TokenCreateRequest{})).Auth
		ok(t, tokens.RevokeOrphan(parent.ClientToken))
		if alive(parent.ClientToken) || !alive(child.ClientToken) {
			t.Error("revoke-orphan must leave the child")
		}
		ok(t, tokens.RevokeAccessor(child.Accessor))
		if alive(child.ClientToken) {
			t.Error("revoke-accessor left the token")
		}
	})
}

func TestVaultClientTokenRolesPeriodsAndBatch(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		setup(t, s)
		root := client(t, s, servertest.RootToken)
		tokens := root.Auth().Token()
		must[*vault.Secret](t)(root.Logical().Write("auth/token/roles/ci", map[string]any{"allowed_policies": "app", "orphan": true, "token_period": "5m", "path_suffix": "ci"}))
		a := must[*vault.Secret](t)(tokens.CreateWithRole(&vault.TokenCreateRequest{Policies: []string{"app"}}, "ci")).Auth
		if a.LeaseDuration != 300 || !a.Orphan {
			t.Errorf("by role: %+v", a)
		}
		_, err := tokens.CreateWithRole(&vault.TokenCreateRequest{Policies: []string{"other"}}, "ci")
		refused(t, err, 400, "allowed policies")
		_, err = tokens.CreateWithRole(&vault.TokenCreateRequest{}, "none")
		refused(t, err, 400, "unknown role none")

		p := must[*vault.Secret](t)(tokens.Create(&vault.TokenCreateRequest{Policies: []string{"app"}, Period: "7m"})).Auth
		same(t, "period", p.LeaseDuration, 420)
		no := false
		fixed := must[*vault.Secret](t)(tokens.Create(&vault.TokenCreateRequest{Policies: []string{"app"}, TTL: "1m", Renewable: &no})).Auth
		same(t, "not renewable", fixed.Renewable, false)
		_, err = tokens.Renew(fixed.ClientToken, 60)
		refused(t, err, 400, "lease is not renewable")

		batch := must[*vault.Secret](t)(tokens.Create(&vault.TokenCreateRequest{Policies: []string{"app"}, Type: "batch", TTL: "1m"})).Auth
		if batch.Accessor != "" || batch.Renewable {
			t.Errorf("batch: %+v", batch)
		}
		c := client(t, s, batch.ClientToken)
		must[*vault.KVSecret](t)(c.KVv2("secret").Get(t.Context(), "app/db"))
		same(t, "type", must[*vault.Secret](t)(c.Auth().Token().LookupSelf()).Data["type"], "batch")
		_, err = c.Auth().Token().RenewSelf(60)
		refused(t, err, 400, "batch tokens cannot be renewed")
		_, err = c.Logical().Write("cubbyhole/x", map[string]any{"a": "b"})
		refused(t, err, 400, "cubbyhole operations are only supported by 'service' type tokens")

		once := must[*vault.Secret](t)(tokens.Create(&vault.TokenCreateRequest{Policies: []string{"app"}, NumUses: 1})).Auth
		c = client(t, s, once.ClientToken)
		must[*vault.Secret](t)(c.Auth().Token().LookupSelf())
		_, err = c.Auth().Token().LookupSelf()
		refused(t, err, 403, "permission denied")
	})
}

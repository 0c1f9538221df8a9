package clients_test

import (
	"testing"

	vault "github.com/hashicorp/vault/api"

	"github.com/jotgate/jotgate/internal/servertest"
)

func TestVaultClientReadsEverySettingBack(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		sys := client(t, s, servertest.RootToken).Sys()
		ok(t, sys.Mount("team", &vault.MountInput{Type: "kv", Config: vault.MountConfigInput{
			PassthroughRequestHeaders: []string{"X-B", "X-A"}, AllowedManagedKeys: []string{"m"}, DelegatedAuthAccessors: []string{"a"}, IdentityTokenKey: "default",
		}}))
		m := must[*vault.MountOutput](t)(sys.GetMount("team")).Config
		same(t, "headers", m.PassthroughRequestHeaders, []string{"X-B", "X-A"})
		same(t, "managed keys", m.AllowedManagedKeys, []string{"m"})
		same(t, "accessors", m.DelegatedAuthAccessors, []string{"a"})
		same(t, "token key", m.IdentityTokenKey, "default")

		trim, none, headers := true, []string{}, []string{"X-D", "X-C"}
		ok(t, sys.TuneMountAllowNil("team", vault.TuneMountConfigInput{
			TrimRequestTrailingSlashes: &trim, AllowedManagedKeys: &none, AllowedResponseHeaders: &headers,
		}))
		c := must[*vault.MountConfigOutput](t)(sys.MountConfig("team"))
		if !c.TrimRequestTrailingSlashes || len(c.AllowedManagedKeys) != 0 || c.IdentityTokenKey != "default" {
			t.Errorf("tuned: %+v", c)
		}
		same(t, "response headers", c.AllowedResponseHeaders, headers)
		same(t, "accessors", c.DelegatedAuthAccessors, []string{"a"})

		off := true
		ok(t, sys.EnableAuthWithOptions("ci", &vault.EnableAuthOptions{Type: "jwt"}))
		refused(t, sys.TuneMountAllowNil("auth/ci", vault.TuneMountConfigInput{UserLockoutConfig: &vault.TuneUserLockoutConfigInput{DisableLockout: &off}}),
			400, `tuning of user lockout configuration for auth type "jwt" not allowed`)
	})
}

func TestVaultClientMakesPasswordsAndChangesTheLogsLevel(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	logical := client(t, s, servertest.RootToken).Logical()
	must[*vault.Secret](t)(logical.Write("sys/policies/password/pin", map[string]any{"policy": `length = 6 rule "charset" { charset = "0123456789" }`}))
	if pw, _ := must[*vault.Secret](t)(logical.Read("sys/policies/password/pin/generate")).Data["password"].(string); len(pw) != 6 {
		t.Errorf("a password of %d characters", len(pw))
	}
	same(t, "policies", must[*vault.Secret](t)(logical.List("sys/policies/password")).Data["keys"], []string{"pin"})
	same(t, "replication", must[*vault.Secret](t)(logical.Read("sys/replication/status")).Data["mode"], "disabled")
	must[*vault.Secret](t)(logical.Write("sys/config/ui/headers/X-Custom", map[string]any{"values": []string{"a"}}))
	same(t, "header", must[*vault.Secret](t)(logical.Read("sys/config/ui/headers/X-Custom")).Data["value"], "a")
	state := must[*vault.Secret](t)(logical.Read("sys/config/state/sanitized")).Data
	same(t, "settings", state["storage"], map[string]any{"type": "embedded"})
}

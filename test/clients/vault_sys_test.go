package clients_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	vault "github.com/hashicorp/vault/api"

	"github.com/jotgate/jotgate/internal/servertest"
)

func TestVaultClientSysStatus(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		sys := client(t, s, "").Sys()
		h := must[*vault.HealthResponse](t)(sys.Health())
		if !h.Initialized || h.Sealed || h.Standby || h.Version == "" || time.Since(time.Unix(h.ServerTimeUTC, 0)).Abs() > time.Minute {
			t.Errorf("health: %+v", h)
		}
		st := must[*vault.SealStatusResponse](t)(sys.SealStatus())
		if !st.Initialized || st.Sealed || st.N < 1 || st.T < 1 || !regexp.MustCompile(`^\d+\.\d+\.\d+`).MatchString(st.Version) {
			t.Errorf("seal status: %+v", st)
		}
		if !must[bool](t)(sys.InitStatus()) {
			t.Error("not initialised")
		}
		l := must[*vault.LeaderResponse](t)(sys.Leader())
		if l.PerfStandby {
			t.Errorf("leader: %+v", l)
		}
		help := must[*vault.Help](t)(client(t, s, servertest.RootToken).Help("auth/token/create"))
		if help.Help == "" {
			t.Errorf("help: %+v", help)
		}
	})
}

func TestVaultClientSysMounts(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		sys := client(t, s, servertest.RootToken).Sys()
		desc := "second"
		ok(t, sys.Mount("team/kv", &vault.MountInput{
			Type: "kv-v2", Description: "first", Config: vault.MountConfigInput{DefaultLeaseTTL: "1h", MaxLeaseTTL: "2h", ListingVisibility: "unauth"},
		}))
		m := must[*vault.MountOutput](t)(sys.GetMount("team/kv"))
		if m.Type != "kv" || m.Options["version"] != "2" || m.Description != "first" || m.Config.DefaultLeaseTTL != 3600 || m.Config.ListingVisibility != "unauth" {
			t.Errorf("mount: %+v", m)
		}
		all := must[map[string]*vault.MountOutput](t)(sys.ListMounts())
		for path, typ := range map[string]string{"team/kv/": "kv", "secret/": "kv", "cubbyhole/": "cubbyhole", "identity/": "identity", "sys/": "system"} {
			if all[path] == nil || all[path].Type != typ || all[path].Accessor == "" || all[path].UUID == "" {
				t.Errorf("%s: %+v", path, all[path])
			}
		}
		ok(t, sys.TuneMount("team/kv", vault.MountConfigInput{DefaultLeaseTTL: "30m", Description: &desc, AuditNonHMACRequestKeys: []string{"b", "a"}})) //nolint:staticcheck // deprecated, and what older clients call
		c := must[*vault.MountConfigOutput](t)(sys.MountConfig("team/kv"))
		if c.DefaultLeaseTTL != 1800 || c.MaxLeaseTTL != 7200 || c.ForceNoCache {
			t.Errorf("tuned: %+v", c)
		}
		same(t, "keys in clear", c.AuditNonHMACRequestKeys, []string{"b", "a"})
		empty, hidden := []string{}, "hidden"
		ok(t, sys.TuneMountAllowNil("team/kv", vault.TuneMountConfigInput{AuditNonHMACRequestKeys: &empty, ListingVisibility: &hidden}))
		c = must[*vault.MountConfigOutput](t)(sys.MountConfig("team/kv"))
		if len(c.AuditNonHMACRequestKeys) != 0 || c.ListingVisibility != "hidden" || c.DefaultLeaseTTL != 1800 {
			t.Errorf("tuned with nils: %+v", c)
		}
		root := client(t, s, servertest.RootToken)
		must[*vault.KVSecret](t)(root.KVv2("team/kv").Put(t.Context(), "x", map[string]any{"a": "b"}))
		ok(t, sys.Remount("team/kv", "moved/kv"))
		same(t, "after remount", must[*vault.KVSecret](t)(root.KVv2("moved/kv").Get(t.Context(), "x")).Data, map[string]any{"a": "b"})
		ok(t, sys.Unmount("moved/kv"))
		if _, err := sys.GetMount("moved/kv"); err == nil {
			t.Error("an unmounted path reads")
		}
		err := sys.Mount("sys/x", &vault.MountInput{Type: "kv"})
		refused(t, err, 403, `cannot mount "sys/x/"`)
		refused(t, sys.Mount("x", &vault.MountInput{Type: "nope"}), 400, "nope")
	})
}

func TestVaultClientSysAuth(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		sys := client(t, s, servertest.RootToken).Sys()
		ok(t, sys.EnableAuthWithOptions("ci", &vault.EnableAuthOptions{
			Type: "jwt", Description: "pipelines", Config: vault.AuthConfigInput{DefaultLeaseTTL: "10m", MaxLeaseTTL: "1h", TokenType: "default-service"},
		}))
		ok(t, sys.EnableAuth("people", "oidc", "by browser"))
		m := must[*vault.AuthMount](t)(sys.GetAuth("ci"))
		if m.Type != "jwt" || m.Description != "pipelines" || m.Config.DefaultLeaseTTL != 600 || m.Config.MaxLeaseTTL != 3600 || m.Config.TokenType != "default-service" || m.Accessor == "" {
			t.Errorf("auth mount: %+v", m)
		}
		all := must[map[string]*vault.AuthMount](t)(sys.ListAuth())
		if all["token/"] == nil || all["ci/"] == nil || all["people/"] == nil || all["people/"].Type != "oidc" {
			t.Errorf("auth mounts: %v", all)
		}
		ok(t, sys.TuneMount("auth/ci", vault.MountConfigInput{DefaultLeaseTTL: "20m", TokenType: "service"})) //nolint:staticcheck // deprecated, and what older clients call
		c := must[*vault.MountConfigOutput](t)(sys.MountConfig("auth/ci"))
		if c.DefaultLeaseTTL != 1200 || c.MaxLeaseTTL != 3600 || c.TokenType != "service" {
			t.Errorf("tuned: %+v", c)
		}
		ok(t, sys.Remount("auth/ci", "auth/ci2"))
		ok(t, sys.DisableAuth("ci2"))
		if _, err := sys.GetAuth("ci2"); err == nil {
			t.Error("a disabled auth method reads")
		}
		refused(t, sys.EnableAuth("x", "nope", ""), 400, "nope")
	})
}

func TestVaultClientSysPoliciesAndCapabilities(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		root := client(t, s, servertest.RootToken)
		sys := root.Sys()
		ok(t, sys.PutPolicy("app", appPolicy))
		same(t, "policy", must[string](t)(sys.GetPolicy("app")), appPolicy)
		same(t, "policies", must[[]string](t)(sys.ListPolicies()), []string{"app", "default", "root"})
		same(t, "no policy", must[string](t)(sys.GetPolicy("none")), "")
		refused(t, sys.PutPolicy("bad", `path "x" { capabilities = ["fly"] }`), 400, "fly")

		tok := must[*vault.Secret](t)(root.Auth().Token().Create(&vault.TokenCreateRequest{Policies: []string{"app"}}))
		app := client(t, s, tok.Auth.ClientToken).Sys()
		for path, want := range map[string][]string{
			"secret/data/app/x": {"create", "delete", "patch", "read", "update"}, "secret/metadata/app": {"list"}, "secret/data/other": {"deny"},
		} {
			got := must[[]string](t)(app.CapabilitiesSelf(path))
			slices.Sort(got)
			same(t, path, got, want)
			got = must[[]string](t)(sys.Capabilities(tok.Auth.ClientToken, path))
			slices.Sort(got)
			same(t, path+" by token", got, want)
			got = must[[]string](t)(sys.CapabilitiesAccessor(tok.Auth.Accessor, path))
			slices.Sort(got)
			same(t, path+" by accessor", got, want)
		}
		same(t, "root", must[[]string](t)(sys.CapabilitiesSelf("secret/data/other")), []string{"root"})
		ok(t, sys.DeletePolicy("app"))
		same(t, "after delete", must[[]string](t)(app.CapabilitiesSelf("secret/data/app/x")), []string{"deny"})
		_, err := app.ListMounts()
		refused(t, err, 403, "permission denied")
	})
}

func TestVaultClientSysAudit(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	sys := client(t, s, servertest.RootToken).Sys()
	before := must[map[string]*vault.Audit](t)(sys.ListAudit())
	enable := func(path string) error {
		return sys.EnableAuditWithOptions("second", &vault.EnableAuditOptions{Type: "file", Description: "more", Options: map[string]string{"file_path": path}})
	}
	refused(t, enable(filepath.Join(s.Dir, "second.log")), 400, "outside the directory")
	path := filepath.Join(s.Dir, "data", "audit", "second.log")
	ok(t, enable(path))
	all := must[map[string]*vault.Audit](t)(sys.ListAudit())
	if len(all) != len(before)+1 || all["second/"] == nil || all["second/"].Type != "file" || all["second/"].Description != "more" {
		t.Errorf("audit devices: %v", all)
	}
	hash := must[string](t)(sys.AuditHash("second", "pa55"))
	if !strings.HasPrefix(hash, "hmac-sha256:") || hash != must[string](t)(sys.AuditHash("second", "pa55")) {
		t.Errorf("hash: %s", hash)
	}
	if raw, err := os.ReadFile(path); err != nil || !strings.Contains(string(raw), `"sys/audit-hash/second"`) || strings.Contains(string(raw), "pa55") {
		t.Errorf("the new device's file: %v %s", err, raw)
	}
	ok(t, sys.DisableAudit("second"))
	same(t, "after", len(must[map[string]*vault.Audit](t)(sys.ListAudit())), len(before))
}

func TestVaultClientSysLeases(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	root := client(t, s, servertest.RootToken)
	in := must[*vault.Secret](t)(root.Logical().Write("auth/jwt/login", map[string]any{"jwt": idp.Token(audience, nil), "role": "demo"}))
	leases := must[*vault.Secret](t)(root.Logical().List("sys/leases/lookup/auth/jwt/login"))
	if leases == nil || len(leases.Data["keys"].([]any)) != 1 {
		t.Fatalf("leases: %+v", leases)
	}
	id, _ := leases.Data["keys"].([]any)[0].(string)
	id = "auth/jwt/login/" + id
	look := must[*vault.Secret](t)(root.Sys().Lookup(id))
	same(t, "lease id", look.Data["id"], id)
	same(t, "renewable", look.Data["renewable"], true)
	_, err := root.Sys().Lookup("auth/jwt/login/none")
	refused(t, err, 400, "invalid lease")
	_, err = root.Sys().Renew(id, 60)
	refused(t, err, 400, "tokens cannot be renewed through this endpoint")
	ok(t, root.Sys().Revoke(id))
	_, err = client(t, s, in.Auth.ClientToken).Auth().Token().LookupSelf()
	refused(t, err, 403, "permission denied")
	in = must[*vault.Secret](t)(root.Logical().Write("auth/jwt/login", map[string]any{"jwt": idp.Token(audience, nil), "role": "demo"}))
	ok(t, root.Sys().RevokePrefix("auth/jwt"))
	_, err = client(t, s, in.Auth.ClientToken).Auth().Token().LookupSelf()
	refused(t, err, 403, "permission denied")
	ok(t, root.Sys().RevokeForce("auth/jwt"))
}

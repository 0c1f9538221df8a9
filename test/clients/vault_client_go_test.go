package clients_test

import (
	"strings"
	"testing"
	"time"

	vcg "github.com/hashicorp/vault-client-go"
	"github.com/hashicorp/vault-client-go/schema"

	"github.com/jotgate/jotgate/internal/servertest"
)

// The client that HashiCorp generates from the server's OpenAPI document: its
// answers have types, so a field of another type is an error.
func typedClient(t *testing.T, s *servertest.Server, token string) *vcg.Client {
	t.Helper()
	c, err := vcg.New(vcg.WithAddress(s.URL), vcg.WithRetryConfiguration(vcg.RetryConfiguration{RetryMax: -1}))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		ok(t, c.SetToken(token))
	}
	return c
}

func typedRefused(t *testing.T, err error, status int, text string) {
	t.Helper()
	if !vcg.IsErrorStatus(err, status) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want status %d with %q", err, status, text)
	}
}

func TestTypedClientConfiguresLogsInAndReads(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		root, ctx := typedClient(t, s, servertest.RootToken), t.Context()
		_, err := root.System.AuthEnableMethod(ctx, "teams/ci", schema.AuthEnableMethodRequest{Type: "jwt", Description: "pipelines"})
		ok(t, err)
		_, err = root.Auth.JwtConfigure(ctx, schema.JwtConfigureRequest{OidcDiscoveryUrl: idp.Issuer()}, vcg.WithMountPath("teams/ci"))
		ok(t, err)
		_, err = root.Auth.JwtWriteRole(ctx, "demo", schema.JwtWriteRoleRequest{
			RoleType: "jwt", UserClaim: "sub", BoundAudiences: []string{audience}, TokenPolicies: []string{"app"}, TokenTtl: "10m", ClockSkewLeeway: "30s", BoundClaims: map[string]any{"roles": []string{"reader"}},
		}, vcg.WithMountPath("teams/ci"))
		ok(t, err)
		role, err := root.Auth.JwtReadRole(ctx, "demo", vcg.WithMountPath("teams/ci"))
		ok(t, err)
		same(t, "role", []any{role.Data["token_ttl"], role.Data["clock_skew_leeway"], role.Data["bound_claims"]}, []any{600, 30, map[string]any{"roles": []string{"reader"}}})
		roles, err := root.Auth.JwtListRoles(ctx, vcg.WithMountPath("teams/ci"))
		ok(t, err)
		same(t, "roles", roles.Data.Keys, []string{"demo"})

		c := typedClient(t, s, "")
		in, err := c.Auth.JwtLogin(ctx, schema.JwtLoginRequest{Role: "demo", Jwt: idp.Token(audience, nil)}, vcg.WithMountPath("teams/ci"))
		ok(t, err)
		same(t, "policies", in.Auth.Policies, []string{"app", "default"})
		ok(t, c.SetToken(in.Auth.ClientToken))
		secret, err := c.Secrets.KvV2Read(ctx, "app/db", vcg.WithMountPath("secret"))
		ok(t, err)
		same(t, "secret", secret.Data.Data, map[string]any{"user": "alice", "password": "pa55"})
		wrote, err := c.Secrets.KvV2Write(ctx, "app/deep/x", schema.KvV2WriteRequest{Data: map[string]any{"a": "b"}}, vcg.WithMountPath("secret"))
		ok(t, err)
		same(t, "version", wrote.Data.Version, 1)
		meta, err := c.Secrets.KvV2ReadMetadata(ctx, "app/deep/x", vcg.WithMountPath("secret"))
		ok(t, err)
		if meta.Data.CurrentVersion != 1 || time.Since(meta.Data.CreatedTime) > time.Minute {
			t.Errorf("metadata: %+v", meta.Data)
		}
		list, err := c.Secrets.KvV2List(ctx, "app", vcg.WithMountPath("secret"))
		ok(t, err)
		same(t, "list", list.Data.Keys, []string{"db", "deep/"})
		_, err = c.Secrets.KvV2Read(ctx, "other", vcg.WithMountPath("secret"))
		typedRefused(t, err, 403, "permission denied")
		_, err = c.Auth.TokenRenewSelf(ctx, schema.TokenRenewSelfRequest{Increment: "20m"})
		ok(t, err)
		_, err = c.Auth.TokenRevokeSelf(ctx)
		ok(t, err)
		_, err = c.Auth.TokenLookUpSelf(ctx)
		typedRefused(t, err, 403, "permission denied")
	})
}

func TestTypedClientReadsWhatTheServerIs(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	setup(t, s)
	root, ctx := typedClient(t, s, servertest.RootToken), t.Context()
	if _, err := root.System.LeaderStatus(ctx); err != nil {
		t.Errorf("leader: %v", err)
	}
	for what, read := range map[string]func() error{
		"tune":       func() error { _, err := root.System.AuthReadTuningInformation(ctx, "jwt"); return err },
		"auth":       func() error { _, err := root.System.AuthReadConfiguration(ctx, "jwt"); return err },
		"mount":      func() error { _, err := root.System.MountsReadConfiguration(ctx, "secret"); return err },
		"mount tune": func() error { _, err := root.System.MountsReadTuningInformation(ctx, "secret"); return err },
		"policies":   func() error { _, err := root.System.PoliciesListAclPolicies(ctx); return err },
		"policy":     func() error { _, err := root.System.PoliciesReadAclPolicy(ctx, "app"); return err },
		"preflight":  func() error { _, err := root.System.InternalUiReadMountInformation(ctx, "secret/app"); return err },
		"mounts":     func() error { _, err := root.System.InternalUiListEnabledVisibleMounts(ctx); return err },
		"acl":        func() error { _, err := root.System.InternalUiReadResultantAcl(ctx); return err },
		"cors":       func() error { _, err := root.System.CorsReadConfiguration(ctx); return err },
		"headers":    func() error { _, err := root.System.AuditingListRequestHeaders(ctx); return err },
		"random": func() error {
			_, err := root.System.GenerateRandom(ctx, schema.GenerateRandomRequest{Bytes: 16, Format: "hex"})
			return err
		},
		"hash": func() error {
			_, err := root.System.GenerateHash(ctx, schema.GenerateHashRequest{Input: "YQ==", Algorithm: "sha2-256"})
			return err
		},
		"accessors": func() error { _, err := root.Auth.TokenListAccessors(ctx); return err },
		"kv config": func() error {
			_, err := root.Secrets.KvV2ReadConfiguration(ctx, vcg.WithMountPath("secret"))
			return err
		},
		"kv subkeys": func() error {
			_, err := root.Secrets.KvV2ReadSubkeys(ctx, "app/db", vcg.WithMountPath("secret"))
			return err
		},
		"capabilities": func() error {
			_, err := root.System.QueryTokenSelfCapabilities(ctx, schema.QueryTokenSelfCapabilitiesRequest{Paths: []string{"a", "b"}})
			return err
		},
	} {
		if err := read(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	wrapped, err := root.Secrets.KvV2Read(ctx, "app/db", vcg.WithMountPath("secret"), vcg.WithResponseWrapping(time.Minute))
	ok(t, err)
	got, err := vcg.Unwrap[schema.KvV2ReadResponse](ctx, root, wrapped.WrapInfo.Token)
	ok(t, err)
	same(t, "unwrapped", got.Data.Data["user"], "alice")
}

func TestTypedClientIdentity(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	root, ctx := typedClient(t, s, servertest.RootToken), t.Context()
	in, err := root.Auth.JwtLogin(ctx, schema.JwtLoginRequest{Role: "demo", Jwt: idp.Token(audience, nil)})
	ok(t, err)
	group, err := root.Identity.GroupCreate(ctx, schema.GroupCreateRequest{Name: "eng", MemberEntityIds: []string{in.Auth.EntityID}, Policies: []string{"extra"}})
	ok(t, err)
	id, _ := group.Data["id"].(string)
	read, err := root.Identity.GroupReadById(ctx, id)
	ok(t, err)
	same(t, "members", read.Data["member_entity_ids"], []string{in.Auth.EntityID})
	entity, err := root.Identity.EntityLookUp(ctx, schema.EntityLookUpRequest{Id: in.Auth.EntityID})
	ok(t, err)
	same(t, "groups", entity.Data["group_ids"], []string{id})
	again, err := root.Auth.JwtLogin(ctx, schema.JwtLoginRequest{Role: "demo", Jwt: idp.Token(audience, nil)})
	ok(t, err)
	same(t, "policies", again.Auth.Policies, []string{"app", "default", "extra"})
	same(t, "identity policies", again.Auth.IdentityPolicies, []string{"extra"})
	list, err := root.Identity.EntityListByName(ctx)
	ok(t, err)
	same(t, "entities", len(list.Data.Keys), 1)
	_, err = root.Identity.GroupDeleteById(ctx, id)
	ok(t, err)
}

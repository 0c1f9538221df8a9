package clients_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/servertest"
)

// resource is one thing that Terraform keeps: where it writes and reads, what
// it writes, and what of the answer it compares with what it wrote.
type resource struct {
	write, read string
	body        map[string]any
	reads       map[string]any // differs from body where the reference reads back another form
	skip        []string       // written, and not read back under its name
	once        bool           // a second write is refused
}

// volatile is what an update changes by itself, and what Terraform does not
// keep.
var volatile = regexp.MustCompile(`"(request_id|last_update_time|modified)":"[^"]*"|"(modify_index|version)":\d+`)

func text(t *testing.T, s *servertest.Server, path string) string {
	t.Helper()
	status, out := s.Vault("GET", path, servertest.RootToken, "")
	if status != 200 {
		t.Fatalf("GET %s: %d %s", path, status, out)
	}
	return volatile.ReplaceAllString(out, `"volatile":0`)
}

// resources are written in this order: later ones need earlier ones.
func resources(t *testing.T, idp *idptest.Provider) []resource {
	t.Helper()
	pem := strings.TrimSpace(string(idp.Key().PEM(t))) // white space around list items goes, as in the reference
	return []resource{
		{write: "sys/auth/ci", read: "sys/mounts/auth/ci", once: true,
			body:  map[string]any{"type": "jwt", "description": "pipelines", "local": false, "config": map[string]any{"default_lease_ttl": "", "max_lease_ttl": "", "force_no_cache": false}, "options": nil},
			reads: map[string]any{"config": nil}, skip: []string{"options"}},
		{write: "sys/mounts/auth/ci/tune", read: "sys/mounts/auth/ci/tune",
			body: map[string]any{
				"default_lease_ttl": "10m", "max_lease_ttl": "1h", "listing_visibility": "unauth", "token_type": "default-service", "description": "pipelines",
				"audit_non_hmac_request_keys": []string{"z", "a"}, "audit_non_hmac_response_keys": []string{"y", "b"}, "allowed_response_headers": []string{"X-B", "X-A"}, "passthrough_request_headers": []string{"X-D", "X-C"},
				"allowed_managed_keys": []string{"m2", "m1"}, "delegated_auth_accessors": []string{"auth_jwt_2", "auth_jwt_1"}, "identity_token_key": "default", "trim_request_trailing_slashes": true,
			},
			reads: map[string]any{"default_lease_ttl": 600, "max_lease_ttl": 3600}},
		{write: "auth/ci/config", read: "auth/ci/config",
			body: map[string]any{
				"oidc_discovery_url": "", "oidc_discovery_ca_pem": "", "oidc_client_id": "", "oidc_client_secret": "", "oidc_response_mode": "", "oidc_response_types": []string{}, "jwks_url": "", "jwks_ca_pem": "", "jwks_pairs": []any{},
				"jwt_validation_pubkeys": []string{pem}, "jwt_supported_algs": []string{"RS512", "RS256"}, "bound_issuer": "https://issuer.example/", "default_role": "build", "provider_config": map[string]any{}, "namespace_in_state": true,
			},
			skip: []string{"oidc_client_secret"}},
		{write: "auth/ci/role/build", read: "auth/ci/role/build",
			body: map[string]any{
				"role_type": "jwt", "user_claim": "/actor/name", "user_claim_json_pointer": true, "bound_audiences": []string{"zz", "aa"}, "bound_subject": "", "bound_claims_type": "string",
				"bound_claims":   map[string]any{"repository": []string{"octo/b", "octo/a"}, "protected": true, "id": 7, "/deep/claim": "x"},
				"claim_mappings": map[string]string{"sha": "commit", "/actor/team": "team"}, "groups_claim": "groups", "expiration_leeway": 0, "not_before_leeway": 0, "clock_skew_leeway": 0, "max_age": 0,
				"verbose_oidc_logging": false, "token_policies": []string{"z-policy", "a-policy"}, "token_ttl": 600, "token_max_ttl": 1200, "token_explicit_max_ttl": 0, "token_period": 0, "token_num_uses": 0,
				"token_no_default_policy": true, "token_bound_cidrs": []string{"10.0.0.0/8", "127.0.0.0/8"}, "token_type": "default",
			}},
		{write: "auth/ci/role/glob", read: "auth/ci/role/glob",
			body: map[string]any{
				"role_type": "jwt", "user_claim": "sub", "bound_claims_type": "glob", "bound_claims": map[string]any{"sub": "repo:octo/*", "ref": []string{"refs/tags/*", "refs/heads/main"}},
				"expiration_leeway": -1, "not_before_leeway": -1, "clock_skew_leeway": -1, "token_type": "batch",
			}},
		{write: "sys/policies/acl/z-policy", read: "sys/policies/acl/z-policy", body: map[string]any{"policy": "# ü\npath \"secret/*\" {\n  capabilities = [\"read\"]\n}\n\n"}},
		{write: "sys/mounts/team", read: "sys/mounts/team", once: true,
			body: map[string]any{"type": "kv", "description": "secrets of the team", "options": map[string]string{"version": "2"}, "local": false, "seal_wrap": false}},
		{write: "team/config", read: "team/config", body: map[string]any{"max_versions": 3, "cas_required": false, "delete_version_after": "3h25m19s"}},
		{write: "team/metadata/app", read: "team/metadata/app",
			body: map[string]any{"max_versions": 5, "cas_required": true, "delete_version_after": "1h0m0s", "custom_metadata": map[string]string{"owner": "ops", "a": "b"}}},
		{write: "team/data/db", read: "team/data/db", once: true,
			body: map[string]any{"data": map[string]any{"user": "a", "deep": []any{1, map[string]any{"b": nil}}}, "cas": 0, "options": map[string]string{"cas": "0"}},
			skip: []string{"cas", "options"}},
		{write: "sys/quotas/rate-limit/all", read: "sys/quotas/rate-limit/all",
			body: map[string]any{"path": "", "rate": 1000.5, "interval": 60, "block_interval": 10, "role": "", "inheritable": true, "name": "all"}},
		{write: "sys/quotas/lease-count/ci", read: "sys/quotas/lease-count/ci", body: map[string]any{"path": "auth/ci/", "max_leases": 1000, "role": "", "name": "ci"}},
		{write: "auth/token/roles/deploy", read: "auth/token/roles/deploy",
			body: map[string]any{
				"allowed_policies": []string{"z-policy", "a-policy"}, "disallowed_policies": []string{"root"}, "allowed_policies_glob": []string{"team-*"}, "orphan": true, "renewable": true, "path_suffix": "deploy",
				"token_period": 300, "token_explicit_max_ttl": 600, "token_bound_cidrs": []string{"10.0.0.0/8"}, "token_num_uses": 3, "token_type": "service",
			},
			skip: []string{"disallowed_policies", "token_bound_cidrs"}},
		{write: "identity/entity/name/web", read: "identity/entity/name/web", body: map[string]any{"policies": []string{"z-policy", "a-policy"}, "metadata": map[string]string{"team": "red"}, "disabled": false}},
		{write: "identity/group/name/eng", read: "identity/group/name/eng", body: map[string]any{"type": "external", "policies": []string{"z-policy", "a-policy"}, "metadata": map[string]string{"team": "red"}}},
		{write: "sys/config/auditing/request-headers/X-Forwarded-For", read: "sys/config/auditing/request-headers/X-Forwarded-For", body: map[string]any{"hmac": true}, skip: []string{"hmac"}},
	}
}

// A plan right after an apply must be empty, also after the server has been
// restarted, and after the same values were applied once more.
func TestTerraformPlanAfterApplyIsEmpty(t *testing.T) {
	for name, dsn := range map[string]func() string{"embedded": func() string { return "" }, "postgres": func() string { return servertest.Postgres(t) }} {
		t.Run(name, func(t *testing.T) {
			o := servertest.Options{Dir: t.TempDir(), Postgres: dsn()}
			s := servertest.Start(t, o)
			idp := idptest.NewPlain(t)
			all := resources(t, idp)
			first := map[string]string{}
			for _, r := range all {
				put(t, s, r.write, r.body)
				data, _ := object(t, text(t, s, r.read))["data"].(map[string]any)
				want := with(r.body, r.reads)
				for _, k := range slices.Sorted(maps.Keys(want)) {
					if want[k] != nil && !slices.Contains(r.skip, k) {
						same(t, r.read+" "+k, data[k], want[k])
					}
				}
			}
			for _, r := range all {
				first[r.read] = text(t, s, r.read)
			}
			unchanged := func(when string, s *servertest.Server) {
				for _, r := range all {
					if got := text(t, s, r.read); got != first[r.read] {
						t.Errorf("%s: %s\nfirst %s\nnow   %s", when, r.read, first[r.read], got)
					}
				}
			}
			unchanged("read again", s)
			s.Stop()
			s = servertest.Start(t, o)
			unchanged("after a restart", s)
			for _, r := range all {
				if !r.once {
					put(t, s, r.write, r.body)
				}
			}
			unchanged("applied again", s)
			for _, r := range slices.Backward(all) {
				if r.write != "sys/mounts/auth/ci/tune" && r.read != "auth/ci/config" && r.write != "team/config" {
					call(t, s, "DELETE", r.write, servertest.RootToken, nil, 204, 404)
				}
			}
			for _, path := range []string{"sys/mounts/auth/ci", "sys/mounts/team"} {
				call(t, s, "GET", path, servertest.RootToken, nil, 400)
			}
		})
	}
}

// Identity resources are kept by ids that the server makes up.
func TestTerraformIdentityResourcesStay(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		accessor, _ := at(call(t, s, "GET", "sys/auth/jwt", servertest.RootToken, nil, 200), "data", "accessor").(string)
		made := func(path string, body map[string]any) string {
			t.Helper()
			id, _ := at(call(t, s, "POST", path, servertest.RootToken, body, 200), "data", "id").(string)
			if id == "" {
				t.Fatalf("%s gives no id", path)
			}
			return id
		}
		entity := made("identity/entity", map[string]any{"name": "web", "metadata": map[string]string{"tier": "1"}, "policies": []string{"app"}, "external_policies": false})
		alias := map[string]any{"name": "user-1", "mount_accessor": accessor, "canonical_id": entity, "custom_metadata": map[string]string{"a": "b"}}
		group := made("identity/group", map[string]any{"name": "readers", "type": "external", "policies": []string{"app"}})
		groupAlias := map[string]any{"name": "reader", "mount_accessor": accessor, "canonical_id": group}
		paths := map[string]map[string]any{
			"identity/entity-alias/id/" + made("identity/entity-alias", alias):    alias,
			"identity/group-alias/id/" + made("identity/group-alias", groupAlias): groupAlias,
			"identity/entity/id/" + entity:                                        {"name": "web", "metadata": map[string]string{"tier": "1"}, "policies": []string{"app"}},
			"identity/group/id/" + group:                                          {"name": "readers", "type": "external", "policies": []string{"app"}},
		}
		first := map[string]string{}
		for path, body := range paths {
			first[path] = text(t, s, path)
			data, _ := object(t, first[path])["data"].(map[string]any)
			for k, v := range body {
				same(t, path+" "+k, data[k], v)
			}
		}
		for path, body := range paths {
			call(t, s, "POST", path, servertest.RootToken, body, 200, 204)
		}
		for path := range paths {
			if again := text(t, s, path); again != first[path] {
				t.Errorf("%s\nfirst %s\nagain %s", path, first[path], again)
			}
		}
		_, block := login(t, s, "auth/jwt/login", map[string]any{"role": "demo", "jwt": idp.Token(audience, nil)})
		same(t, "a login joins the entity that was there first", block["entity_id"], entity)
		for path := range paths {
			call(t, s, "DELETE", path, servertest.RootToken, nil, 204)
		}
		for path := range paths {
			call(t, s, "GET", path, servertest.RootToken, nil, 404)
		}
	})
}

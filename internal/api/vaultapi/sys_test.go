package vaultapi

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/mount"
)

func TestMountsAreListedAsTheReferenceShowsThem(t *testing.T) {
	d := newDoor(t)
	d.do("POST", "sys/mounts/secret", rootToken, `{"config":{"default_lease_ttl":"0s","force_no_cache":false,"max_lease_ttl":"0s","options":null},
		"description":"","external_entropy_access":false,"local":false,"options":{"version":"2"},"seal_wrap":false,"type":"kv"}`).want(204)
	d.do("POST", "sys/auth/jwt", rootToken, `{"config":{"default_lease_ttl":"0s","force_no_cache":false,"max_lease_ttl":"0s","options":null},
		"description":"","external_entropy_access":false,"local":false,"options":null,"seal_wrap":false,"type":"jwt"}`).want(204)
	a := d.do("GET", "sys/mounts", rootToken, nil).want(200)
	for path, desc := range map[string]string{
		"cubbyhole/": "per-token private secret storage", "identity/": "identity store",
		"sys/": "system endpoints used for control, policy and debugging", "secret/": "",
	} {
		e, ok := a.data()[path].(map[string]any)
		if !ok || e["description"] != desc || !reflect.DeepEqual(a.json()[path], a.data()[path]) {
			t.Errorf("%s: %v", path, e)
		}
	}
	e := a.data()["secret/"].(map[string]any)
	want := map[string]any{
		"accessor": e["accessor"], "uuid": e["uuid"], "type": "kv", "description": "", "deprecation_status": "supported",
		"external_entropy_access": false, "local": false, "seal_wrap": false, "options": map[string]any{"version": "2"},
		"plugin_version": "", "running_plugin_version": "", "running_sha256": "",
		"config": map[string]any{"default_lease_ttl": json.Number("0"), "max_lease_ttl": json.Number("0"), "force_no_cache": false},
	}
	if !reflect.DeepEqual(e, want) || !strings.HasPrefix(e["accessor"].(string), "kv_") {
		t.Errorf("secret/ is shown as\n%v\nwant\n%v", e, want)
	}
	a = d.do("GET", "sys/auth", rootToken, nil).want(200)
	e = a.data()["jwt/"].(map[string]any)
	cfg := e["config"].(map[string]any)
	if e["options"] != nil || cfg["token_type"] != "default-service" || !strings.HasPrefix(e["accessor"].(string), "auth_jwt_") || len(e["accessor"].(string)) != len("auth_jwt_")+8 {
		t.Errorf("jwt/ is shown as %v", e)
	}
	for _, path := range []string{"sys/mounts/auth/jwt", "sys/auth/jwt", "sys/mounts/auth/jwt/", "sys/auth/jwt/"} {
		if got := d.do("GET", path, rootToken, nil).want(200).data(); !reflect.DeepEqual(got, e) {
			t.Errorf("%s: %v", path, got)
		}
	}
	d.do("GET", "sys/auth/none", rootToken, nil).refused(400, "No auth engine at none")
	d.do("GET", "sys/mounts/none", rootToken, nil).refused(400, "No secret engine mount at none/")
}

func TestEnableRefusals(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	d.do("POST", "sys/auth/jwt", rootToken, map[string]any{"type": "jwt"}).refused(400, "path is already in use at jwt/")
	d.do("POST", "sys/auth/jwt/x", rootToken, map[string]any{"type": "jwt"}).refused(400, "path is already in use at jwt/")
	d.do("POST", "sys/auth/x", rootToken, map[string]any{}).refused(400, "backend type must be specified as a string")
	d.do("POST", "sys/mounts/sys/x", rootToken, map[string]any{"type": "kv"}).refused(403, `cannot mount "sys/x/"`)
	d.do("POST", "sys/mounts/auth/x", rootToken, map[string]any{"type": "jwt"}).refused(403, `cannot mount "auth/x/"`)
	d.do("POST", "sys/auth/x", rootToken, map[string]any{"type": "jwt", "config": map[string]any{"token_type": "x"}}).refused(400, "invalid value for 'token_type'")
	d.do("POST", "sys/mounts/x", rootToken, map[string]any{"type": "kv", "config": map[string]any{"default_lease_ttl": "x"}}).
		refused(400, "unable to parse default TTL: cannot parse as a duration")
	d.do("POST", "sys/auth/x", rootToken, map[string]any{"type": "jwt", "plugin_version": "v1"}).refused(400, "types are built in: leave plugin_version empty")
	d.do("POST", "sys/auth/x", rootToken, map[string]any{"type": "jwt", "config": map[string]any{"plugin_version": "v1"}}).refused(400, "types are built in: leave plugin_version empty")
	d.do("POST", "sys/auth/jwt/tune", rootToken, map[string]any{"plugin_version": "v1"}).refused(400, "types are built in: leave plugin_version empty")
	d.do("POST", "sys/auth/old", rootToken, map[string]any{"type": "plugin", "config": map[string]any{"plugin_name": "jwt"}}).want(204)
	d.do("DELETE", "sys/auth/none", rootToken, nil).want(204)
	d.do("DELETE", "sys/auth/token", rootToken, nil).refused(400, `cannot unmount "token/"`)
}

func TestSysAuthNeedsSudo(t *testing.T) {
	d := newDoor(t)
	d.do("PUT", "sys/policies/acl/plain", rootToken, map[string]any{"policy": `path "sys/auth/*" { capabilities = ["create", "read", "update", "delete"] }`}).want(204)
	d.do("PUT", "sys/policies/acl/sudo", rootToken, map[string]any{"policy": `path "sys/auth/*" { capabilities = ["update", "sudo"] }`}).want(204)
	body := map[string]any{"type": "jwt"}
	d.do("POST", "sys/auth/jwt", d.token("plain"), body).want(403)
	d.do("POST", "sys/auth/jwt", d.token("sudo"), body).want(204)
	d.do("DELETE", "sys/auth/jwt", d.token("plain"), nil).want(403)
	d.do("GET", "sys/auth/jwt", d.token("plain"), nil).want(403)
}

func TestTune(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	d.do("POST", "sys/mounts/auth/jwt/tune", rootToken, `{"default_lease_ttl":"30m0s","force_no_cache":false,"max_lease_ttl":"","options":null}`).want(204)
	a := d.do("GET", "sys/auth/jwt/tune", rootToken, nil).want(200)
	want := map[string]any{
		"default_lease_ttl": json.Number("1800"), "description": "", "force_no_cache": false,
		"max_lease_ttl": json.Number("2764800"), "token_type": "default-service",
	}
	if !reflect.DeepEqual(a.data(), want) || a.json()["default_lease_ttl"] != json.Number("1800") {
		t.Errorf("tune reads %s", a.body)
	}
	d.do("POST", "sys/auth/jwt/tune", rootToken, map[string]any{
		"description": "d", "listing_visibility": "unauth", "audit_non_hmac_request_keys": "role,x", "token_type": "batch", "max_lease_ttl": 3600,
		"allowed_response_headers": []string{"X-A"}, "passthrough_request_headers": "X-B",
	}).want(200)
	got := d.do("GET", "sys/mounts/auth/jwt/tune", rootToken, nil).want(200).data()
	maps.Copy(want, map[string]any{
		"description": "d", "listing_visibility": "unauth", "audit_non_hmac_request_keys": []any{"role", "x"}, "token_type": "batch", "max_lease_ttl": json.Number("3600"),
		"allowed_response_headers": []any{"X-A"}, "passthrough_request_headers": []any{"X-B"},
	})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("tune reads\n%v\nwant\n%v", got, want)
	}
	for body, text := range map[string]string{
		`{"default_lease_ttl":"2h"}`:                        "backend max lease TTL of 3600 would be less than backend default lease TTL of 7200",
		`{"user_lockout_config":{"lockout_threshold":"1"}}`: `tuning of user lockout configuration for auth type "jwt" not allowed`,
		`{"user_lockout_config":7}`:                         "Field validation failed: error converting input for field \"user_lockout_config\": expected type object, got number",
		`{"plugin_version":"v1"}`:                           "types are built in: leave plugin_version empty",
		`{"identity_token_key":"mine"}`:                     `key "mine" does not exist`, `{"token_type":"x"}`: "invalid value for 'token_type'",
		`{"max_lease_ttl":"x"}`: "unable to parse max TTL: cannot parse as a duration", `{"listing_visibility":"x"}`: "invalid listing_visibility x",
		`{"passthrough_request_headers":"Authorization"}`: "'Authorization' cannot be passed through",
	} {
		d.do("POST", "sys/auth/jwt/tune", rootToken, body).refused(400, text)
	}
	d.do("POST", "sys/mounts/identity/tune", rootToken, `{"token_type":"batch"}`).refused(400, "'token_type' can only be modified on auth mounts")
	d.do("POST", "sys/mounts/auth/token/tune", rootToken, `{"token_type":"batch"}`).refused(400, "'token_type' cannot be set for 'token' or 'ns_token' auth mounts")
	d.do("POST", "sys/auth/none/tune", rootToken, `{}`).refused(400, `tune of path "auth/none/" failed: no mount entry found`)
	d.do("GET", "sys/auth/none/tune", rootToken, nil).want(400)
	d.do("DELETE", "sys/auth/jwt/tune", rootToken, nil).want(405)
}

func TestRemount(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("demo", nil).want(204)
	token := d.login("demo", key.Token(t, d.claims(nil))).auth()["client_token"].(string)
	a := d.do("POST", "sys/remount", rootToken, map[string]any{"from": "auth/jwt/", "to": "auth/jwt2/"}).want(200)
	id := a.data()["migration_id"].(string)
	if a.json()["migration_id"] != id || a.json()["warnings"] == nil {
		t.Errorf("remount answers %s", a.body)
	}
	info := d.do("GET", "sys/remount/status/"+id, rootToken, nil).want(200).data()["migration_info"]
	if !reflect.DeepEqual(info, map[string]any{"source_mount": "auth/jwt/", "target_mount": "auth/jwt2/", "status": "success"}) {
		t.Errorf("status %v", info)
	}
	d.do("GET", "sys/remount/status/x", rootToken, nil).want(404)
	d.do("GET", "auth/jwt/config", rootToken, nil).want(404)
	d.do("GET", "auth/jwt2/role/demo", rootToken, nil).want(200)
	d.do("PUT", "auth/jwt2/login", "", map[string]any{"role": "demo", "jwt": key.Token(t, d.claims(nil))}).want(200)
	d.do("GET", "sys/x", token, nil).refused(403, "permission denied") // issued under the old path
	d.do("POST", "sys/remount", rootToken, map[string]any{"from": "x"}).refused(400, "both 'from' and 'to' path must be specified as a string")
	d.do("POST", "sys/remount", rootToken, map[string]any{"from": "x", "to": "y"}).refused(400, `no matching mount at "x/"`)
	d.do("POST", "sys/remount", rootToken, map[string]any{"from": "auth/jwt2", "to": "y"}).want(400)
	d.do("POST", "sys/remount", rootToken, map[string]any{"from": "sys", "to": "y"}).want(400)
}

func TestPolicies(t *testing.T) {
	d := newDoor(t)
	text := "path \"secret/data/*\" { capabilities = [\"read\"] }\n"
	d.do("PUT", "sys/policies/acl/demo", rootToken, map[string]any{"policy": text}).want(204)
	d.do("POST", "sys/policies/acl/b64", rootToken, map[string]any{"policy": base64.StdEncoding.EncodeToString([]byte(text))}).want(204)
	for _, name := range []string{"demo", "DEMO", "b64"} {
		got := d.do("GET", "sys/policies/acl/"+name, rootToken, nil).want(200).data()
		if got["policy"] != text || got["name"] != strings.ToLower(name) || got["version"] != json.Number("1") {
			t.Errorf("%s reads %v", name, got)
		}
	}
	if got := d.do("LIST", "sys/policies/acl", rootToken, nil).want(200).data(); !reflect.DeepEqual(got, map[string]any{"keys": []any{"b64", "default", "demo", "root"}}) {
		t.Errorf("list %v", got)
	}
	a := d.do("GET", "sys/policy", rootToken, nil).want(200)
	if want := []any{"b64", "default", "demo", "root"}; !reflect.DeepEqual(a.data()["policies"], want) || !reflect.DeepEqual(a.json()["keys"], want) {
		t.Errorf("old list %s", a.body)
	}
	d.do("PUT", "sys/policy/old", rootToken, map[string]any{"rules": text}).want(204)
	if got := d.do("GET", "sys/policy/old", rootToken, nil).want(200); got.data()["rules"] != text || got.json()["rules"] != text {
		t.Errorf("old read %s", got.body)
	}
	if got := d.do("GET", "sys/policies/acl/root", rootToken, nil).want(200).data()["policy"]; got != "" {
		t.Errorf("root reads %v", got)
	}
	d.do("GET", "sys/policies/acl/none", rootToken, nil).want(404)
	d.do("PUT", "sys/policies/acl/x", rootToken, map[string]any{}).refused(400, "'policy' parameter not supplied or empty")
	d.do("PUT", "sys/policies/acl/root", rootToken, map[string]any{"policy": text}).refused(400, `cannot update "root" policy`)
	d.do("DELETE", "sys/policies/acl/root", rootToken, nil).refused(400, `cannot delete "root" policy`)
	d.do("DELETE", "sys/policies/acl/default", rootToken, nil).refused(400, "cannot delete default policy")
	d.do("DELETE", "sys/policies/acl/demo", rootToken, nil).want(204)
	d.do("DELETE", "sys/policies/acl/demo", rootToken, nil).want(204)
	e := d.do("PUT", "sys/policies/acl/x", rootToken, map[string]any{"policy": `path "x" { capabilities = ["fly"] }`}).want(400).errors()
	if !strings.HasPrefix(e[0], "failed to parse policy") {
		t.Errorf("errors %q", e)
	}
	if e := d.do("PUT", "sys/policies/acl/x", rootToken, map[string]any{"policy": strings.Repeat("a {", 200_000)}).want(400).errors(); len(e) != 1 {
		t.Errorf("errors %q", e)
	}
}

func TestPolicyWritesCanSayWhatTheyReplace(t *testing.T) {
	d := newDoor(t)
	put := func(with map[string]any) answer {
		with["policy"] = `path "x" { capabilities = ["read"] }`
		return d.do("PUT", "sys/policies/acl/p", rootToken, with)
	}
	const mismatch = "check-and-set parameter did not match the current version"
	put(map[string]any{"cas": 1}).refused(400, mismatch)
	put(map[string]any{"cas": -1}).want(204)
	put(map[string]any{"cas": -1}).refused(400, "check-and-set parameter set to -1 on existing entry")
	put(map[string]any{"cas": 0}).refused(400, mismatch)
	put(map[string]any{"cas": 1, "cas_required": true}).want(204)
	put(map[string]any{}).refused(400, "check-and-set parameter required for this call")
	if got := d.do("GET", "sys/policies/acl/p", rootToken, nil).want(200).data(); got["version"] != json.Number("2") || got["cas_required"] != true {
		t.Errorf("reads %v", got)
	}
	put(map[string]any{"cas": 2, "cas_required": false}).want(204)
	put(map[string]any{}).want(204)
	put(map[string]any{"ttl": "1h", "expiration": "2030-01-01T00:00:00Z"}).refused(400, "cannot supply both 'expiration' and 'ttl' for policies")
	const slashes = "allow_slashes_in_identity_templates"
	put(map[string]any{slashes: true}).want(204)
	if got := d.do("GET", "sys/policies/acl/p", rootToken, nil).want(200).data(); got[slashes] != true || got["allow_wildcards_in_identity_templates"] != false {
		t.Errorf("reads %v", got)
	}
	put(map[string]any{}).want(204) // the permission goes with the text that it was given for
	if got := d.do("GET", "sys/policies/acl/p", rootToken, nil).want(200).data(); got[slashes] != false {
		t.Errorf("reads %v", got)
	}
	put(map[string]any{"allow_wildcards_in_identity_templates": true}).want(400)
	put(map[string]any{"ttl": "1h"}).refused(400, "policies do not end by themselves: leave out 'expiration' and 'ttl'")
}

func TestVisibleMounts(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	d.do("POST", "sys/mounts/kv", rootToken, map[string]any{"type": "kv", "options": map[string]any{"version": "2"}}).want(204)
	if got := d.do("GET", "sys/internal/ui/mounts", "", nil).want(200).data(); !reflect.DeepEqual(got, map[string]any{"auth": map[string]any{}, "secret": map[string]any{}}) {
		t.Errorf("a stranger sees %v", got)
	}
	d.do("POST", "sys/auth/jwt/tune", rootToken, map[string]any{"listing_visibility": "unauth"}).want(204)
	got := d.do("GET", "sys/internal/ui/mounts", "nonsense", nil).want(200).data()["auth"].(map[string]any)["jwt/"]
	if !reflect.DeepEqual(got, map[string]any{"type": "jwt", "description": "", "options": nil}) {
		t.Errorf("a stranger sees %v", got)
	}
	d.do("PUT", "sys/policies/acl/p", rootToken, map[string]any{"policy": `path "kv/data/app/*" { capabilities = ["read"] }`}).want(204)
	token := d.token("p")
	secret := d.do("GET", "sys/internal/ui/mounts", token, nil).want(200).data()["secret"].(map[string]any)
	if secret["kv/"] == nil || secret["identity/"] == nil {
		t.Errorf("the token sees %v", secret)
	}
	d.do("POST", "sys/mounts/hidden", rootToken, map[string]any{"type": "kv"}).want(204)
	if d.do("GET", "sys/internal/ui/mounts", token, nil).want(200).data()["secret"].(map[string]any)["hidden/"] != nil {
		t.Error("the token sees a mount that it cannot touch")
	}
	for _, path := range []string{"kv", "kv/app", "kv/data/other"} {
		m := d.do("GET", "sys/internal/ui/mounts/"+path, token, nil).want(200).data()
		if m["path"] != "kv/" || !reflect.DeepEqual(m["options"], map[string]any{"version": "2"}) || m["type"] != mount.TypeKV {
			t.Errorf("%s: %v", path, m)
		}
	}
	const no = "preflight capability check returned 403, please ensure client's policies grant access to path "
	d.do("GET", "sys/internal/ui/mounts/none/x", token, nil).refused(403, no+`"none/x/"`)
	d.do("POST", "sys/mounts/other", rootToken, map[string]any{"type": "kv"}).want(204)
	d.do("GET", "sys/internal/ui/mounts/other/x", token, nil).refused(403, no+`"other/x/"`)
	d.do("GET", "sys/internal/ui/mounts/kv", "", nil).refused(403, "permission denied")
	d.do("GET", "sys/internal/ui/mounts/kv", "nonsense", nil).refused(403, "permission denied")
}

// A GitLab project path is "group/project": a policy must say that it wants
// such values in its templates, and what widens a path stays out even then.
func TestPolicyForProjectPaths(t *testing.T) {
	d := kvDoor(t)
	key := d.withConfig()
	d.role("ci", map[string]any{"token_policies": "project", "claim_mappings": map[string]any{"project_path": "project"}}).want(200)
	accessor := d.do("GET", "sys/auth/jwt", rootToken, nil).data()["accessor"].(string)
	policy := map[string]any{"policy": `path "secret/data/{{identity.entity.aliases.` + accessor + `.metadata.project}}/*" { capabilities = ["create"] }`}
	status := func(project, path string) int {
		t.Helper()
		token := d.login("ci", key.Token(t, d.claims(map[string]any{"project_path": project}))).auth()["client_token"].(string)
		return d.do("POST", "secret/data/"+path, token, `{"data":{}}`).status
	}
	d.do("PUT", "sys/policies/acl/project", rootToken, policy).want(204)
	if got := status("group/app", "group/app/a"); got != 403 {
		t.Errorf("a value with a slash counts without the permission: %d", got)
	}
	policy["allow_slashes_in_identity_templates"] = true
	d.do("PUT", "sys/policies/acl/project", rootToken, policy).want(204)
	for _, c := range []struct {
		project, path string
		want          int
	}{
		{"group/app", "group/app/b", 200}, {"group/app", "group/other/b", 403}, {"group/app", "group/b", 403},
		{"group/*", "group/app/c", 403}, {"+/app", "group/app/d", 403}, {"group/../other", "other/e", 403},
	} {
		if got := status(c.project, c.path); got != c.want {
			t.Errorf("%s on %s: %d, want %d", c.project, c.path, got, c.want)
		}
	}
}

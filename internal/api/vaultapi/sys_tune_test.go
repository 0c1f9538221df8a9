package vaultapi

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
)

// everySetting is each setting of a mount that is read back, as it reads.
func everySetting() map[string]any {
	return map[string]any{
		"default_lease_ttl": json.Number("600"), "max_lease_ttl": json.Number("3600"), "force_no_cache": true,
		"audit_non_hmac_request_keys": []any{"b", "a"}, "audit_non_hmac_response_keys": []any{"d", "c"},
		"passthrough_request_headers": []any{"X-B", "X-A"}, "allowed_response_headers": []any{"X-D", "X-C"},
		"allowed_managed_keys": []any{"m2", "m1"}, "delegated_auth_accessors": []any{"auth_jwt_2", "auth_jwt_1"},
		"listing_visibility": "hidden", "identity_token_key": "default", "trim_request_trailing_slashes": true,
	}
}

func TestEverySettingIsReadBackAsItWasWritten(t *testing.T) {
	d := newDoor(t)
	for at, body := range map[string]map[string]any{
		"sys/mounts/enabled": {"type": "kv", "config": everySetting()}, "sys/auth/enabled": {"type": "jwt", "config": everySetting()},
		"sys/mounts/tuned": {"type": "kv"}, "sys/auth/tuned": {"type": "jwt"},
	} {
		d.do("POST", at, rootToken, body)
		want := everySetting()
		if strings.HasPrefix(at, "sys/auth/") {
			want["token_type"] = "default-service"
		}
		if body["config"] == nil {
			a := d.do("POST", at+"/tune", rootToken, everySetting()).want(200)
			if w := a.json()["warnings"].([]any); len(w) != 1 || !strings.HasSuffix(w[0].(string),
				"passthrough_request_headers, allowed_response_headers, allowed_managed_keys, delegated_auth_accessors, identity_token_key") {
				t.Errorf("%s warns %q", at, w)
			}
		}
		if got := d.do("GET", at, rootToken, nil).want(200).data()["config"]; !reflect.DeepEqual(got, any(want)) {
			t.Errorf("%s reads\n%v\nwant\n%v", at, got, want)
		}
		want["description"] = ""
		if got := d.do("GET", at+"/tune", rootToken, nil).want(200).data(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s/tune reads\n%v\nwant\n%v", at, got, want)
		}
	}
}

func TestSettingsThatAreEmptiedAreGone(t *testing.T) {
	d := newDoor(t)
	d.do("POST", "sys/mounts/kv", rootToken, map[string]any{"type": "kv", "config": everySetting(), "options": map[string]string{"version": "2", "a": "b"}}).want(200)
	d.do("POST", "sys/mounts/kv/tune", rootToken, map[string]any{
		"audit_non_hmac_request_keys": []string{}, "audit_non_hmac_response_keys": "", "passthrough_request_headers": []string{}, "allowed_response_headers": "",
		"allowed_managed_keys": []string{}, "delegated_auth_accessors": []string{}, "listing_visibility": "", "identity_token_key": "",
		"trim_request_trailing_slashes": false, "force_no_cache": false, "options": map[string]string{"a": ""},
	}).want(204)
	want := map[string]any{
		"default_lease_ttl": json.Number("600"), "max_lease_ttl": json.Number("3600"), "force_no_cache": false, "description": "",
		"options": map[string]any{"version": "2"},
	}
	if got := d.do("GET", "sys/mounts/kv/tune", rootToken, nil).want(200).data(); !reflect.DeepEqual(got, want) {
		t.Errorf("tune reads\n%v\nwant\n%v", got, want)
	}
}

func TestWhatNoTypeHereHasIsRefusedAtEnableToo(t *testing.T) {
	d := newDoor(t)
	for body, text := range map[string]string{
		`{"type":"jwt","config":{"user_lockout_config":{"lockout_threshold":"5"}}}`: `tuning of user lockout configuration for auth type "jwt" not allowed`,
		`{"type":"jwt","config":{"identity_token_key":"mine"}}`:                     `key "mine" does not exist`,
		`{"type":"jwt","config":{"plugin_version":"v1"}}`:                           "types are built in: leave plugin_version empty",
		`{"type":"jwt","config":{"delegated_auth_accessors":{"a":1}}}`:              `error converting input for field "delegated_auth_accessors": expected type list of strings, got object`,
		`{"type":"jwt","config":{"trim_request_trailing_slashes":"x"}}`:             `error converting input for field "trim_request_trailing_slashes": cannot parse as a bool`,
	} {
		d.do("POST", "sys/auth/jwt", rootToken, body).refused(400, text)
	}
	d.do("POST", "sys/auth/jwt", rootToken, `{"type":"jwt","config":{"user_lockout_config":{},"identity_token_key":""}}`).want(204)
}

func TestOnlyTheAuditOfTheServersOwnDrawersIsTuned(t *testing.T) {
	d := newDoor(t)
	for _, at := range []string{"sys", "cubbyhole"} {
		path := "sys/mounts/" + at + "/tune"
		d.do("POST", path, rootToken, `{"audit_non_hmac_request_keys":["a"],"audit_non_hmac_response_keys":["b"]}`).want(204)
		for _, body := range []string{`{"description":"x"}`, `{"listing_visibility":"unauth"}`, `{"max_lease_ttl":"1h"}`, `{"options":{"a":"b"}}`} {
			d.do("POST", path, rootToken, body).refused(400, `cannot tune "`+at+`/": only audit_non_hmac_request_keys and audit_non_hmac_response_keys can be changed`)
		}
	}
	d.do("POST", "sys/mounts/identity/tune", rootToken, `{"description":"who is who"}`).want(204)
}

// The slash goes before policies are asked, so that it cannot dodge one.
func TestTrailingSlashOfAWriteGoesOnlyWhereTheMountSaysSo(t *testing.T) {
	d := newDoor(t)
	d.do("POST", "sys/mounts/kv", rootToken, `{"type":"kv"}`).want(204)
	d.do("PUT", "sys/policies/acl/most", rootToken, map[string]any{"policy": `path "kv/*" { capabilities = ["create", "update"] } path "kv/closed" { capabilities = ["deny"] }`}).want(204)
	token := d.token("most")
	d.do("POST", "kv/open/", token, `{"a":"1"}`).refused(400, "cannot write to a path ending in '/'")
	d.do("POST", "sys/mounts/kv/tune", rootToken, `{"trim_request_trailing_slashes":true}`).want(204)
	d.do("POST", "kv/open/", token, `{"a":"2"}`).want(204)
	d.do("POST", "kv/closed/", token, `{"a":"2"}`).want(403)
	d.do("POST", "kv/open//", token, `{"a":"3"}`).want(400)
	d.do("POST", "sys/policies/acl/x/", rootToken, `{"policy":""}`).refused(400, "cannot write to a path ending in '/'")
	if got := d.do("GET", "kv/open", rootToken, nil).want(200).data(); !maps.Equal(got, map[string]any{"a": "2"}) {
		t.Errorf("kv/open holds %v", got)
	}
}

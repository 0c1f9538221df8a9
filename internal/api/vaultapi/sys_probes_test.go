package vaultapi

import (
	"encoding/base64"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"
)

func TestLogLevelIsReadChangedAndReset(t *testing.T) {
	d := newDoor(t)
	d.level.Set(slog.LevelInfo)
	is := func(want string) {
		t.Helper()
		for _, path := range []string{"sys/loggers", "sys/loggers/core"} {
			if got := d.do("GET", path, rootToken, nil).want(200).data(); !maps.Equal(got, map[string]any{"core": want}) {
				t.Errorf("%s reads %v, want %s", path, got, want)
			}
		}
	}
	is("info")
	for given, want := range map[string]string{"TRACE": "trace", "debug": "debug", "notice": "info", "warning": "warn", "err": "error", "error": "error"} {
		d.do("POST", "sys/loggers/core", rootToken, map[string]any{"level": given}).want(204)
		is(want)
	}
	d.do("POST", "sys/loggers", rootToken, `{"level":"debug"}`).want(204)
	if d.level.Level() != slog.LevelDebug {
		t.Errorf("the log is at %s", d.level.Level())
	}
	d.do("DELETE", "sys/loggers/core", rootToken, nil).want(204)
	is("info")
	d.do("POST", "sys/loggers", rootToken, `{"level":"error"}`).want(204)
	if !strings.Contains(d.log.String(), "the level of the log was changed") {
		t.Error("nobody learns who silenced the log")
	}
	d.do("DELETE", "sys/loggers", rootToken, nil).want(204)
	is("info")
	d.do("POST", "sys/loggers", rootToken, `{}`).refused(400, "level is required")
	d.do("POST", "sys/loggers", rootToken, `{"level":"loud"}`).refused(400, "invalid level provided: it is trace, debug, info, warn or error")
	d.do("POST", "sys/loggers/audit", rootToken, `{"level":"info"}`).refused(400, `logger "audit" not found`)
	d.do("DELETE", "sys/loggers/audit", rootToken, nil).refused(400, `logger "audit" not found`)
	if got := d.do("GET", "sys/loggers/audit", rootToken, nil).want(200).data(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestLogLevelNeedsSudoToChange(t *testing.T) {
	d := newDoor(t)
	d.do("PUT", "sys/policies/acl/plain", rootToken, map[string]any{"policy": `path "sys/loggers*" { capabilities = ["read", "update", "delete"] }`}).want(204)
	token := d.token("plain")
	d.do("GET", "sys/loggers", token, nil).want(200)
	for _, path := range []string{"sys/loggers", "sys/loggers/core"} {
		d.do("POST", path, token, `{"level":"error"}`).want(403)
		d.do("DELETE", path, token, nil).want(403)
	}
	d.do("GET", "sys/loggers", d.token("default"), nil).want(403)
	if d.level.Level() != slog.LevelInfo {
		t.Errorf("the log is at %s", d.level.Level())
	}
}

func TestUIHeadersAreKeptAndReadBack(t *testing.T) {
	d := newDoor(t)
	d.do("LIST", "sys/config/ui/headers", rootToken, nil).want(404)
	d.do("GET", "sys/config/ui/headers/X-Custom", rootToken, nil).want(404)
	a := d.do("POST", "sys/config/ui/headers/X-Custom", rootToken, map[string]any{"values": []string{"one", "two"}}).want(200)
	if w := a.json()["warnings"].([]any); len(w) != 1 || !strings.Contains(w[0].(string), "no web interface") {
		t.Errorf("%q", w)
	}
	if w := d.do("POST", "sys/config/ui/headers/content-security-policy", rootToken, `{"values":"default-src 'self'"}`).want(200).json()["warnings"].([]any); len(w) != 2 {
		t.Errorf("%q", w)
	}
	for path, want := range map[string]map[string]any{
		"X-Custom": {"value": "one"}, "x-custom?multivalue=true": {"values": []any{"one", "two"}}, "Content-Security-Policy": {"value": "default-src 'self'"},
	} {
		if got := d.do("GET", "sys/config/ui/headers/"+path, rootToken, nil).want(200).data(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s reads %v", path, got)
		}
	}
	if got := d.do("LIST", "sys/config/ui/headers", rootToken, nil).want(200).data()["keys"]; !reflect.DeepEqual(got, []any{"Content-Security-Policy", "X-Custom"}) {
		t.Errorf("%v", got)
	}
	d.do("DELETE", "sys/config/ui/headers/X-Custom", rootToken, nil).want(204)
	d.do("GET", "sys/config/ui/headers/X-Custom", rootToken, nil).want(404)
	d.do("POST", "sys/config/ui/headers/X-Vault-Token", rootToken, `{"values":["a"]}`).refused(400, "X-Vault headers cannot be set")
	d.do("POST", "sys/config/ui/headers/X-Custom", rootToken, `{}`).refused(400, "header and values must be specified")
	d.do("PUT", "sys/policies/acl/plain", rootToken, map[string]any{"policy": `path "sys/config/ui/headers/*" { capabilities = ["read", "update", "delete"] }`}).want(204)
	d.do("POST", "sys/config/ui/headers/A", d.token("plain"), `{"values":["a"]}`).want(403)
	d.do("GET", "sys/config/ui/headers/Content-Security-Policy", d.token("plain"), nil).want(403)
}

const passwordPolicy = "length = 12\nrule \"charset\" {\n  charset = \"abc\"\n  min-chars = 1\n}\n"

func TestPasswordPoliciesMakePasswords(t *testing.T) {
	d := newDoor(t)
	d.do("LIST", "sys/policies/password", rootToken, nil).want(404)
	d.do("GET", "sys/policies/password/team/db", rootToken, nil).refused(404, "policy does not exist")
	d.do("GET", "sys/policies/password/team/db/generate", rootToken, nil).refused(404, "policy does not exist")
	d.do("PUT", "sys/policies/password/team/db", rootToken, map[string]any{"policy": passwordPolicy, "entropy_source": "platform"}).want(204)
	d.do("PUT", "sys/policies/password/b64", rootToken, map[string]any{"policy": base64.StdEncoding.EncodeToString([]byte(passwordPolicy))}).want(204)
	if got := d.do("GET", "sys/policies/password/team/db", rootToken, nil).want(200).data(); !maps.Equal(got, map[string]any{"policy": passwordPolicy, "entropy_source": "platform"}) {
		t.Errorf("%v", got)
	}
	if got := d.do("GET", "sys/policies/password/b64", rootToken, nil).want(200).data(); !maps.Equal(got, map[string]any{"policy": passwordPolicy}) {
		t.Errorf("%v", got)
	}
	if got := d.do("LIST", "sys/policies/password", rootToken, nil).want(200).data()["keys"]; !reflect.DeepEqual(got, []any{"b64", "team/db"}) {
		t.Errorf("%v", got)
	}
	d.do("PUT", "sys/policies/acl/user", rootToken, map[string]any{"policy": `path "sys/policies/password/team/db/generate" { capabilities = ["read"] }`}).want(204)
	user := d.token("user")
	pw, _ := d.do("GET", "sys/policies/password/team/db/generate", user, nil).want(200).data()["password"].(string)
	if len(pw) != 12 || strings.Trim(pw, "abc") != "" {
		t.Errorf("a password of %d characters", len(pw))
	}
	d.do("GET", "sys/policies/password/team/db", user, nil).want(403)
	d.do("GET", "sys/policies/password/b64/generate", user, nil).want(403)
	d.do("DELETE", "sys/policies/password/b64", rootToken, nil).want(204)
	d.do("GET", "sys/policies/password/b64/generate", rootToken, nil).want(404)
	d.do("PUT", "sys/policies/password/x", rootToken, `{}`).refused(400, "missing policy")
	d.do("PUT", "sys/policies/password/x", rootToken, `{"policy":"length = 3"}`).refused(400, "passwords must be between 4 and 100 characters")
	d.do("PUT", "sys/policies/password/x", rootToken, map[string]any{"policy": passwordPolicy, "entropy_source": "dice"}).refused(400, `unsupported entropy source: it is "platform", "seal" or empty`)
	d.do("PUT", "sys/policies/password/x/generate", rootToken, map[string]any{"policy": passwordPolicy}).want(405)
}

func TestProbesOfClientsAreAnswered(t *testing.T) {
	d := newDoor(t)
	for _, token := range []string{"", rootToken} {
		if got := d.do("GET", "sys/replication/status", token, nil).want(200).data(); !maps.Equal(got, map[string]any{"mode": "disabled"}) {
			t.Errorf("%v", got)
		}
	}
	if got := d.do("GET", "sys/config/state/sanitized", rootToken, nil).want(200).data(); !maps.Equal(got, map[string]any{"enable_ui": false}) {
		t.Errorf("%v", got)
	}
	d.do("GET", "sys/config/state/sanitized", d.token("default"), nil).want(403)
	if got := d.do("POST", "sys/tools/random/platform/8", rootToken, `{"format":"hex"}`).want(200).data()["random_bytes"].(string); len(got) != 16 {
		t.Errorf("%q", got)
	}
	if got := d.do("POST", "sys/tools/random/seal", rootToken, `{"format":"hex"}`).want(200).data()["random_bytes"].(string); len(got) != 64 {
		t.Errorf("%q", got)
	}
	for _, path := range []string{"sys/tools/random/dice/8", "sys/tools/random/8"} {
		d.do("POST", path, rootToken, map[string]any{"source": "dice"}).refused(400, `unsupported entropy source; must be "platform" or "seal", or "all"`)
	}
	// What only the enterprise edition has stays absent, as in the open one.
	for _, path := range []string{"license/status", "replication/dr/status", "replication/performance/status", "managed-keys/pkcs11", "config/control-group", "storage/raft/snapshot-auto/status/x"} {
		d.do("GET", "sys/"+path, rootToken, nil).want(404)
	}
}

package pvaultapi_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/api/pvaultapi"
	"github.com/jotgate/jotgate/internal/policy/votes"
)

const version = "system/info/version"

func TestVersionNeedsAnyCredential(t *testing.T) {
	w := newWorld(t)
	want := `{"vault_id":"384662711408558080","vault_version":"jotgate-test","db_schema_version":20241125194329}`
	for _, cred := range []string{"key-all", w.jwt("alice", "all"), "pvaultauth"} {
		if got := w.must(cred, "GET", version, ""); got.body != want {
			t.Errorf("got %s", got.body)
		}
	}
	a := w.refused(401, "PV1005", "", "GET", version, "")
	if !strings.Contains(a.body, `"message":"The request is unauthorized.","context":{}`) || a.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("got %s", a.body)
	}
}

func TestCredentialComesInExactlyOneHeader(t *testing.T) {
	w := newWorld(t)
	two := w.as("key-all", "GET", version, "", "Authorization", "Bearer key-all")
	if two.status != 401 {
		t.Errorf("two headers: %d", two.status)
	}
	for _, tc := range []struct {
		header string
		want   int
	}{
		{"Bearer key-all", 200},
		{"bearer key-all", 200},
		{"BEARER  key-all", 200},
		{"Basic key-all", 401},
		{"key-all", 401},
		{"Bearer", 401},
		{"Bearer ", 401},
		{"Bearer key-all key-all", 401},
		{"Bearer key-all,", 401},
		{"Bearer " + strings.Repeat("a", 17<<10), 401},
		{"Bearer eyJ." + strings.Repeat("a", 17<<10) + ".a", 401},
	} {
		if got := w.as("", "GET", version, "", "Authorization", tc.header); got.status != tc.want {
			t.Errorf("%.40q: got %d", tc.header, got.status)
		}
	}
	w.refused(400, "PV1012", "key-all", "GET", version+"?access_token=key-all", "")
	w.refused(401, "PV1005", "", "GET", version+"?access_token=key-all", "")
}

func TestRefusedTokenShowsReasonAndNothingElse(t *testing.T) {
	w := newWorld(t)
	a := w.refused(401, "PV1005", "eyJh.x.y", "GET", version, "")
	if len(a.context()) != 1 || a.context()["jwt_error"] != "unknown_issuer" || strings.Contains(a.body, "secret-tenant") {
		t.Errorf("got %s", a.body)
	}
}

func TestEndedTokenIsUnauthorized(t *testing.T) {
	w := newWorld(t)
	tok := w.jwt("alice", "all")
	w.clock.advance(2 * time.Hour)
	if a := w.refused(401, "PV1005", tok, "GET", version, ""); a.context()["jwt_error"] != "expired" {
		t.Errorf("got %s", a.body)
	}
}

func TestHealthNeedsNoCredential(t *testing.T) {
	w := newWorld(t)
	for _, p := range []string{"data/info/health", "ctl/info/health"} {
		if a := w.must("", "GET", p, ""); a.body != `{"status":"pass"}` {
			t.Errorf("got %s", a.body)
		}
	}
}

func TestUnknownPathAndVerb(t *testing.T) {
	w := newWorld(t)
	w.refused(404, "PV1004", "key-all", "GET", "no/such/path", "")
	w.refused(404, "PV1004", "", "GET", "no/such/path", "")
	a := w.refused(405, "PV1012", "key-all", "PUT", version, "")
	if a.header.Get("Allow") != "GET" {
		t.Errorf("Allow: %q", a.header.Get("Allow"))
	}
	if e := w.trail.last(); e.Req.Operation != "unknown" || e.Error == "" {
		t.Errorf("audit: %+v", e)
	}
}

func TestMissingCapabilityNamesUser(t *testing.T) {
	w := newWorld(t)
	w.roles([]votes.RoleSpec{{Name: "none"}}, nil)
	a := w.refused(403, "PV1007", "key-none", "GET", "ctl/iam/conf", "")
	if a.context()["username"] != "user-none" || !strings.Contains(a.body, "missing capabilities") {
		t.Errorf("got %s", a.body)
	}
	// What is wrong with the request is not told to a caller who may not make it.
	w.refused(403, "PV1007", "key-none", "GET", "ctl/iam/conf?nonsense=1", "")
	w.must("key-none", "GET", version, "")
}

func TestEveryRequestIsAuditedOrRefused(t *testing.T) {
	w := newWorld(t)
	w.trail.broken = true
	for _, p := range []string{version, "ctl/iam/conf", "no/such"} {
		w.refused(500, "PV1000", "key-all", "GET", p, "")
	}
	w.refused(500, "PV1000", "key-all", "POST", "ctl/iam/conf", "[users]\n# new\n", "Content-Type", "application/toml")
	w.trail.broken = false
	if strings.Contains(string(w.iam.text), "new") {
		t.Error("a change happened without an audit entry")
	}
}

func TestIAMConfRoundTripAndConcurrency(t *testing.T) {
	w := newWorld(t)
	got := w.must("key-all", "GET", "ctl/iam/conf", "")
	if got.body != "[users]\n" || got.header.Get("Content-Type") != "application/toml" {
		t.Fatalf("got %q %v", got.body, got.header)
	}
	tag := got.header.Get("ETag")
	toml := []string{"Content-Type", "application/toml", "If-Match", tag}
	set := w.must("key-all", "POST", "ctl/iam/conf", "[users]\n# one\n", toml...)
	if set.body != "" || set.header.Get("ETag") == tag || set.header.Get("ETag") == "" {
		t.Errorf("got %q %v", set.body, set.header)
	}
	w.refused(409, "PV3218", "key-all", "POST", "ctl/iam/conf", "[users]\n# two\n", toml...)
	w.refused(400, "PV1012", "key-all", "POST", "ctl/iam/conf", "broken", "Content-Type", "application/toml")
	w.refused(400, "PV1012", "key-all", "POST", "ctl/iam/conf", "[users]", "Content-Type", "application/toml", "If-Match", "unquoted")
	w.refused(415, "PV1012", "key-all", "POST", "ctl/iam/conf", "{}", "Content-Type", "application/json")
	w.refused(413, "PV1012", "key-all", "POST", "ctl/iam/conf", strings.Repeat("#", 5<<20), "Content-Type", "application/toml")
}

func TestUserKeys(t *testing.T) {
	w := newWorld(t)
	a := w.must("key-all", "POST", "ctl/iam/user/regen", `{"name":"bob"}`)
	if a.body != `{"api_key":"0b8f9c9e-6f57-4f7e-9d9e-d53a3b0f7f10","api_key_expiry":"2027-11-21T12:00:00Z"}` {
		t.Errorf("got %s", a.body)
	}
	a = w.must("key-all", "POST", "ctl/iam/user/update-expiration", `{"name":"bob","expiration_secs":60}`)
	if a.body != `{"name":"bob","api_key_expiry":"2026-11-21T12:01:00Z"}` {
		t.Errorf("got %s", a.body)
	}
	a = w.must("key-all", "GET", "ctl/iam/user/bob", "")
	if a.body != `{"name":"bob","api_key":{"expiry":"2026-11-21T12:01:00Z"}}` {
		t.Errorf("got %s", a.body)
	}
	w.refused(403, "PV2021", "pvaultauth", "POST", "ctl/iam/user/regen", `{"name":"Admin"}`)
	w.refused(404, "PV1004", "key-all", "POST", "ctl/iam/user/regen", `{"name":"eve"}`)
	for _, body := range []string{``, `{}`, `{"name":1}`, `{"name":"bob","x":1}`, `{"name":"bob","name":"bob"}`, `{"Name":"bob"}`, `{"name":"bob"} x`, strings.Repeat("[", 100)} {
		w.refused(400, "PV1012", "key-all", "POST", "ctl/iam/user/regen", body)
	}
	w.refused(400, "PV1012", "key-all", "POST", "ctl/iam/user/update-expiration", `{"name":"bob","expiration_secs":-1}`)
}

func TestAdminKeyIsForAdminOnly(t *testing.T) {
	w := newWorld(t)
	w.refused(403, "PV1007", "key-all", "POST", "ctl/iam/admin/set-api-key", `{"key":"Abcdefghijklm123"}`)
	w.must("pvaultauth", "POST", "ctl/iam/admin/set-api-key", `{"key":"Abcdefghijklm123"}`)
	w.refused(401, "PV1005", "pvaultauth", "GET", version, "")
	w.must("Abcdefghijklm123", "GET", version, "")
}

func TestDelegation(t *testing.T) {
	w := newWorld(t)
	w.roles([]votes.RoleSpec{
		{Name: "backend"}, {Name: "other"},
		{Name: "user", Capabilities: []string{"CapIAMReader"}, TrustedRoles: []string{"backend"}},
		{Name: "plain", Capabilities: []string{"CapIAMReader"}},
	}, nil)
	user, plain := w.jwt("alice", "user"), w.jwt("bob", "plain")
	const path = "ctl/iam/conf"

	w.must("key-backend", "GET", path, "", "X-Pvault-Delegation", user)
	w.must("key-backend", "GET", path, "", "X-Pvault-Delegation", "Bearer "+user)
	if a := w.trail.last().Auth; a.Role != "user" || a.Subject != "alice" || a.Delegate != "backend/user-backend" {
		t.Errorf("audit: %+v", a)
	}
	w.must(w.jwt("carol", "backend"), "GET", path, "", "X-Pvault-Delegation", user)
	if a := w.trail.last().Auth; a.Delegate != "backend/carol" || a.DelegateIssuer == "" || a.DelegateIssuer != a.Issuer {
		t.Errorf("the audit entry does not name the delegate's identity provider: %+v", a)
	}
	w.refused(403, "PV1007", "key-backend", "GET", path, "")
	for name, tc := range map[string][]string{
		"a role that trusts others cannot be used alone": {user},
		"nor by an API key":                                {"key-user"},
		"only a trusted role may delegate":                 {"key-other", user},
		"a role that trusts no one cannot be delegated to": {"key-backend", plain},
		"a delegation is never an API key":                 {"key-backend", "key-user"},
		"a user token does not delegate to itself":         {user, user},
		"the administrator does not delegate":              {"pvaultauth", user},
		"an unknown token is no delegation":                {"key-backend", "eyJh.unknown.x"},
	} {
		var headers []string
		if len(tc) > 1 {
			headers = []string{"X-Pvault-Delegation", tc[1]}
		}
		if a := w.as(tc[0], "GET", path, "", headers...); a.status != 401 || a.code() != "PV1005" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := w.as("key-backend", "GET", path, "", "X-Pvault-Delegation", user, "X-Pvault-Delegation", user); a.status != 401 {
		t.Errorf("two delegations: %d", a.status)
	}
}

func TestRoleThatIsGoneHasNoRights(t *testing.T) {
	w := newWorld(t)
	tok := w.jwt("alice", "gone")
	w.refused(403, "PV1007", tok, "GET", version, "")
}

func TestInfoAndConfVars(t *testing.T) {
	level := new(slog.LevelVar)
	w := newWorld(t, func(o *pvaultapi.Options) {
		o.Configuration, o.LogLevel = func() []byte { return []byte("devmode = true\n") }, level
	})
	for path, want := range map[string]string{
		"ctl/info/cluster":          `"generation_number":7`,
		"system/info/license":       `"expiration"`,
		"system/info/kms":           `{"kms":{"status":"pass","type":"LOCAL"}}`,
		"system/info/configuration": "devmode = true",
		"system/confvar/log_level":  `{"name":"log_level","value":"info","default_value":"info"}`,
	} {
		if a := w.must("key-all", "GET", path, ""); !strings.Contains(a.body, want) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	w.must("key-all", "POST", "system/confvar/log_level", `{"value":"debug"}`)
	if a := w.must("key-all", "GET", "system/confvar/log_level", ""); !strings.Contains(a.body, `"value":"debug"`) {
		t.Error(a.body)
	}
	level.Set(slog.LevelDebug - 4) // as the other door may
	if a := w.must("key-all", "GET", "system/confvar/log_level", ""); !strings.Contains(a.body, `"value":"debug"`) {
		t.Error(a.body)
	}
	w.refused(400, "PV1012", "key-all", "POST", "system/confvar/log_level", `{"value":"loud"}`)
	w.refused(404, "PV1004", "key-all", "GET", "system/confvar/other", "")
	w.must("key-all", "DELETE", "system/confvar", "")
	w.refused(501, "PV2001", "key-all", "POST", "system/admin/keys/rotate", "")
	w.refused(501, "PV2001", "key-all", "GET", "system/admin/export_key", "")
}

func TestDataCallsNeedAReason(t *testing.T) {
	w := newWorld(t)
	const path = "data/collections/buyers/count/objects"
	w.refused(400, "PV1001", "key-all", "GET", path, "")
	w.refused(400, "PV1002", "key-all", "GET", path+"?reason=Fun", "")
	w.refused(400, "PV1002", "key-all", "GET", path+"?reason=Other", "")
	w.refused(404, "PV1004", "key-all", "GET", path+"?reason=Other&adhoc_reason=test", "")
	w.refused(400, "PV1012", "key-all", "GET", path+"?reason=Other&reason=Marketing", "")
	w.refused(400, "PV1012", "key-all", "GET", path+"?reason=Marketing&reload_cache=maybe", "")
	w.refused(400, "PV1012", "key-all", "GET", path+"?reason=Marketing;x", "")
	if e := w.trail.last(); e.Req.Collection != "buyers" {
		t.Errorf("audit: %+v", e.Req)
	}
}

func TestRepliesAreNotCached(t *testing.T) {
	w := newWorld(t)
	a := w.must("key-all", "GET", version, "")
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Pvault-Request-Id") == "" {
		t.Errorf("got %v", a.header)
	}
	if http.StatusText(a.status) != "OK" {
		t.Error(a.status)
	}
}

func TestPanicIsAServerErrorThatIsAudited(t *testing.T) {
	w := newWorld(t, func(o *pvaultapi.Options) { o.Configuration = func() []byte { panic("secret detail") } })
	a := w.refused(500, "PV1000", "key-all", "GET", "system/info/configuration", "")
	if strings.Contains(a.body, "secret") {
		t.Error(a.body)
	}
	if e := w.trail.last(); e.Error == "" {
		t.Error("the audit entry says nothing of the failure")
	}
}

func TestBrowsersAreToldWhichPagesMayCall(t *testing.T) {
	origin := func(w *world, method, from string) answer {
		return w.as("key-all", method, version, "", "Origin", from, "Access-Control-Request-Method", "GET")
	}
	for _, tc := range []struct {
		allow []string
		from  string
		want  string
	}{
		{nil, "https://app.test", ""},
		{[]string{"https://app.test"}, "https://app.test", "https://app.test"},
		{[]string{"https://app.test"}, "https://app.test.evil.test", ""},
		{[]string{"https://app.test"}, "null", ""},
		{[]string{"*"}, "https://any.test", "*"},
	} {
		w := newWorld(t, func(o *pvaultapi.Options) { o.AllowOrigins = tc.allow })
		preflight, call := origin(w, "OPTIONS", tc.from), origin(w, "GET", tc.from)
		for _, a := range []answer{preflight, call} {
			if got := a.header.Get("Access-Control-Allow-Origin"); got != tc.want || a.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%v from %s: %q", tc.allow, tc.from, got)
			}
		}
		if (preflight.status == 204) != (tc.want != "") || call.status != 200 {
			t.Errorf("%v from %s: %d, %d", tc.allow, tc.from, preflight.status, call.status)
		}
	}
}

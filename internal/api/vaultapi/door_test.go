package vaultapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

func TestAmbiguousPathsAreRefused(t *testing.T) {
	d := newDoor(t)
	for path, want := range map[string]string{
		"sys/../sys/mounts": "relative paths not supported", "./sys/mounts": "relative paths not supported", "sys/mounts/..": "relative paths not supported",
		"sys//mounts": "path must not contain empty segments", "/sys/mounts": "path must not contain empty segments",
		"sys/mounts\x00": "path must not contain control characters", "sys/\nmounts": "path must not contain control characters",
		"sys/\xff": "path is not valid UTF-8", strings.Repeat("a", 5000): "path is longer than 4096 bytes",
	} {
		d.do("GET", path, rootToken, nil).refused(400, want)
	}
	// Encoded spellings are the same path, decoded once.
	for raw, want := range map[string]int{"/v1/sys/%2e%2e/x": 400, "/v1/sys/mount%73": 200, "/v1/sys%2Fmounts": 200, "/v1/sys%2f%2fmounts": 400, "/v1/sys/%252e%252e/x": 404} {
		r := httptest.NewRequest(http.MethodGet, "http://vault.test"+raw, nil)
		r.Header.Set("X-Vault-Token", rootToken)
		w := httptest.NewRecorder()
		d.h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d: %s", raw, w.Code, want, w.Body)
		}
	}
	d.do("PUT", "sys/policies/acl/x/", rootToken, nil).refused(400, "cannot write to a path ending in '/'")
	d.do("GET", "sys/mounts/", rootToken, nil).want(200)
}

func TestATrailingSlashDoesNotDodgeADeny(t *testing.T) {
	d := newDoor(t)
	d.do("PUT", "sys/policies/acl/p", rootToken, map[string]any{"policy": `path "sys/*" { capabilities = ["read", "list"] }
path "sys/mounts" { capabilities = ["deny"] }`}).want(204)
	token := d.token("p")
	d.do("GET", "sys/auth", token, nil).want(200)
	d.do("GET", "sys/mounts", token, nil).want(403)
	d.do("GET", "sys/mounts/", token, nil).want(403)
}

func TestBodiesAreBoundedAndStrict(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	for name, tc := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"broken":         {`{"role":`, 400, "failed to decode JSON input: unexpected EOF"},
		"list":           {`[1]`, 400, "failed to decode JSON input: the body must be a JSON object"},
		"scalar":         {`"x"`, 400, "failed to decode JSON input: the body must be a JSON object"},
		"twice":          {`{"role":"a","role":"b"}`, 400, "failed to decode JSON input: an object has the same name twice"},
		"nested twice":   {`{"x":{"a":1,"a":2}}`, 400, "failed to decode JSON input: an object has the same name twice"},
		"garbage":        {`{"role":s3cr3t}`, 400, "failed to decode JSON input: invalid JSON at byte 8"},
		"more":           {`{} {}`, 400, "failed to decode JSON input: there is something after the object"},
		"bad utf8":       {"{\"role\":\"\xff\"}", 400, "failed to decode JSON input: invalid JSON at byte 9"},
		"lone surrogate": {`{"role":"\ud800"}`, 400, "failed to decode JSON input: invalid JSON at byte 9"},
		"deep":           {strings.Repeat(`{"a":`, 200), 400, "refused JSON input due to high complexity: more than 100 levels"},
		"deep list":      {`{"a":` + strings.Repeat(`[`, 200), 400, "refused JSON input due to high complexity: more than 100 levels"},
		"huge":           {`{"role":"` + strings.Repeat("a", SmallBody) + `"}`, 413, "request body is larger than 131072 bytes"},
		"empty":          {``, 400, "could not load configuration"},
		"only space":     {` `, 400, "could not load configuration"},
		"null":           {`null`, 400, "could not load configuration"},
		"null and more":  {`null {}`, 400, "failed to decode JSON input: there is something after the object"},
		"almost null":    {`nul`, 400, "failed to decode JSON input: unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			a := d.do("POST", "auth/jwt/login", "", tc.body).want(tc.status)
			if e := a.errors(); !strings.HasPrefix(e[0], tc.want) {
				t.Errorf("errors %q, want %q", e, tc.want)
			}
			if strings.Contains(string(a.body), "s3cr3t") {
				t.Errorf("the answer shows the body: %s", a.body)
			}
		})
	}
	wide := `{"a":[` + strings.Repeat("1,", maxValues) + `1]}`
	d.do("POST", "sys/policies/acl/x", rootToken, wide).refused(400, "refused JSON input due to high complexity: more than 200000 values")
}

// TestAStrangersBodyIsNotRead: without a good token nothing beyond the headers
// is looked at, however large it says it is.
func TestAStrangersBodyIsNotRead(t *testing.T) {
	d := newDoor(t)
	r := httptest.NewRequest(http.MethodPost, "http://vault.test/v1/sys/policies/acl/x", failingReader{t})
	r.Header.Set("X-Vault-Token", "nonsense")
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	if w.Code != 403 {
		t.Errorf("status %d", w.Code)
	}
}

type failingReader struct{ t *testing.T }

func (f failingReader) Read([]byte) (int, error) {
	f.t.Error("the body was read")
	return 0, fmt.Errorf("no")
}

func TestFormsAndContentTypes(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	d.do("POST", "sys/policies/acl/form", rootToken, `policy=path+%22x%22+%7B%7D`, form...).want(204)
	d.do("POST", "sys/policies/acl/json", rootToken, `{"policy":"path \"x\" {}"}`, form...).want(204)
	d.do("POST", "sys/policies/acl/plain", rootToken, `{"policy":"path \"x\" {}"}`, "Content-Type", "text/plain").want(204)
	d.do("POST", "auth/jwt/login", "", "role=%zz", form...).refused(400, "failed to decode form input")
	d.do("PATCH", "sys/mounts", rootToken, "{}").refused(400, "mime: no media type")
	d.do("PATCH", "sys/mounts", rootToken, "{}", "Content-Type", "application/json").
		refused(415, "PATCH requires Content-Type of application/merge-patch+json, provided application/json")
	d.do("PATCH", "sys/mounts", rootToken, "{}", "Content-Type", "application/merge-patch+json").
		refused(405, "1 error occurred:\n\t* unsupported operation\n\n")
}

func TestVerbs(t *testing.T) {
	d := newDoor(t)
	for _, verb := range []string{"TRACE", "CONNECT", "REVOKE", "RENEW", "ROLLBACK", "ALIAS-LOOKAHEAD", "HELP"} {
		a := d.do(verb, "sys/mounts", rootToken, nil).want(405)
		if len(a.errors()) != 0 {
			t.Errorf("%s: %s", verb, a.body)
		}
	}
	if a := d.do("HEAD", "sys/mounts", rootToken, nil).want(200); len(a.body) != 0 {
		t.Errorf("HEAD has a body: %s", a.body)
	}
	d.do("LIST", "sys/policies/acl", rootToken, nil).want(200)
	d.do("GET", "sys/policies/acl?list=true", rootToken, nil).want(200)
	d.do("GET", "sys/policies/acl?list=1", rootToken, nil).want(200)
	d.do("GET", "nothing/here", rootToken, nil).refused(404, `no handler for route "nothing/here". route entry not found.`)
	d.do("GET", "nothing/here", "", nil).refused(403, "permission denied")
	d.do("GET", "sys/nothing", rootToken, nil).refused(404, "1 error occurred:\n\t* unsupported path\n\n")
}

func TestTokenHeaders(t *testing.T) {
	d := newDoor(t)
	d.do("GET", "sys/mounts", "", nil, "Authorization", "Bearer root").want(200)
	d.do("GET", "sys/mounts", "", nil, "Authorization", "bearer root").want(200)
	d.do("GET", "sys/mounts", "", nil, "Authorization", "Basic root").want(403)
	d.do("GET", "sys/mounts", "nonsense", nil, "Authorization", "Bearer root").want(403)
	d.do("GET", "sys/mounts", strings.Repeat("x", maxToken+1), nil).refused(413, "token is longer than 16384 bytes")
}

func TestNamespaces(t *testing.T) {
	d := newDoor(t)
	for _, ns := range []string{"", "/", "root", "root/", "/root/"} {
		d.do("GET", "sys/mounts", rootToken, nil, "X-Vault-Namespace", ns).want(200)
	}
	a := d.do("GET", "sys/mounts", rootToken, nil, "X-Vault-Namespace", "ns1/")
	a.refused(404, "namespace not found")
	if a.header.Get("X-Vault-Namespace") != "ns1/" {
		t.Errorf("header %q", a.header)
	}
	d.do("GET", "sys/mounts", rootToken, nil, "X-Vault-Namespace", "Root").want(404)
}

func TestStrayParametersAreSaid(t *testing.T) {
	d := newDoor(t)
	a := d.do("POST", "sys/remount", rootToken, map[string]any{"from": "x", "to": "y", "b": 1, "a": 2})
	a.want(400)
	d.enableJWT()
	a = d.do("POST", "sys/remount", rootToken, map[string]any{"from": "auth/jwt", "to": "auth/j2", "b": 1, "a": 2}).want(200)
	w := a.json()["warnings"].([]any)
	if w[len(w)-1] != "Endpoint ignored these unrecognized parameters: [a b]" {
		t.Errorf("warnings %q", w)
	}
	d.do("PUT", "sys/policies/acl/x", rootToken, map[string]any{"policy": `path "x" {}`, "stray": 1}).want(204)
	a = d.do("PUT", "sys/policies/acl/X", rootToken, map[string]any{"policy": `path "x" {}`, "name": "y"}).want(200)
	want := []any{"policy name was converted to x", "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [name]"}
	if got := a.json()["warnings"]; !reflect.DeepEqual(got, want) {
		t.Errorf("warnings %q", got)
	}
	if got := d.do("GET", "sys/policies/acl/y", rootToken, nil); got.status != 404 {
		t.Error("the body's name won over the path's")
	}
}

// TestACrashShowsNothing is the last line: a handler that panics answers 500,
// and neither the answer nor the log holds what the request sent.
func TestACrashShowsNothing(t *testing.T) {
	d := newDoor(t)
	old := systemBackend
	defer func() { systemBackend = old }()
	systemBackend = NewBackend("x", []Row{{
		Verbs: []string{Update}, Pattern: "crash", Auth: route.Authenticated, Action: "crash", Body: SmallBody,
		Handler: Action{Free: true, Do: func(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
			panic(fmt.Sprint("s3cr3t ", c.Data.Map()))
		}},
	}})
	a := d.do("POST", "sys/crash", rootToken, map[string]any{"password": "s3cr3t"})
	a.refused(500, "1 error occurred:\n\t* internal error\n\n")
	if strings.Contains(d.log.String(), "s3cr3t") || !strings.Contains(d.log.String(), "a handler crashed") {
		t.Errorf("log: %s", d.log)
	}
	if e := d.audit.last(); e.Type != "response" {
		t.Errorf("a crash leaves no response entry but %s", e.Type)
	}
}

func TestSealedDoorAnswersOnlyStatus(t *testing.T) {
	s := &fakeSealer{}
	d := &door{t: t, log: &bytes.Buffer{}, h: New(Options{Sealer: s, Info: Info{Version: "0.1.0", StorageType: "embedded"}})}
	for _, path := range []string{"sys/mounts", "auth/jwt/login", "sys/leader", "x"} {
		d.do("GET", path, rootToken, nil).refused(503, "Vault is sealed")
	}
	d.do("GET", "sys/health", "", nil).want(501)
	d.do("HEAD", "sys/health?uninitcode=299", "", nil).want(299)
	if got := d.do("GET", "sys/init", "", nil).want(200).json(); !reflect.DeepEqual(got, map[string]any{"initialized": false}) {
		t.Errorf("init %v", got)
	}
	d.do("PUT", "sys/init", "", map[string]any{"pgp_keys": "x"}).refused(400, "error parsing given PGP key: it is not the base64 of a binary key")
	d.do("PUT", "sys/init", "", map[string]any{"root_token_pgp_key": "x"}).refused(400, "error parsing given PGP key: it is not the base64 of a binary key")
	d.do("PUT", "sys/init", "", map[string]any{"recovery_pgp_keys": "x"}).refused(400, "there are no recovery shares: leave recovery_pgp_keys out")
	a := d.do("PUT", "sys/init", "", map[string]any{"secret_shares": 3, "secret_threshold": 2, "pgp_keys": nil, "root_token_pgp_key": ""}).want(200)
	want := map[string]any{"keys": []any{"01", "02"}, "keys_base64": []any{"AQ==", "Ag=="}, "root_token": "hvs.root"}
	if got := a.json(); !reflect.DeepEqual(got, want) {
		t.Errorf("init %v", got)
	}
	d.do("PUT", "sys/init", "", map[string]any{}).refused(400, "Vault is already initialized")
	st := d.do("GET", "sys/health", "", nil).want(503).json()
	if st["standby"] != true || st["replication_dr_mode"] != "unknown" || st["cluster_name"] != nil {
		t.Errorf("sealed health %v", st)
	}
	d.do("GET", "sys/health?sealedcode=204", "", nil).want(204)
	d.do("GET", "sys/health?sealedcode=999", "", nil).want(400)
	d.do("DELETE", "sys/health", "", nil).refused(405, "unsupported operation")
	got := d.do("GET", "sys/seal-status", "", nil).want(200).json()
	for k, v := range map[string]any{"type": "shamir", "initialized": true, "sealed": true, "storage_type": "embedded", "migration": false, "recovery_seal": false, "nonce": "", "version": "1.18.5+jotgate.0.1.0"} {
		if got[k] != v {
			t.Errorf("seal-status %s = %v, want %v", k, got[k], v)
		}
	}
	d.do("PUT", "sys/unseal", "", map[string]any{}).refused(400, "'key' must be specified in request body as JSON, or 'reset' set to true")
	d.do("PUT", "sys/unseal", "", map[string]any{"key": hex.EncodeToString([]byte("one")), "migrate": true}).
		refused(400, "can't perform a seal migration, no migration seal found")
	d.do("PUT", "sys/unseal", "", map[string]any{"key": "!"}).refused(400, "'key' must be a valid hex or base64 string")
	d.do("GET", "sys/unseal", "", nil).want(405)
	d.do("PUT", "sys/unseal", "", map[string]any{"key": hex.EncodeToString([]byte("one"))}).want(200)
	d.do("PUT", "sys/unseal", "", map[string]any{"key": base64.StdEncoding.EncodeToString([]byte("two!"))}).want(200)
	d.do("PUT", "sys/unseal", "", map[string]any{"reset": true}).want(200)
	if want := []string{"one", "two!", "reset"}; !reflect.DeepEqual(s.did, want) {
		t.Errorf("the sealer did %q, want %q", s.did, want)
	}
}

func TestSealNeedsSudo(t *testing.T) {
	d := newDoor(t)
	s := &fakeSealer{}
	d.h.sealer = s
	d.do("PUT", "sys/policies/acl/p", rootToken, map[string]any{"policy": `path "sys/seal" { capabilities = ["update"] }`}).want(204)
	d.do("PUT", "sys/seal", d.token("p"), nil).want(403)
	d.do("PUT", "sys/seal", "", nil).want(403)
	d.do("PUT", "sys/seal", rootToken, nil).want(204)
	if !reflect.DeepEqual(s.did, []string{"seal"}) {
		t.Errorf("the sealer did %q", s.did)
	}
}

func TestUnsealedStatus(t *testing.T) {
	d := newDoor(t)
	st := d.do("GET", "sys/health", "", nil).want(200).json()
	if st["sealed"] != false || st["standby"] != false || st["cluster_id"] != "id" || st["initialized"] != true {
		t.Errorf("health %v", st)
	}
	d.do("GET", "sys/health?activecode=299&standbyok=true", "", nil).want(299)
	if l := d.do("GET", "sys/leader", "", nil).want(200).json(); l["ha_enabled"] != false {
		t.Errorf("leader %v", l)
	}
	other := httptest.NewRequest(http.MethodGet, "http://vault.test/other", nil)
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, other)
	if w.Code != 404 || w.Body.String() != "{\"errors\":[]}\n" {
		t.Errorf("outside /v1: %d %s", w.Code, w.Body)
	}
}

type fakeSealer struct {
	initialized bool
	did         []string
}

func (f *fakeSealer) Status(context.Context) (SealStatus, error) {
	return SealStatus{Type: "shamir", Initialized: f.initialized, Sealed: true, Threshold: 2, Shares: 3}, nil
}

func (f *fakeSealer) Init(_ context.Context, r InitRequest) (InitResult, error) {
	if f.initialized {
		return InitResult{}, fault.New(fault.Invalid, "Vault is already initialized")
	}
	f.initialized = true
	if r.Shares != 3 || r.Threshold != 2 {
		return InitResult{}, fault.New(fault.Internal, "numbers did not arrive")
	}
	return InitResult{Shares: [][]byte{{1}, {2}}, RootToken: "hvs.root"}, nil
}

func (f *fakeSealer) Unseal(_ context.Context, share []byte) error {
	f.did = append(f.did, string(share))
	return nil
}

func (f *fakeSealer) ResetUnseal(context.Context) error { f.did = append(f.did, "reset"); return nil }

func (f *fakeSealer) Seal(context.Context) error { f.did = append(f.did, "seal"); return nil }

// The audit entry of a refusal names the status that the caller got.
func TestAuditNamesTheStatusOfFailures(t *testing.T) {
	d := newDoor(t)
	for _, c := range []struct {
		method, path, token string
		status              int
	}{
		{"GET", "sys/mounts", "", 403},
		{"GET", "sys/mounts", d.token("default"), 403},
		{"GET", "sys/policies/acl/none", rootToken, 404},
		{"PUT", "sys/policies/acl/x", rootToken, 400},
		{"DELETE", "sys/mounts", rootToken, 405},
		{"GET", "sys/policies/acl/default", rootToken, 200},
	} {
		d.do(c.method, c.path, c.token, nil).want(c.status)
		if e := d.audit.last(); e.Resp == nil || e.Resp.Status != c.status {
			t.Errorf("%s %s: %d is recorded as %+v", c.method, c.path, c.status, e.Resp)
		}
	}
}

package pvaultapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/api/pvaultapi"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/engine/objects"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy/votes"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// trail keeps audit entries.
type trail struct {
	mu      sync.Mutex
	entries []audit.Entry
	broken  bool
}

func (r *trail) Record(_ context.Context, e *audit.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken {
		return io.ErrShortWrite
	}
	r.entries = append(r.entries, *e)
	return nil
}

func (r *trail) RecordPair(ctx context.Context, request, response *audit.Entry) error {
	return errors.Join(r.Record(ctx, request), r.Record(ctx, response))
}

func (r *trail) last() audit.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries[len(r.entries)-1]
}

// fakeIAM has one API key per role, "key-<role>", and the JWTs that a test
// gives it.
type fakeIAM struct {
	mu    sync.Mutex
	roles *votes.Roles
	jwts  map[string]*principal.Principal
	text  []byte
	users map[string]time.Time
	admin string
}

func (f *fakeIAM) Authenticate(key string) (*principal.Principal, error) {
	if key == f.admin {
		return principal.New(principal.Attrs{Kind: principal.Admin, Name: "Admin", Role: votes.AdminRole}), nil
	}
	role, ok := strings.CutPrefix(key, "key-")
	if _, known := f.roles.Role(role); !ok || !known {
		return nil, fault.New(fault.Unauthenticated, "The request is unauthorized.")
	}
	return principal.New(principal.Attrs{Kind: principal.APIKey, Name: "user-" + role, Role: role}), nil
}

func (f *fakeIAM) Role(name string) (*votes.Role, bool) { return f.roles.Role(name) }

func (f *fakeIAM) tag() string { s := sha256.Sum256(f.text); return hex.EncodeToString(s[:]) }

func (f *fakeIAM) Text(context.Context) ([]byte, string, error) { return f.text, f.tag(), nil }

func (f *fakeIAM) Apply(_ context.Context, text []byte, ifMatch string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ifMatch != "" && ifMatch != f.tag() {
		return "", fault.New(fault.Conflict, "The configuration was changed by someone else.")
	}
	if bytes.Contains(text, []byte("broken")) {
		return "", fault.New(fault.Invalid, "iam.toml:1: broken")
	}
	f.text = text
	return f.tag(), nil
}

func (f *fakeIAM) Regenerate(_ context.Context, user string) (string, time.Time, error) {
	if user == "Admin" {
		return "", time.Time{}, fault.New(fault.Denied, "Regenerating a key for Admin is not allowed.").WithReason("admin_key")
	}
	if _, ok := f.users[user]; !ok {
		return "", time.Time{}, fault.New(fault.NotFound, "The user is not found.")
	}
	f.users[user] = start.AddDate(1, 0, 0)
	return "0b8f9c9e-6f57-4f7e-9d9e-d53a3b0f7f10", f.users[user], nil
}

func (f *fakeIAM) Expire(_ context.Context, user string, at time.Time) error {
	if _, ok := f.users[user]; !ok {
		return fault.New(fault.NotFound, "The user is not found.")
	}
	f.users[user] = at
	return nil
}

func (f *fakeIAM) KeyExpiry(_ context.Context, user string) (time.Time, error) {
	at, ok := f.users[user]
	if !ok {
		return at, fault.New(fault.NotFound, "The user is not found.")
	}
	return at, nil
}

func (f *fakeIAM) SetAdminKey(_ context.Context, key string) error { f.admin = key; return nil }

func (f *fakeIAM) Generation() (int64, time.Time) { return 7, start }

// fakeBearer knows the JWTs of the IAM fake.
type fakeBearer struct{ iam *fakeIAM }

func (b fakeBearer) Authenticate(_ context.Context, raw string) (*principal.Principal, error) {
	if p := b.iam.jwts[raw]; p != nil {
		return p, nil
	}
	return nil, fault.New(fault.Unauthenticated, "the token is not accepted").WithReason("unknown_issuer").WithDetail("issuer", "secret-tenant")
}

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// world is a whole door on a real store.
type world struct {
	t      testing.TB
	door   *pvaultapi.Door
	iam    *fakeIAM
	trail  *trail
	clock  *clock
	engine *objects.Engine
	store  *embedded.Store
	raw    *storagetest.Switch // under the seal
}

func newWorld(t testing.TB, change ...func(*pvaultapi.Options)) *world {
	t.Helper()
	w := &world{t: t, trail: &trail{}, clock: &clock{t: start}}
	store := openStore(t, w.clock.now)
	w.store, w.raw = store, &storagetest.Switch{Store: storagetest.Twice(store)}
	ring := seal.NewKeyring(start)
	var err error
	if w.engine, err = objects.New(objects.Options{Store: seal.Wrap(w.raw, ring), Keyring: ring}); err != nil {
		t.Fatal(err)
	}
	w.iam = &fakeIAM{jwts: map[string]*principal.Principal{}, users: map[string]time.Time{"bob": {}}, admin: "pvaultauth", text: []byte("[users]\n")}
	w.roles(
		[]votes.RoleSpec{{Name: "all", Capabilities: []string{"*"}, Policies: []string{"AllowAll"}}},
		[]votes.PolicySpec{allowAll},
	)
	o := pvaultapi.Options{
		Gate: gate.New(w.trail, w.clock.now), IAM: w.iam, Bearer: fakeBearer{w.iam}, Objects: w.engine, Now: w.clock.now,
		Version: pvaultapi.Version{VaultID: "384662711408558080", Vault: "jotgate-test", Schema: 20241125194329},
	}
	for _, f := range change {
		f(&o)
	}
	if w.door, err = pvaultapi.New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

func openStore(t testing.TB, now func() time.Time) *embedded.Store {
	t.Helper()
	store, err := embedded.Open(t.TempDir(), embedded.Options{Now: now, SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

var allowAll = votes.PolicySpec{Name: "AllowAll", Type: "allow", Operations: []string{"*"}, Reasons: []string{"*"}, Resources: []string{"*"}}

func (w *world) roles(rs []votes.RoleSpec, ps []votes.PolicySpec) {
	w.t.Helper()
	roles, err := votes.Compile(rs, ps)
	if err != nil {
		w.t.Fatal(err)
	}
	w.iam.roles = roles
}

// jwt makes a token for a role, narrowed to the given properties.
func (w *world) jwt(sub, role string, narrowing ...principal.Narrowing) string {
	raw := "eyJh." + sub + "." + role
	w.iam.jwts[raw] = principal.New(principal.Attrs{
		Kind: principal.BearerJWT, Name: sub, Subject: sub, Issuer: "app1", Role: role, Narrowing: narrowing,
		Expires: w.clock.now().Add(time.Hour),
	})
	return raw
}

// answer is one reply.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v in %q", err, a.body)
	}
}

func (a answer) code() string {
	var e struct {
		Code string `json:"error_code"`
	}
	_ = json.Unmarshal([]byte(a.body), &e)
	return e.Code
}

func (a answer) context() map[string]string {
	var e struct {
		Context map[string]string `json:"context"`
	}
	_ = json.Unmarshal([]byte(a.body), &e)
	return e.Context
}

// as sends a request with a credential; headers come in pairs.
func (w *world) as(cred, method, path, body string, headers ...string) answer {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	if !strings.HasPrefix(path, "/") {
		path = pvaultapi.Prefix + path
	}
	req := httptest.NewRequest(method, path, r)
	if cred != "" {
		req.Header.Set("Authorization", "Bearer "+cred)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.door.ServeHTTP(rec, req)
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

// must is as for a call that has to succeed.
func (w *world) must(cred, method, path, body string, headers ...string) answer {
	w.t.Helper()
	a := w.as(cred, method, path, body, headers...)
	if a.status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a
}

// refused wants a refusal with this status and code.
func (w *world) refused(status int, code, cred, method, path, body string, headers ...string) answer {
	w.t.Helper()
	a := w.as(cred, method, path, body, headers...)
	if a.status != status || a.code() != code {
		w.t.Fatalf("%s %s: got %d %s, want %d %s", method, path, a.status, a.body, status, code)
	}
	if w.trail.broken || len(w.trail.entries) == 0 { // a world with an audit log of its own
		return a
	}
	if e := w.trail.last(); e.Resp == nil || e.Resp.Status != status {
		w.t.Errorf("%s %s: the audit entry of a %d says %+v", method, path, status, e.Resp)
	}
	return a
}

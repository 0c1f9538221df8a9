package vaultapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/auditstore"
	"github.com/jotgate/jotgate/internal/authjwt"
	"github.com/jotgate/jotgate/internal/cors"
	"github.com/jotgate/jotgate/internal/engine/cubbyhole"
	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/identity"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/mount"
	"github.com/jotgate/jotgate/internal/passpolicy"
	"github.com/jotgate/jotgate/internal/policystore"
	"github.com/jotgate/jotgate/internal/quota"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
	"github.com/jotgate/jotgate/internal/uiheaders"
)

const rootToken = "root"

// clock is an injected clock.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

// recorder keeps audit entries.
type recorder struct {
	mu      sync.Mutex
	entries []*audit.Entry
	pairs   int // how often both entries of a request came together
	fail    error
}

func (r *recorder) Record(_ context.Context, e *audit.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	r.entries = append(r.entries, e)
	return nil
}

func (r *recorder) RecordPair(ctx context.Context, request, response *audit.Entry) error {
	r.mu.Lock()
	r.pairs++
	r.mu.Unlock()
	return errors.Join(r.Record(ctx, request), r.Record(ctx, response))
}

func (r *recorder) last() *audit.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries[len(r.entries)-1]
}

// door is a whole Vault door in the process.
type door struct {
	t     testing.TB
	h     *Door
	rt    *Runtime
	clock *clock
	audit *recorder
	log   *bytes.Buffer
	store storage.Store
	raw   *storagetest.Switch // under the seal
	plain storage.Store       // under raw

	broker   *audit.Broker // what the audit endpoints work on
	auditDir string
	level    *slog.LevelVar
}

func newDoor(t testing.TB) *door {
	t.Helper()
	ctx := context.Background()
	d := &door{t: t, clock: &clock{t: time.Now().Truncate(time.Second)}, audit: &recorder{}, log: &bytes.Buffer{}}
	raw, err := embedded.Open(t.TempDir(), embedded.Options{Now: d.clock.now})
	must(t, err)
	t.Cleanup(func() { _ = raw.Close() })
	ring := seal.NewKeyring(d.clock.now())
	d.plain, d.raw = raw, &storagetest.Switch{Store: storagetest.Twice(raw)}
	d.store = seal.Wrap(d.raw, ring)
	logger := slog.New(slog.NewTextHandler(d.log, nil))
	rt := &Runtime{Gate: gate.New(d.audit, d.clock.now), Now: d.clock.now, ClusterName: "test", ClusterID: "id"}
	rt.Mounts, err = mount.Open(ctx, d.store, mount.Options{})
	must(t, err)
	t.Cleanup(rt.Mounts.Close)
	rt.Identity, err = identity.Open(ctx, identity.Options{Storage: d.store, Keys: ring, Mounts: func(acc string) (identity.Mount, bool) {
		e, ok := rt.Mounts.Table().ByAccessor(acc)
		if !ok {
			return identity.Mount{}, false
		}
		return identity.Mount{Path: e.Logical(), Type: e.Type, Local: e.Local}, true
	}})
	must(t, err)
	t.Cleanup(rt.Identity.Close)
	rt.Policies, err = policystore.Open(ctx, d.store, policystore.Options{Identities: rt.Identity, Now: d.clock.now})
	must(t, err)
	t.Cleanup(rt.Policies.Close)
	rt.Sessions = session.New(session.Options{
		Storage: d.store, Keys: ring, Identities: rt.Identity, Now: d.clock.now,
		MountAlive: func(acc string) bool { _, ok := rt.Mounts.Table().ByAccessor(acc); return ok },
	})
	rt.JWT = authjwt.New(authjwt.Options{
		Storage: d.store, Sessions: rt.Sessions, Identities: rt.Identity, Now: d.clock.now, Log: logger,
		Client: jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true, Now: d.clock.now}),
	})
	t.Cleanup(rt.JWT.Close)
	must(t, d.store.Update(ctx, func(tx storage.Tx) error {
		_, err := rt.Sessions.IssueRoot(tx, rootToken)
		return err
	}))
	rt.KV, rt.Cubbyhole = kv.New(d.store, d.clock.now), cubbyhole.New(d.store)
	d.broker = audit.New(audit.Options{AllowNone: true, Log: logger})
	t.Cleanup(func() { _ = d.broker.Close() })
	d.auditDir = t.TempDir()
	rt.Audit, err = auditstore.Open(ctx, d.store, auditstore.Options{
		Broker: d.broker, Directory: d.auditDir, Log: logger, Salt: func(path string) []byte { return ring.HMAC("audit device", []byte(path)) },
	})
	must(t, err)
	t.Cleanup(rt.Audit.Close)
	rt.Quotas, err = quota.Open(ctx, d.store, quota.Options{Now: d.clock.now})
	must(t, err)
	t.Cleanup(rt.Quotas.Close)
	rt.CORS, err = cors.Open(ctx, d.store, nil)
	must(t, err)
	t.Cleanup(rt.CORS.Close)
	rt.KeyInfo = ring.Info
	rt.Passwords, rt.UIHeaders = passpolicy.NewStore(d.store), uiheaders.NewStore(d.store)
	d.rt = rt
	d.level = new(slog.LevelVar)
	d.h = New(Options{LogLevel: d.level, Settings: map[string]any{"enable_ui": false}, Info: Info{Version: "0.1.0", StorageType: "embedded"}, Log: logger, Now: d.clock.now})
	d.h.Unlock(rt)
	t.Cleanup(d.showLog)
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// do sends one request. body may be nil, a string that goes out as it is, or
// anything that becomes JSON.
func (d *door) do(method, path, token string, body any, headers ...string) answer {
	d.t.Helper()
	var rd io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		rd = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		must(d.t, err)
		rd = bytes.NewReader(text)
	}
	r := httptest.NewRequest(http.MethodPost, "http://vault.test/v1/", rd)
	r.Method = method
	p, q, _ := strings.Cut(path, "?")
	r.URL.Path, r.URL.RawQuery = "/v1/"+p, q
	if token != "" {
		r.Header.Set("X-Vault-Token", token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	return answer{d.t, w.Code, w.Header(), w.Body.Bytes()}
}

func (a answer) json() map[string]any {
	a.t.Helper()
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(a.body))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil {
		a.t.Fatalf("body is not JSON: %v: %s", err, a.body)
	}
	return m
}

func (a answer) data() map[string]any {
	a.t.Helper()
	m, _ := a.json()["data"].(map[string]any)
	return m
}

func (a answer) errors() []string {
	a.t.Helper()
	list, ok := a.json()["errors"].([]any)
	if !ok {
		a.t.Fatalf("status %d, no errors in %s", a.status, a.body)
	}
	out := []string{}
	for _, e := range list {
		out = append(out, e.(string))
	}
	return out
}

// want checks the status.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// refused checks status and the one error text.
func (a answer) refused(status int, text string) {
	a.t.Helper()
	a.want(status)
	if e := a.errors(); len(e) != 1 || e[0] != text {
		a.t.Fatalf("errors %q, want %q", e, text)
	}
}

// showLog prints the operator's log of a test that failed.
func (d *door) showLog() {
	if d.t.Failed() {
		d.t.Logf("operator's log:\n%s", d.log.String())
	}
}

// token issues a client token with these policies.
func (d *door) token(policies ...string) string {
	d.t.Helper()
	var is session.Issued
	must(d.t, d.store.Update(context.Background(), func(tx storage.Tx) (err error) {
		is, err = d.rt.Sessions.Issue(tx, session.IssueOptions{
			Type: session.Service, Path: "auth/token/create", Mount: "auth/token/", DisplayName: "test", Policies: policies,
		})
		return err
	}))
	return is.ClientToken
}

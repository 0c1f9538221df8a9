package authjwt

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/identity"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// params are the parameters of a write in a test.
type params map[string]any

func param[T any](p params, name string) T       { v, _ := p[name].(T); return v }
func (p params) Has(n string) bool               { _, ok := p[n]; return ok }
func (p params) String(n string) string          { return param[string](p, n) }
func (p params) Bool(n string) bool              { return param[bool](p, n) }
func (p params) Int(n string) int64              { return param[int64](p, n) }
func (p params) Duration(n string) time.Duration { return param[time.Duration](p, n) }
func (p params) List(n string) []string          { return param[[]string](p, n) }
func (p params) KV(n string) map[string]string   { return param[map[string]string](p, n) }
func (p params) Object(n string) map[string]any  { return param[map[string]any](p, n) }
func (p params) Any(n string) any                { return p[n] }
func (p params) Given(n string) any              { return p[n] }

var testMount = Mount{UUID: "u", Accessor: "auth_jwt_1", Path: "auth/jwt/", DefaultTTL: time.Hour, MaxTTL: 768 * time.Hour}

type node struct {
	*Method
	log     *bytes.Buffer
	noticed chan struct{} // this node has noted a change
}

// nodes opens n methods on one store.
func nodes(t *testing.T, n int) ([]node, storage.Store) {
	t.Helper()
	raw, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return nodesOn(t, storagetest.Twice(raw), n)
}

func nodesOn(t *testing.T, raw storage.Store, n int) ([]node, storage.Store) {
	t.Helper()
	ring := seal.NewKeyring(time.Now())
	st := seal.Wrap(raw, ring)
	var out []node
	for range n {
		ids, err := identity.Open(context.Background(), identity.Options{Storage: st, Keys: ring})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(ids.Close)
		log, noticed := &bytes.Buffer{}, make(chan struct{}, 1000)
		m := New(Options{
			Storage: st, Identities: ids, Sessions: session.New(session.Options{Storage: st, Keys: ring, Identities: ids}),
			Client: jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true}), Log: slog.New(slog.NewTextHandler(log, nil)),
			noticed: func() { noticed <- struct{}{} },
		})
		t.Cleanup(m.Close)
		out = append(out, node{m, log, noticed})
	}
	return out, st
}

func (n node) config(t *testing.T, keys ...*idptest.Key) {
	t.Helper()
	var pems []string
	for _, k := range keys {
		pems = append(pems, string(k.PEM(t)))
	}
	if _, err := n.WriteConfig(context.Background(), testMount, params{"jwt_validation_pubkeys": pems}); err != nil {
		t.Fatal(err)
	}
}

func (n node) role(t *testing.T, name string, p params) {
	t.Helper()
	base := params{"role_type": "jwt", "user_claim": "sub", "bound_subject": "user"}
	for k, v := range p {
		base[k] = v
	}
	if _, err := n.WriteRole(context.Background(), testMount, name, base, nil); err != nil {
		t.Fatal(err)
	}
}

func (n node) login(raw string) (Result, error) {
	return n.Login(context.Background(), Request{Mount: testMount, Role: "r", JWT: raw, ID: "id"})
}

func token(t *testing.T, k *idptest.Key) string {
	now := time.Now().Unix()
	return k.Token(t, map[string]any{"sub": "user", "iat": now, "exp": now + 600})
}

func TestEveryNodeFollowsChanges(t *testing.T) {
	ns, _ := nodes(t, 2)
	a, b := ns[0], ns[1]
	k1, k2 := idptest.NewKey(t, "", jwt.ES256), idptest.NewKey(t, "", jwt.ES256)
	a.config(t, k1)
	a.role(t, "r", nil)
	b.eventually(t, "b knows the first key", func() bool { _, err := b.login(token(t, k1)); return err == nil })
	a.config(t, k2)
	if _, err := a.login(token(t, k1)); err == nil {
		t.Error("the node that wrote still takes the old key")
	}
	b.eventually(t, "b drops the first key", func() bool { _, err := b.login(token(t, k1)); return err != nil })
	if _, err := b.login(token(t, k2)); err != nil {
		t.Error(err)
	}
	a.role(t, "r", params{"bound_subject": "other"})
	b.eventually(t, "b follows the role", func() bool { _, err := b.login(token(t, k2)); return err != nil })
	if err := a.DeleteRole(context.Background(), testMount, "r"); err != nil {
		t.Fatal(err)
	}
	b.eventually(t, "b drops the role", func() bool {
		_, err := b.login(token(t, k2))
		return fault.PublicText(err) == `role "r" could not be found`
	})
}

// eventually looks again after each change that the node has noted.
func (n node) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-n.noticed:
		case <-time.After(time.Minute):
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// TestLoginsDuringChanges: a login works on one state, and once a write has
// returned no login uses what was before.
func TestLoginsDuringChanges(t *testing.T) {
	ns, _ := nodes(t, 1)
	n := ns[0]
	idp := idptest.NewPlain(t)
	write := func() {
		_, err := n.WriteConfig(context.Background(), testMount, params{"jwks_url": idp.JWKSURL(), "skip_jwks_validation": true})
		if err != nil {
			t.Error(err)
		}
	}
	write()
	n.role(t, "r", params{"bound_subject": "user", "bound_audiences": []string{"a"}})
	raw := idp.Token("a", map[string]any{"sub": "user"})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := n.login(raw); err != nil {
					t.Errorf("a login during a change fails: %v", err)
					return
				}
			}
		})
	}
	for range 10 {
		write()
		n.role(t, "r", params{"bound_subject": "user"})
	}
	close(stop)
	wg.Wait()
	n.role(t, "r", params{"bound_subject": "other"})
	if _, err := n.login(raw); err == nil {
		t.Error("a login uses a role that was replaced")
	}
}

func TestRefusedLoginWritesNothing(t *testing.T) {
	ns, st := nodes(t, 1)
	n := ns[0]
	k := idptest.NewKey(t, "", jwt.ES256)
	n.config(t, k)
	n.role(t, "r", params{"policies": []string{"a"}})
	count := func() (c int) {
		_ = st.View(context.Background(), func(tx storage.ReadTx) error {
			items, err := tx.Scan(nil, nil, 1000)
			c = len(items)
			return err
		})
		return c
	}
	before := count()
	for _, raw := range []string{"", "x", token(t, idptest.NewKey(t, "", jwt.ES256)), k.Token(t, map[string]any{"sub": "user"}), k.Token(t, map[string]any{"sub": "other", "exp": time.Now().Unix() + 60})} {
		if _, err := n.login(raw); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v", err)
		}
	}
	if got := count(); got != before {
		t.Errorf("refused logins left %d keys", got-before)
	}
	if _, err := n.login(token(t, k)); err != nil {
		t.Fatal(err)
	}
	if got := count(); got == before {
		t.Error("a login left nothing")
	}
}

func TestRefusalCarriesEveryCheckAndNoToken(t *testing.T) {
	ns, _ := nodes(t, 1)
	n := ns[0]
	k := idptest.NewKey(t, "", jwt.ES256)
	n.config(t, k)
	n.role(t, "r", params{"bound_audiences": []string{"want"}})
	raw := k.Token(t, map[string]any{"sub": "someone-else", "aud": "got", "exp": 1})
	_, err := n.login(raw)
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("%v is no Refusal", err)
	}
	failed := map[string]bool{}
	for _, c := range r.Checks() {
		if !c.OK {
			failed[c.Name] = true
		}
	}
	for _, want := range []string{"subject", "audience", "expiration"} {
		if !failed[want] {
			t.Errorf("the checks do not say that %s failed: %v", want, r.Checks())
		}
	}
	log := n.log.String()
	if !strings.Contains(log, "wrong_audience") || !strings.Contains(log, "request_id=id") {
		t.Errorf("the operator's log does not say why: %s", log)
	}
	for _, part := range strings.Split(raw, ".") {
		if strings.Contains(log, part) || strings.Contains(err.Error(), part) {
			t.Error("a part of the token is in the log or the error")
		}
	}
}

func TestRenewalLimitsAreTheRolesOfToday(t *testing.T) {
	ns, st := nodes(t, 1)
	n := ns[0]
	n.role(t, "r", params{"token_ttl": time.Minute, "token_period": time.Hour})
	err := st.View(context.Background(), func(tx storage.ReadTx) error {
		l, err := n.Limits(tx, testMount, "r")
		if l.TTL != time.Minute || l.Period != time.Hour || l.MountMax != testMount.MaxTTL {
			t.Errorf("limits %+v", l)
		}
		if _, gone := n.Limits(tx, testMount, "gone"); fault.PublicText(gone) != "role gone does not exist during renewal" {
			t.Errorf("%v", gone)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPurgeLeavesNothing(t *testing.T) {
	ns, st := nodes(t, 1)
	n := ns[0]
	n.config(t, idptest.NewKey(t, "", jwt.ES256))
	for _, name := range []string{"a", "b", "c"} {
		n.role(t, name, nil)
	}
	if err := n.Purge(context.Background(), testMount.UUID); err != nil {
		t.Fatal(err)
	}
	err := st.View(context.Background(), func(tx storage.ReadTx) error {
		items, err := tx.Scan([]byte(keyPrefix), nil, 10)
		if len(items) != 0 {
			t.Errorf("%d keys are left", len(items))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.login("x"); fault.PublicText(err) != "could not load configuration" {
		t.Errorf("%v", err)
	}
}

// TestAPairOfAnOlderVersionIsShownByWhatItMeans: its text was not kept.
func TestAPairOfAnOlderVersionIsShownByWhatItMeans(t *testing.T) {
	p := Pair{URL: "https://idp.example/keys", Issuer: "i", Audiences: []string{"a"}, MaxTokenAge: time.Minute}
	want := map[string]any{
		"jwks_url": "https://idp.example/keys", "jwks_ca_pem": "", "issuer": "i", "bound_audiences": []string{"a"}, "max_token_age": int64(60),
	}
	if got := p.view(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

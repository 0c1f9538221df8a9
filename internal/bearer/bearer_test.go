package bearer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/trust"
)

// clock is a test's time.
type clock struct{ ns atomic.Int64 }

func newClock(t time.Time) *clock {
	c := &clock{}
	c.ns.Store(t.UnixNano())
	return c
}

func (c *clock) now() time.Time      { return time.Unix(0, c.ns.Load()) }
func (c *clock) add(d time.Duration) { c.ns.Add(int64(d)) }
func (v *Verifier) remembers(t string) bool {
	m := v.memory.Load()
	if m == nil {
		return false
	}
	_, ok := m.callers.Get(sha256.Sum256([]byte(t)), v.now())
	return ok
}

// keep authenticates a token until it is remembered: the second time.
func (v *Verifier) keep(t *testing.T, token string) {
	t.Helper()
	for i := range 2 {
		if v.remembers(token) {
			t.Fatalf("remembered after %d times", i)
		}
		if _, err := v.Authenticate(context.Background(), token); err != nil {
			t.Fatal(err)
		}
	}
	if !v.remembers(token) {
		t.Fatal("not remembered after two times")
	}
}

// live serves a configuration that fetches keys from real providers.
type live struct {
	*Verifier
	clock  *clock
	client *jwks.Client
	snap   atomic.Pointer[iam.Snapshot]
}

func newLive(t *testing.T, file string) *live {
	t.Helper()
	l := &live{clock: newClock(guideNow)}
	l.client = jwks.NewClient(jwks.Options{Now: l.clock.now, AllowLoopbackHTTP: true})
	l.apply(t, file)
	t.Cleanup(func() { l.snap.Load().CloseExcept(nil) })
	var err error
	if l.Verifier, err = New(Options{Snapshot: l.snap.Load, Now: l.clock.now}); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *live) apply(t *testing.T, file string) {
	t.Helper()
	old := l.snap.Load()
	s, err := iam.Compile(file, iam.Options{Keys: l.client, Previous: old})
	if err != nil {
		t.Fatal(err)
	}
	l.snap.Store(s)
	old.CloseExcept(s)
}

func fetched(idp *idptest.Provider, name, audience string) string {
	return fmt.Sprintf("[idps.%s]\ntype = \"direct-jwt\"\n[idps.%s.conf]\niss = %q\naud = %q\njwks_uri = %q\n", name, name, idp.Issuer(), audience, idp.JWKSURL())
}

func TestZeroOptionsAreRefused(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a verifier without a configuration")
	}
}

func TestNothingLoaded(t *testing.T) {
	v, err := New(Options{Snapshot: func() *iam.Snapshot { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Authenticate(context.Background(), "a.b.c"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v", err)
	}
}

func TestUnknownIssuerIsRefusedBeforeAnyFetch(t *testing.T) {
	idp := idptest.NewPlain(t)
	l := newLive(t, iam.DefaultText+fetched(idp, "a", "vault1"))
	idp.SetClock(l.clock.now)
	other := idptest.NewKey(t, "k", jwt.RS256)
	for name, c := range map[string]map[string]any{
		"unknown issuer": {"iss": "https://nobody.example"}, "wrong audience": {"aud": "vault2"}, "expired": {"exp": guideNow.Add(-time.Hour).Unix()},
		"bound to a key": {"cnf": map[string]any{"jkt": "AAAA"}},
	} {
		_, err := l.Authenticate(context.Background(), other.Token(t, idp.Claims("vault1", c)))
		if !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, _ := idp.Fetches(); n != 0 {
		t.Errorf("%d fetches for tokens that can never pass", n)
	}
}

func TestTokensThatAreBoundToAKey(t *testing.T) {
	k := idptest.NewKey(t, "k", jwt.RS256)
	file := fmt.Sprintf("%s[idps.a]\ntype = \"direct-jwt\"\n[idps.a.conf]\niss = %q\naud = \"aud-a\"\nkeys = '''%s'''\n", iam.DefaultText, rigIssuer, k.JWK(t))
	token := k.Token(t, claims(map[string]any{"aud": "aud-a", "cnf": map[string]any{"x5t#S256": "AAAA"}}))
	refused(t, verifier(t, file, guideNow), token, trust.ReasonConfirmation)
	if _, err := verifier(t, file+"ignore_cnf = true\n", guideNow).Authenticate(t.Context(), token); err != nil {
		t.Error(err)
	}
}

func TestRefusalsNameNoOtherTenant(t *testing.T) {
	a, b := idptest.NewKey(t, "a", jwt.RS256), idptest.NewKey(t, "b", jwt.RS256)
	static := func(name, iss, aud string, k *idptest.Key) string {
		return fmt.Sprintf("[idps.%s]\ntype = \"direct-jwt\"\n[idps.%s.conf]\niss = %q\naud = %q\nkeys = '''%s'''\n", name, name, iss, aud, k.JWK(t))
	}
	v := verifier(t, iam.DefaultText+static("tenant_a", "https://a.example", "aud-a", a)+static("tenant_b", "https://b.example", "aud-b", b), guideNow)
	for _, c := range []map[string]any{
		{"iss": "https://c.example", "aud": "aud-a"}, {"iss": "https://b.example", "aud": "aud-a"}, {"iss": "https://a.example", "aud": "aud-a", "roles": "Nobody"},
	} {
		_, err := v.Authenticate(context.Background(), a.Token(t, claims(c)))
		if err == nil {
			t.Fatal("admitted")
		}
		for _, secret := range []string{"tenant_b", "https://b.example", "aud-b"} {
			if c["iss"] != "https://b.example" && strings.Contains(fault.PublicText(err), secret) {
				t.Errorf("refusal shows %q: %s", secret, fault.PublicText(err))
			}
		}
	}
	// The keys of one issuer prove nothing for another.
	refused(t, v, b.Token(t, claims(map[string]any{"iss": "https://a.example", "aud": "aud-a"})), "unknown_key")
}

func TestAudiencesOfTwoProvidersAreAmbiguous(t *testing.T) {
	k := idptest.NewKey(t, "k", jwt.RS256)
	one := func(name, aud string) string {
		return fmt.Sprintf("[idps.%s]\ntype = \"direct-jwt\"\n[idps.%s.conf]\niss = %q\naud = %q\nkeys = '''%s'''\n", name, name, rigIssuer, aud, k.JWK(t))
	}
	v := verifier(t, iam.DefaultText+one("a", "aud-a")+one("b", "aud-b"), guideNow)
	refused(t, v, k.Token(t, claims(map[string]any{"aud": []string{"aud-a", "aud-b"}})), ReasonAmbiguous)
	p, err := v.Authenticate(context.Background(), k.Token(t, claims(map[string]any{"aud": []string{"aud-b", "other", "aud-b"}})))
	if err != nil || p.Attrs().Issuer != "b" {
		t.Errorf("%v %v", p, err)
	}
}

func TestRefusalCarriesEveryCheck(t *testing.T) {
	r := newRig(t, "", "")
	_, err := verifier(t, r.file, guideNow).Authenticate(context.Background(), r.key.Token(t, claims(map[string]any{"roles": "Nobody"})))
	var c interface{ Checks() []policy.Check }
	if !errors.As(err, &c) || len(c.Checks()) < 5 {
		t.Errorf("checks are missing from %v", err)
	}
}

func TestExplain(t *testing.T) {
	r := newRig(t, "", "")
	v := verifier(t, r.file, guideNow)
	stranger := idptest.NewKey(t, "abc", jwt.RS256)
	tests := []struct {
		name, token, provider string
		failed                []string // check and reason, in order
	}{
		{"admitted", r.key.Token(t, claims(nil)), "app1", nil},
		{"malformed", "x.y", "", []string{"token malformed"}},
		{"unknown issuer", r.key.Token(t, claims(map[string]any{"iss": "x"})), "", []string{"identity_provider unknown_issuer"}},
		{"two things wrong", r.key.Token(t, claims(map[string]any{"exp": 1, "roles": "Nobody"})), "app1", []string{"expiration expired", "role role_unknown"}},
		{"signature and expiry", stranger.Token(t, claims(map[string]any{"exp": 1})), "app1", []string{"signature bad_signature", "expiration expired"}},
		{"unknown key", idptest.NewKey(t, "z", jwt.RS256).Token(t, claims(nil)), "app1", []string{"signature unknown_key"}},
	}
	for _, tt := range tests {
		provider, d := v.Explain(context.Background(), tt.token)
		var got []string
		for _, c := range d.Checks {
			if !c.OK {
				got = append(got, c.Name+" "+c.Reason)
			}
		}
		if provider != tt.provider || d.Allowed != (tt.failed == nil) || !slices.Equal(got, tt.failed) {
			t.Errorf("%s: provider %q, allowed %v, failed %q", tt.name, provider, d.Allowed, got)
		}
		if v.remembers(tt.token) {
			t.Errorf("%s: explaining admits the token", tt.name)
		}
	}
	none, err := New(Options{Snapshot: func() *iam.Snapshot { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if _, d := none.Explain(context.Background(), "x"); d.Allowed || d.Checks[0].Reason != "iam_not_loaded" {
		t.Errorf("%+v", d)
	}
}

func TestCacheEndsWithTheToken(t *testing.T) {
	r := newRig(t, "", "")
	l := newLive(t, r.file)
	token := r.key.Token(t, claims(map[string]any{"exp": guideNow.Add(time.Minute).Unix()}))
	l.keep(t, token)
	l.clock.add(3 * time.Minute)
	refused(t, l.Verifier, token, "expired")
	if l.remembers(token) {
		t.Error("an expired token is remembered")
	}
}

func TestClockSetBackAsksAnew(t *testing.T) {
	r := newRig(t, "", "")
	l := newLive(t, r.file)
	token := r.key.Token(t, claims(map[string]any{"nbf": guideNow.Unix()}))
	l.keep(t, token)
	l.clock.add(-time.Hour)
	refused(t, l.Verifier, token, "not_yet_valid")
}

func TestNewConfigurationForgetsWhatWasVerified(t *testing.T) {
	r := newRig(t, "", "")
	l := newLive(t, r.file)
	token := r.key.Token(t, claims(nil))
	l.keep(t, token)
	l.apply(t, strings.Replace(r.file, "[idps.app1]", "[idps.app1]\ndisabled = true", 1))
	refused(t, l.Verifier, token, "unknown_issuer")
}

func TestRotatedKeyForgetsWhatWasVerified(t *testing.T) {
	idp := idptest.NewPlain(t)
	l := newLive(t, iam.DefaultText+fetched(idp, "a", "vault1"))
	idp.SetClock(l.clock.now)
	role := map[string]any{"roles": "DeveloperRole"}
	old := idp.Token("vault1", role)
	l.keep(t, old)
	idp.Rotate(jwt.RS256)
	if _, err := l.Authenticate(context.Background(), old); err != nil {
		t.Fatalf("nobody knows of the rotation yet: %v", err)
	}
	l.clock.add(time.Minute)
	if _, err := l.Authenticate(context.Background(), idp.Token("vault1", role)); err != nil {
		t.Fatalf("the new key's token: %v", err)
	}
	refused(t, l.Verifier, old, "unknown_key")
}

func TestUnreachableKeysAreNotTheCallersFault(t *testing.T) {
	idp := idptest.NewPlain(t)
	idp.Fail(idptest.Status500)
	l := newLive(t, iam.DefaultText+fetched(idp, "a", "vault1"))
	idp.SetClock(l.clock.now)
	_, err := l.Authenticate(context.Background(), idp.Token("vault1", map[string]any{"roles": "DeveloperRole"}))
	if !fault.Is(err, fault.Unavailable) || strings.Contains(err.Error(), idptest.Secret) {
		t.Errorf("%v", err)
	}
}

func TestSourcesAreKeptOverAnUnrelatedChange(t *testing.T) {
	idp := idptest.NewPlain(t)
	l := newLive(t, iam.DefaultText+fetched(idp, "a", "vault1"))
	idp.SetClock(l.clock.now)
	role := map[string]any{"roles": "DeveloperRole"}
	for i := range 3 {
		l.apply(t, iam.DefaultText+fetched(idp, "a", "vault1")+strings.Repeat("# changed\n", i+1))
		if _, err := l.Authenticate(context.Background(), idp.Token("vault1", role)); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := idp.Fetches(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestNoCache(t *testing.T) {
	r := newRig(t, "", "")
	snap := compile(t, r.file)
	v, err := New(Options{Snapshot: func() *iam.Snapshot { return snap }, Now: func() time.Time { return guideNow }, CacheSize: -1})
	if err != nil {
		t.Fatal(err)
	}
	token := r.key.Token(t, claims(nil))
	for range 2 {
		if _, err := v.Authenticate(context.Background(), token); err != nil || v.remembers(token) {
			t.Errorf("%v, remembered %v", err, v.remembers(token))
		}
	}
}

// TestReloadsDuringLogins: every answer belongs to one of the two
// configurations, never to a mixture.
func TestReloadsDuringLogins(t *testing.T) {
	r := newRig(t, "", "")
	l := newLive(t, r.file)
	off := strings.Replace(r.file, "[idps.app1]", "[idps.app1]\ndisabled = true", 1)
	token := r.key.Token(t, claims(nil))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				p, err := l.Authenticate(context.Background(), token)
				if err == nil && p.Role() != "DeveloperRole" || err != nil && fault.ReasonOf(err) != "unknown_issuer" {
					t.Errorf("%v %v", p, err)
					return
				}
			}
		})
	}
	for i := range 40 {
		l.apply(t, []string{off, r.file}[i%2])
	}
	close(stop)
	wg.Wait()
	l.apply(t, off)
	refused(t, l.Verifier, token, "unknown_issuer")
}

func BenchmarkCacheHit(b *testing.B) {
	r := newRig(b, "", "")
	v := verifier(b, r.file, guideNow)
	token := r.key.Token(b, claims(nil))
	if _, err := v.Authenticate(context.Background(), token); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Authenticate(context.Background(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	r := newRig(b, "", "")
	snap := compile(b, r.file)
	v, err := New(Options{Snapshot: func() *iam.Snapshot { return snap }, Now: func() time.Time { return guideNow }, CacheSize: -1})
	if err != nil {
		b.Fatal(err)
	}
	token := r.key.Token(b, claims(nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Authenticate(context.Background(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCacheHitAllocatesAtMostOnce(t *testing.T) {
	r := newRig(t, "", "")
	v := verifier(t, r.file, guideNow)
	token := r.key.Token(t, claims(nil))
	if n := testing.AllocsPerRun(100, func() {
		if _, err := v.Authenticate(context.Background(), token); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

package iam

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage/embedded"
)

var uuid4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestAPIKeys(t *testing.T) {
	r := newRig(t)
	s := r.node(StoreOptions{})
	key, expiry, err := s.Regenerate(ctx, "Developer")
	if err != nil {
		t.Fatal(err)
	}
	if !uuid4.MatchString(key) || !expiry.Equal(testNow.Add(365*24*time.Hour)) {
		t.Errorf("key %q until %v", key, expiry)
	}
	p, err := s.Authenticate(key)
	if err != nil || p.Kind() != principal.APIKey || p.Name() != "Developer" || p.Role() != "DeveloperRole" || !p.Attrs().Expires.Equal(expiry) {
		t.Fatalf("%+v %v", p, err)
	}
	if got, err := s.KeyExpiry(ctx, "Developer"); err != nil || !got.Equal(expiry) {
		t.Errorf("expiry %v %v", got, err)
	}

	second, _, err := s.Regenerate(ctx, "Developer")
	if err != nil || second == key {
		t.Fatal(err)
	}
	_, err = s.Authenticate(key)
	wantKind(t, err, fault.Unauthenticated, "")
	if _, err := s.Authenticate(second); err != nil {
		t.Error(err)
	}
	for _, k := range []string{strings.ToUpper(second), " " + second, second + "\n", second[1:], strings.ReplaceAll(second, "-", "")} {
		_, err := s.Authenticate(k)
		wantKind(t, err, fault.Unauthenticated, "")
	}
	r.wantAbsent(key, second)
}

func TestAPIKeyExpiry(t *testing.T) {
	r := newRig(t)
	s := r.node(StoreOptions{})
	key, _, err := s.Regenerate(ctx, "Developer")
	if err != nil {
		t.Fatal(err)
	}
	end := testNow.Add(time.Hour)
	if err := s.Expire(ctx, "Developer", end); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.KeyExpiry(ctx, "Developer"); !got.Equal(end) {
		t.Errorf("expiry %v", got)
	}
	for at, ok := range map[time.Time]bool{end.Add(-time.Nanosecond): true, end: false, end.Add(time.Hour): false} {
		r.now.Store(&at)
		_, err := s.Authenticate(key)
		if ok && err != nil {
			t.Errorf("at %v: %v", at, err)
		} else if !ok {
			wantKind(t, err, fault.Unauthenticated, "api_key_expired")
		}
	}
	wantKind(t, s.Expire(ctx, "VaultAdmin", end), fault.NotFound, "api_key_missing")
	if got, err := s.KeyExpiry(ctx, "VaultAdmin"); err != nil || !got.IsZero() {
		t.Errorf("a user without a key: %v %v", got, err)
	}
}

func TestUnknownUserAndAdmin(t *testing.T) {
	s := newRig(t).node(StoreOptions{})
	_, _, err := s.Regenerate(ctx, "Nobody")
	wantKind(t, err, fault.NotFound, "user_missing")
	wantKind(t, s.Expire(ctx, "Nobody", testNow), fault.NotFound, "user_missing")
	_, err = s.KeyExpiry(ctx, "Nobody")
	wantKind(t, err, fault.NotFound, "user_missing")
	_, _, err = s.Regenerate(ctx, "Admin")
	wantKind(t, err, fault.Denied, "admin_key")
	wantKind(t, s.Expire(ctx, "Admin", testNow), fault.Denied, "admin_key")
	if at, err := s.KeyExpiry(ctx, "Admin"); err != nil || !at.IsZero() {
		t.Errorf("%v %v", at, err)
	}
}

func TestDisabledAndRemovedUsers(t *testing.T) {
	s := newRig(t).node(StoreOptions{})
	if _, err := s.Apply(ctx, []byte(base), ""); err != nil {
		t.Fatal(err)
	}
	key, _, err := s.Regenerate(ctx, "Web")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(ctx, []byte(strings.Replace(base, "role = ", "disabled = true\nrole = ", 1)), ""); err != nil {
		t.Fatal(err)
	}
	_, err = s.Authenticate(key)
	wantKind(t, err, fault.Denied, "user_disabled")
	if _, err := s.Apply(ctx, []byte(base), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(key); err != nil {
		t.Errorf("enabled again: %v", err)
	}
	// A user who is gone loses the key for good.
	for _, text := range []string{strings.Replace(base, "users.Web", "users.Other", 1), base} {
		if _, err := s.Apply(ctx, []byte(text), ""); err != nil {
			t.Fatal(err)
		}
		_, err = s.Authenticate(key)
		wantKind(t, err, fault.Unauthenticated, "")
	}
}

func TestRoleOfAUserChangesAtOnce(t *testing.T) {
	s := newRig(t).node(StoreOptions{})
	if _, err := s.Apply(ctx, []byte(base), ""); err != nil {
		t.Fatal(err)
	}
	key, _, err := s.Regenerate(ctx, "Web")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(ctx, []byte(strings.ReplaceAll(base, "WebRole", "Other")), ""); err != nil {
		t.Fatal(err)
	}
	if p, err := s.Authenticate(key); err != nil || p.Role() != "Other" {
		t.Errorf("%v %v", p, err)
	}
}

const strongKey = "Correct1HorseBattery"

func TestAdminKey(t *testing.T) {
	r := newRig(t)
	s := r.node(StoreOptions{AdminKey: strongKey})
	p, err := s.Authenticate(strongKey)
	if err != nil || p.Kind() != principal.Admin || p.Name() != "Admin" || p.Role() != "Admin" || !p.Attrs().Expires.IsZero() {
		t.Fatalf("%v %v", p, err)
	}
	next := "Another1Horse-Battery"
	if err := s.SetAdminKey(ctx, next); err != nil {
		t.Fatal(err)
	}
	_, err = s.Authenticate(strongKey)
	wantKind(t, err, fault.Unauthenticated, "")
	if _, err := s.Authenticate(next); err != nil {
		t.Error(err)
	}
	wantKind(t, s.SetAdminKey(ctx, "weak"), fault.Invalid, "admin_key_weak")
	r.wantAbsent(strongKey, next)

	// A restart with the setting resets the key, unless it is to be kept.
	if _, err := r.node(StoreOptions{AdminKey: strongKey, KeepAdminKey: true}).Authenticate(next); err != nil {
		t.Errorf("kept: %v", err)
	}
	if _, err := r.node(StoreOptions{}).Authenticate(next); err != nil {
		t.Errorf("nothing set: %v", err)
	}
	again := r.node(StoreOptions{AdminKey: strongKey})
	if _, err := again.Authenticate(strongKey); err != nil {
		t.Errorf("reset: %v", err)
	}
	_, err = again.Authenticate(next)
	wantKind(t, err, fault.Unauthenticated, "")
}

func TestDevelopmentAdminKey(t *testing.T) {
	r := newRig(t)
	if _, err := r.node(StoreOptions{DevMode: true}).Authenticate(DevAdminKey); err != nil {
		t.Errorf("development mode: %v", err)
	}
	// The same data outside development mode: the well-known key is void.
	s := r.node(StoreOptions{})
	_, err := s.Authenticate(DevAdminKey)
	wantKind(t, err, fault.Unauthenticated, "")
	_, err = NewStore(r.options(StoreOptions{AdminKey: DevAdminKey}))
	wantKind(t, err, fault.Invalid, "admin_key_weak")
	if _, err := r.node(StoreOptions{DevMode: true, AdminKey: "simple"}).Authenticate("simple"); err != nil {
		t.Errorf("development mode takes any key: %v", err)
	}
}

func TestCheckAdminKey(t *testing.T) {
	for key, ok := range map[string]bool{
		strongKey: true, "aB3456789012345": true, "aB345678901234": false, "": false, DevAdminKey: false,
		"alllowercase12345": false, "ALLUPPERCASE12345": false, "NoDigitsAtAllHere": false, "With Space12345678": false, "Tab\t1234567890aBcD": false,
		"Ünicode12345678aB": false, "aB1.aB1.aB1.aB1.aB1": true, "aB12345.aB12345.aB12345": false, "eyJhbGci1Aaaaaaa.x": false, "eyAbcdefgh1234567": true,
		"aB1" + strings.Repeat("x", 510): false,
	} {
		err := CheckAdminKey(key)
		if (err == nil) != ok {
			t.Errorf("%q: %v", key, err)
		}
		if err != nil && len(key) > 5 && strings.Contains(err.Error(), key) {
			t.Error("the error shows the key")
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	inner, err := embedded.Open(b.TempDir(), embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer inner.Close()
	ring := seal.NewKeyring(testNow)
	s, err := NewStore(StoreOptions{Storage: seal.Wrap(inner, ring), Hasher: ring, Now: func() time.Time { return testNow }})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Load(ctx); err != nil {
		b.Fatal(err)
	}
	key, _, err := s.Regenerate(ctx, "Developer")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Authenticate(key); err != nil {
			b.Fatal(err)
		}
	}
}

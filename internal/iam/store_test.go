package iam

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// rig is one storage, on which a test puts nodes.
type rig struct {
	t     *testing.T
	inner storage.Store
	store storage.Store
	ring  *seal.Keyring
	now   atomic.Pointer[time.Time]
}

func newRig(t *testing.T) *rig {
	t.Helper()
	inner, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	r := &rig{t: t, inner: inner, ring: seal.NewKeyring(testNow)}
	r.store = seal.Wrap(storagetest.Twice(inner), r.ring)
	r.now.Store(&testNow)
	return r
}

func (r *rig) options(o StoreOptions) StoreOptions {
	o.Storage, o.Hasher, o.Now = r.store, r.ring, func() time.Time { return *r.now.Load() }
	return o
}

// node starts one more node on the storage, loaded.
func (r *rig) node(o StoreOptions) *Store {
	r.t.Helper()
	s, err := NewStore(r.options(o))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { s.Close() })
	if err := s.Load(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// follows makes reloads of s that came from change notices countable.
func follows(s *Store) <-chan struct{} {
	c := make(chan struct{}, 1000)
	fn := func() { c <- struct{}{} }
	s.loaded.Store(&fn)
	return c
}

// eventually waits for reloads until ok.
func eventually(t *testing.T, reloads <-chan struct{}, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-reloads:
		case <-time.After(10 * time.Second):
			t.Fatalf("never: %s", what)
		}
	}
}

func wantKind(t *testing.T, err error, kind fault.Kind, reason string) {
	t.Helper()
	if !fault.Is(err, kind) || fault.ReasonOf(err) != reason {
		t.Errorf("error %v, kind %v, reason %q; want %v, %q", err, fault.Of(err), fault.ReasonOf(err), kind, reason)
	}
}

var ctx = context.Background()

func TestNothingBeforeLoad(t *testing.T) {
	r := newRig(t)
	s, err := NewStore(r.options(StoreOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Authenticate("x")
	wantKind(t, err, fault.Unavailable, "iam_not_loaded")
	_, _, err = s.Text(ctx)
	wantKind(t, err, fault.Unavailable, "iam_not_loaded")
	_, _, err = s.Regenerate(ctx, "VaultAdmin")
	wantKind(t, err, fault.Unavailable, "iam_not_loaded")
	_, err = s.KeyExpiry(ctx, "VaultAdmin")
	wantKind(t, err, fault.Unavailable, "iam_not_loaded")
	wantKind(t, s.SetAdminKey(ctx, strongKey), fault.Unavailable, "iam_not_loaded")
	if n, at := s.Generation(); n != 0 || !at.IsZero() || s.Snapshot() != nil || len(s.TrustedRoles("x")) != 0 {
		t.Error("something is loaded")
	}
	if _, ok := s.Role("VaultAdminRole"); ok {
		t.Error("a role is loaded")
	}
	if _, err := NewStore(StoreOptions{}); err == nil {
		t.Error("a store without storage")
	}
}

func TestDefaultsOfANewStore(t *testing.T) {
	s := newRig(t).node(StoreOptions{})
	text, etag, err := s.Text(ctx)
	if err != nil || string(text) != DefaultText || etag != ETag(DefaultText) {
		t.Fatalf("%v", err)
	}
	if n, at := s.Generation(); n != 1 || !at.Equal(testNow) {
		t.Errorf("generation %d at %v", n, at)
	}
	if _, ok := s.Role("VaultAdminRole"); !ok || s.Problem() != nil {
		t.Error("not in force")
	}
	for _, k := range []string{DevAdminKey, "", "VaultAdmin", strings.Repeat("x", 10000)} {
		_, err := s.Authenticate(k)
		wantKind(t, err, fault.Unauthenticated, "")
	}
}

func TestApplyRoundTripsByteForByte(t *testing.T) {
	s := newRig(t).node(StoreOptions{})
	for _, text := range []string{base, base + "# ünï  \r\n\t\n", "[users]\r\n[roles]\r\n[policies]\r\n", DefaultText} {
		etag, err := s.Apply(ctx, []byte(text), "")
		if err != nil {
			t.Fatal(err)
		}
		got, tag, err := s.Text(ctx)
		if err != nil || string(got) != text || tag != etag || s.Snapshot().ETag() != etag {
			t.Errorf("%q came back as %q (%v)", text, got, err)
		}
	}
	if n, _ := s.Generation(); n != 5 {
		t.Errorf("generation %d", n)
	}
	if _, err := s.Apply(ctx, []byte(DefaultText), ""); err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Generation(); n != 5 {
		t.Error("applying the same text counts as a change")
	}
}

func TestApplyIfMatch(t *testing.T) {
	s := newRig(t).node(StoreOptions{})
	first, err := s.Apply(ctx, []byte(base), ETag(DefaultText))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Apply(ctx, []byte(DefaultText), ETag(DefaultText))
	wantKind(t, err, fault.Conflict, "iam_conflict")
	if text, tag, _ := s.Text(ctx); string(text) != base || tag != first || s.Snapshot().Text() != base {
		t.Error("a refused change changed something")
	}
	if _, err := s.Apply(ctx, []byte(DefaultText), first); err != nil {
		t.Error(err)
	}
}

func TestConcurrentAppliesWithIfMatch(t *testing.T) {
	r := newRig(t)
	nodes := []*Store{r.node(StoreOptions{}), r.node(StoreOptions{})}
	var wins atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := nodes[i%2].Apply(ctx, []byte(base+strings.Repeat("#\n", i)), ETag(DefaultText))
			if err == nil {
				wins.Add(1)
			} else if !fault.Is(err, fault.Conflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d changes won", wins.Load())
	}
}

func TestBadTextChangesNothing(t *testing.T) {
	s := newRig(t).node(StoreOptions{})
	_, err := s.Apply(ctx, []byte("[users.A]\n"), "")
	wantKind(t, err, fault.Invalid, "iam_config")
	if text, _, _ := s.Text(ctx); string(text) != DefaultText || s.Snapshot().Text() != DefaultText {
		t.Error("a bad text is in force")
	}
}

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

// wantAbsent greps what the driver holds, keys and sealed values.
func (r *rig) wantAbsent(secrets ...string) {
	r.t.Helper()
	for _, st := range []storage.Store{r.inner, r.store} {
		err := st.View(ctx, func(tx storage.ReadTx) error {
			items, err := tx.Scan(nil, nil, 10000)
			for _, it := range items {
				for _, s := range secrets {
					if bytes.Contains(it.Key, []byte(s)) || bytes.Contains(it.Value, []byte(s)) {
						r.t.Errorf("a key stands in clear under %q", it.Key)
					}
				}
			}
			return err
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
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

func TestEveryNodeFollows(t *testing.T) {
	r := newRig(t)
	a, b := r.node(StoreOptions{}), r.node(StoreOptions{})
	reloads := follows(b)
	changed := make(chan string, 100)
	b.OnChange(func(s *Snapshot) { changed <- s.ETag() })
	if got := <-changed; got != ETag(DefaultText) {
		t.Errorf("first snapshot %s", got)
	}
	etag, err := a.Apply(ctx, []byte(base), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := <-changed; got != etag {
		t.Errorf("node b got %s", got)
	}
	key, _, err := a.Regenerate(ctx, "Web")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, reloads, "node b takes the new key", func() bool { _, err := b.Authenticate(key); return err == nil })
	reloadsA := follows(a)
	if _, _, err := b.Regenerate(ctx, "Web"); err != nil {
		t.Fatal(err)
	}
	eventually(t, reloadsA, "node a refuses the old key", func() bool { _, err := a.Authenticate(key); return err != nil })
}

func TestRegenerateSeesTheConfigurationOfAnotherNode(t *testing.T) {
	r := newRig(t)
	a := r.node(StoreOptions{})
	// Node b does not hear of changes.
	deaf := r.options(StoreOptions{})
	deaf.Storage = deafStore{r.store}
	b, err := NewStore(deaf)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(ctx, []byte(base), ""); err != nil {
		t.Fatal(err)
	}
	key, _, err := b.Regenerate(ctx, "Web")
	if err != nil {
		t.Fatalf("the user is there: %v", err)
	}
	if _, err := b.Authenticate(key); err != nil {
		t.Error(err)
	}
	if _, err := a.Apply(ctx, []byte(DefaultText), ""); err != nil {
		t.Fatal(err)
	}
	_, _, err = b.Regenerate(ctx, "Web")
	wantKind(t, err, fault.NotFound, "user_missing")
}

type deafStore struct{ storage.Store }

func (deafStore) Watch([]byte, func([][]byte)) func() { return func() {} }

// TestBadStoredTextKeepsTheLastGood: another node, of another version, stored
// what this one cannot read.
func TestBadStoredTextKeepsTheLastGood(t *testing.T) {
	r := newRig(t)
	s := r.node(StoreOptions{})
	if _, err := s.Apply(ctx, []byte(base), ""); err != nil {
		t.Fatal(err)
	}
	reloads := follows(s)
	bad := base + "[future]\n"
	err := r.store.Update(ctx, func(tx storage.Tx) error {
		if err := tx.Put(keyText, []byte(bad), time.Time{}); err != nil {
			return err
		}
		return putJSON(tx, keyMeta, meta{ETag: ETag(bad), Generation: 9})
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, reloads, "the store says what is wrong", func() bool { return s.Problem() != nil })
	wantKind(t, s.Problem(), fault.Invalid, "iam_config")
	if s.Snapshot().Text() != base {
		t.Error("the last good configuration is gone")
	}
	// API keys go on working.
	key, _, err := s.Regenerate(ctx, "Web")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(key); err != nil {
		t.Error(err)
	}
	// A node that starts now says what is wrong instead of guessing.
	n, err := NewStore(r.options(StoreOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	wantKind(t, n.Load(ctx), fault.Invalid, "iam_config")
	// A good text heals both.
	if _, err := s.Apply(ctx, []byte(DefaultText), ""); err != nil || s.Problem() != nil {
		t.Errorf("%v %v", err, s.Problem())
	}
	if err := n.Load(ctx); err != nil {
		t.Error(err)
	}
}

func TestFile(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(t.TempDir(), "iam.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(base)
	s := r.node(StoreOptions{File: file})
	if s.Snapshot().Text() != base {
		t.Error("the file is not in force")
	}
	// The file is for the first start only …
	changed := base + "# changed\n"
	write(changed)
	if got := r.node(StoreOptions{File: file}).Snapshot().Text(); got != base {
		t.Error("a later start applied the file")
	}
	// … unless it is the truth, or somebody asks.
	if got := r.node(StoreOptions{File: file, ApplyFileOnStart: true}).Snapshot().Text(); got != changed {
		t.Error("the file is the truth and was not applied")
	}
	write(base)
	if err := s.Reload(ctx); err != nil || s.Snapshot().Text() != base {
		t.Errorf("reload: %v", err)
	}
	write("[users.A]\n")
	err := s.Reload(ctx)
	wantKind(t, err, fault.Invalid, "iam_config")
	if !strings.Contains(fault.PublicText(err), file+":1: users.A.role: is missing") || s.Snapshot().Text() != base {
		t.Errorf("%s", fault.PublicText(err))
	}
	// A bad file does not stop a node that has a good configuration.
	if got := r.node(StoreOptions{File: file}).Snapshot().Text(); got != base {
		t.Error("started with something else")
	}
	n, err := NewStore(r.options(StoreOptions{File: file, ApplyFileOnStart: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	wantKind(t, n.Load(ctx), fault.Invalid, "iam_config")

	write(strings.Repeat("#", MaxSize+1))
	wantKind(t, s.Reload(ctx), fault.Invalid, "iam_config")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.Reload(ctx), fault.Invalid, "iam_file")
	wantKind(t, n.Load(ctx), fault.Invalid, "iam_file")
}

func TestReloadWithoutAFileReadsWhatIsStored(t *testing.T) {
	s := newRig(t).node(StoreOptions{})
	if err := s.Reload(ctx); err != nil || s.Snapshot().Text() != DefaultText {
		t.Error(err)
	}
}

func TestTrustedRoles(t *testing.T) {
	s := newRig(t).node(StoreOptions{})
	if _, err := s.Apply(ctx, []byte(base+"[roles.User]\ntrusted_roles = [\"WebRole\"]\n"), ""); err != nil {
		t.Fatal(err)
	}
	if got := s.TrustedRoles("User"); len(got) != 1 || got[0] != "WebRole" {
		t.Errorf("%v", got)
	}
	if len(s.TrustedRoles("WebRole")) != 0 || len(s.TrustedRoles("Nobody")) != 0 {
		t.Error("others trust somebody")
	}
}

// failing answers the n-th transaction with an error.
type failing struct {
	storage.Store
	left atomic.Int32
	err  error
}

func (f *failing) View(c context.Context, fn func(storage.ReadTx) error) error {
	if f.left.Add(-1) == 0 {
		return f.err
	}
	return f.Store.View(c, fn)
}

func (f *failing) Update(c context.Context, fn func(storage.Tx) error) error {
	if f.left.Add(-1) == 0 {
		return f.err
	}
	return f.Store.Update(c, fn)
}

// TestNthStorageFailure: whatever call fails, the outcome is all or nothing,
// and the error has a kind that the door can show.
func TestNthStorageFailure(t *testing.T) {
	for _, bad := range []error{storage.ErrUnavailable, storage.ErrConflict, storage.ErrFailed, errors.New("odd")} {
		for n := int32(1); n < 6; n++ {
			r := newRig(t)
			f := &failing{Store: deafStore{r.store}, err: bad}
			o := r.options(StoreOptions{})
			o.Storage = f
			s, err := NewStore(o)
			if err != nil {
				t.Fatal(err)
			}
			f.left.Store(n)
			err = s.Load(ctx)
			if err == nil {
				_, err = s.Apply(ctx, []byte(base), "")
			}
			if err == nil {
				_, _, err = s.Regenerate(ctx, "Web")
			}
			if err != nil && (!errors.Is(err, bad) || (fault.Of(err) == fault.Internal) != (bad.Error() == "odd")) {
				t.Errorf("call %d: %v, kind %v", n, err, fault.Of(err))
			}
			f.left.Store(0)
			if err := s.Load(ctx); err != nil {
				t.Errorf("call %d: afterwards %v", n, err)
			}
			if got := s.Snapshot().Text(); got != DefaultText && got != base {
				t.Errorf("call %d: half a configuration", n)
			}
			s.Close()
		}
	}
}

func TestDamagedRecords(t *testing.T) {
	for _, key := range [][]byte{keyMeta, keyAdmin, userKey("Developer")} {
		r := newRig(t)
		s := r.node(StoreOptions{AdminKey: strongKey})
		if _, _, err := s.Regenerate(ctx, "Developer"); err != nil {
			t.Fatal(err)
		}
		if err := r.store.Update(ctx, func(tx storage.Tx) error { return tx.Put(key, []byte("{"), time.Time{}) }); err != nil {
			t.Fatal(err)
		}
		if err := s.Load(ctx); err == nil || fault.Of(err) != fault.Internal || strings.Contains(fault.PublicText(err), "damaged") {
			t.Errorf("%s: %v", key, err)
		}
		if s.Snapshot() == nil {
			t.Error("the last good configuration is gone")
		}
	}
	r := newRig(t)
	s := r.node(StoreOptions{})
	if err := r.store.Update(ctx, func(tx storage.Tx) error { return tx.Delete(keyText) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Load(ctx); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("text missing: %v", err)
	}
}

func TestManyUsers(t *testing.T) {
	r := newRig(t)
	s := r.node(StoreOptions{})
	var text strings.Builder
	text.WriteString(base)
	names := make([]string, 2*pageSize+10)
	for i := range names {
		names[i] = fmt.Sprintf("u%d", i)
		fmt.Fprintf(&text, "[users.%s]\nrole = \"WebRole\"\n", names[i])
	}
	if _, err := s.Apply(ctx, []byte(text.String()), ""); err != nil {
		t.Fatal(err)
	}
	err := r.store.Update(ctx, func(tx storage.Tx) error {
		for _, name := range names {
			rec := keyRecord{HMAC: r.ring.HMAC(keyPurpose, []byte("key of "+name)), Expires: testNow.Add(time.Hour)}
			if err := putJSON(tx, userKey(name), rec); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = s.Load(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if p, err := s.Authenticate("key of " + name); err != nil || p.Name() != name {
			t.Fatalf("%s: %v %v", name, p, err)
		}
	}
	// All of them go with their users.
	if _, err := s.Apply(ctx, []byte(base), ""); err != nil {
		t.Fatal(err)
	}
	if err := r.store.View(ctx, func(tx storage.ReadTx) error {
		left, err := readKeys(tx)
		if len(left) != 0 {
			t.Errorf("%d keys are left", len(left))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestClosedStore(t *testing.T) {
	r := newRig(t)
	s := r.node(StoreOptions{})
	s.Close()
	s.Close()
	if err := s.Load(ctx); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("%v", err)
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

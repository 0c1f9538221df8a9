package iam

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

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

func (deafStore) Watch([]byte, func([][]byte)) func() { return func() {} }

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

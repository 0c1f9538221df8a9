package iam

import (
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// on returns options for a node of the rig over another store.
func (r *rig) on(s storage.Store) StoreOptions {
	o := r.options(StoreOptions{})
	o.Storage = seal.Wrap(s, r.ring)
	return o
}

// Whatever call of the storage fails, a change leaves nothing behind and says
// that the storage is unavailable.
func TestEveryChangeIsAllOrNothing(t *testing.T) {
	for name, change := range map[string]func(*Store) error{
		// Web is gone afterwards, and its key with it.
		"apply": func(s *Store) error {
			_, err := s.Apply(ctx, []byte(DefaultText), ETag(base))
			return err
		},
		"regenerate": func(s *Store) error {
			key, _, err := s.Regenerate(ctx, "Web")
			if (key == "") != (err != nil) {
				t.Error("a key came with an error")
			}
			return err
		},
		"expire":    func(s *Store) error { return s.Expire(ctx, "Web", testNow) },
		"admin key": func(s *Store) error { return s.SetAdminKey(ctx, strongKey) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			first := r.node(StoreOptions{})
			if _, err := first.Apply(ctx, []byte(base), ""); err != nil {
				t.Fatal(err)
			}
			if _, _, err := first.Regenerate(ctx, "Web"); err != nil {
				t.Fatal(err)
			}
			storagetest.AllOrNothing(t, r.inner, func(s storage.Store) error {
				f, ok := s.(*storagetest.Faulty)
				if !ok {
					t.Fatal("not a faulty store")
				}
				n, err := NewStore(r.on(f.OnlyUpdates()))
				if err != nil {
					t.Fatal(err)
				}
				defer n.Close()
				if err := n.Load(ctx); err != nil {
					return err
				}
				return change(n)
			})
		})
	}
}

// A configuration or key that is stored but cannot be read again is reported as
// a failure. Until then the node serves the old state, and afterwards the new
// one, never users of one with keys of the other.
func TestStateIsOldOrNewAsAWhole(t *testing.T) {
	r := newRig(t)
	b := &storagetest.Breaker{Store: r.inner}
	s, err := NewStore(r.on(b))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	reloads := follows(s)
	if err := s.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(ctx, []byte(base), ""); err != nil {
		t.Fatal(err)
	}
	key, _, err := s.Regenerate(ctx, "Web")
	if err != nil {
		t.Fatal(err)
	}

	b.NoViews.Store(true)
	old := s.Snapshot()
	if _, err := s.Apply(ctx, []byte(DefaultText), ""); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	if s.Snapshot() != old {
		t.Error("the configuration changed")
	}
	if _, err := s.Authenticate(key); err != nil {
		t.Error("the old configuration without its keys:", err)
	}
	b.NoViews.Store(false)
	eventually(t, reloads, "the new configuration", func() bool { return s.Snapshot().ETag() == ETag(DefaultText) })
	if _, err := s.Authenticate(key); !fault.Is(err, fault.Unauthenticated) {
		t.Error("the new configuration with a key of the old:", err)
	}
}

// A key whose change cannot be read again is not shown: its user asks once
// more. Neither is it hidden behind a configuration that does not compile.
func TestAKeyThatIsNotInForceIsNotShown(t *testing.T) {
	r := newRig(t)
	b := &storagetest.Breaker{Store: r.inner}
	s, err := NewStore(r.on(b))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Load(ctx); err != nil {
		t.Fatal(err)
	}
	s.failed.Store(&failure{fault.New(fault.Invalid, "does not compile here")})
	b.NoViews.Store(true)
	if key, _, err := s.Regenerate(ctx, "VaultAdmin"); key != "" || !fault.Is(err, fault.Unavailable) {
		t.Errorf("a key of %d bytes, %v", len(key), err)
	}
}

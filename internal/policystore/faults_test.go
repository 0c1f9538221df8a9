package policystore

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

func openOn(t *testing.T, s storage.Store) *Store {
	t.Helper()
	p, err := Open(context.Background(), s, Options{Now: func() time.Time { return time.Unix(1, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func openBreaker(t *testing.T) *storagetest.Breaker {
	t.Helper()
	st, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return &storagetest.Breaker{Store: st}
}

// A policy that is stored but cannot be read again is reported as a failure.
// Until it can be read, all policies are the old ones; then, without any
// further change, all are the new ones.
func TestPoliciesAreOldOrNewAsAWhole(t *testing.T) {
	b := openBreaker(t)
	s, ctx := openOn(t, b), context.Background()
	for _, name := range []string{"kept", "revoked"} {
		if _, err := s.Put(ctx, name, `path "x/a" { capabilities = ["read"] }`); err != nil {
			t.Fatal(err)
		}
	}
	p := caller("", []string{"revoked"})
	if !s.may(t, p, "read", "x/a") {
		t.Fatal("not granted to begin with")
	}
	b.NoViews.Store(true)
	before := s.List()
	if _, err := s.Put(ctx, "kept", `path "x/b" { capabilities = ["read"] }`); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, "revoked"); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, "new", ""); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	got, _ := s.Get("kept")
	if !slices.Equal(s.List(), before) || got.Version != 1 || !s.may(t, p, "read", "x/a") {
		t.Error("the policies changed in part", s.List(), got)
	}
	b.NoViews.Store(false)
	for end := time.Now().Add(time.Minute); s.Has("revoked"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a policy that was deleted stays in force")
		}
	}
	if got, _ := s.Get("kept"); got.Version != 2 || !s.Has("new") || s.may(t, p, "read", "x/a") {
		t.Error("old and new policies are mixed", s.List(), got)
	}
}

func TestEveryChangeIsAllOrNothing(t *testing.T) {
	for name, change := range map[string]func(*Store) error{
		"put": func(s *Store) error {
			_, err := s.Put(context.Background(), "a", `path "x" { capabilities = ["list"] }`)
			return err
		},
		"delete": func(s *Store) error { return s.Delete(context.Background(), "a") },
	} {
		t.Run(name, func(t *testing.T) {
			b := openBreaker(t)
			if _, err := openOn(t, b).Put(context.Background(), "a", ""); err != nil {
				t.Fatal(err)
			}
			storagetest.AllOrNothing(t, b, func(s storage.Store) error {
				f, ok := s.(*storagetest.Faulty)
				if !ok {
					t.Fatal("not a faulty store")
				}
				return change(openOn(t, f.OnlyUpdates()))
			})
		})
	}
}

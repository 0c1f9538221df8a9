package identity

import (
	"slices"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

func openRaw(t *testing.T) (storage.Store, *seal.Keyring) {
	t.Helper()
	db, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db, seal.NewKeyring(time.Now())
}

// people is what the tests of faults begin with.
type people struct {
	alice, bob EntityRef
	team       *Group
	alias      *GroupAlias
}

func settle(w *world) people {
	p := people{}
	_, p.alias = w.external("devs", jwt1, "idp-devs", "p-devs")
	p.alice = w.login(jwt1, "alice", "idp-devs")
	p.bob = w.login(jwt2, "bob")
	p.team = w.group(GroupChange{Name: ptr("team"), MemberEntityIDs: []string{p.alice.ID, p.bob.ID}, Policies: []string{"p-team"}})
	w.group(GroupChange{Name: ptr("above"), MemberGroupIDs: []string{p.team.ID}})
	return p
}

// Whatever call of the storage fails, a change leaves nothing behind and says
// that the storage is unavailable.
func TestEveryChangeIsAllOrNothing(t *testing.T) {
	for name, change := range map[string]func(*Store, people) error{
		"new entity": func(s *Store, _ people) error {
			_, _, err := s.WriteEntity(t.Context(), EntityChange{Name: ptr("carol"), Policies: []string{"x"}})
			return err
		},
		"rename": func(s *Store, p people) error {
			_, _, err := s.WriteEntity(t.Context(), EntityChange{ID: p.bob.ID, Name: ptr("robert")})
			return err
		},
		"new alias": func(s *Store, p people) error {
			_, _, err := s.WriteAlias(t.Context(), AliasChange{Name: "al", MountAccessor: jwt2, CanonicalID: p.alice.ID})
			return err
		},
		"move an alias": func(s *Store, p people) error {
			e, err := s.Entity(t.Context(), p.bob.ID)
			if err != nil {
				return err
			}
			_, _, err = s.WriteAlias(t.Context(), AliasChange{ID: e.Aliases[0].ID, CanonicalID: p.alice.ID})
			return err
		},
		"delete an alias": func(s *Store, p people) error {
			e, err := s.Entity(t.Context(), p.alice.ID)
			if err != nil {
				return err
			}
			return s.DeleteAlias(t.Context(), e.Aliases[0].ID)
		},
		"merge": func(s *Store, p people) error {
			return s.Merge(t.Context(), MergeOptions{From: []string{p.bob.ID}, To: p.alice.ID})
		},
		"delete entities": func(s *Store, p people) error { return s.DeleteEntity(t.Context(), p.alice.ID, p.bob.ID) },
		"change a group": func(s *Store, p people) error {
			_, _, err := s.WriteGroup(t.Context(), GroupChange{ID: p.team.ID, MemberEntityIDs: []string{p.bob.ID}, Policies: []string{"y"}})
			return err
		},
		"delete a group": func(s *Store, p people) error { return s.DeleteGroup(t.Context(), p.team.ID) },
		"new group alias": func(s *Store, _ people) error {
			_, _, err := s.WriteGroupAlias(t.Context(), GroupAliasChange{Name: "idp-ops", MountAccessor: jwt1})
			return err
		},
		"move a group alias": func(s *Store, p people) error {
			_, _, err := s.WriteGroupAlias(t.Context(), GroupAliasChange{ID: p.alias.ID, MountAccessor: jwt2})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, kr := openRaw(t)
			p := settle(openWorld(t, db, kr))
			storagetest.AllOrNothing(t, db, func(s storage.Store) error {
				f, ok := s.(*storagetest.Faulty)
				if !ok {
					t.Fatal("not a faulty store")
				}
				w := openWorld(t, f.OnlyUpdates(), kr)
				defer w.Close()
				return change(w.Store, p)
			})
		})
	}
}

// A change that is stored but cannot be read again is reported as a failure.
// Until it can be read, every answer is from the old groups; then every one is
// from the new, without any further change.
func TestGroupsAreOldOrNewAsAWhole(t *testing.T) {
	db, kr := openRaw(t)
	b := &storagetest.Breaker{Store: db}
	w := openWorld(t, b, kr)
	p := settle(w)
	old := w.Group(p.team.ID)
	b.NoViews.Store(true)
	_, _, err := w.WriteGroup(t.Context(), GroupChange{ID: p.team.ID, Name: ptr("crew"), Policies: []string{"p-crew"}})
	if !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	if w.Group(p.team.ID) != old || w.GroupByName("team") != old || w.GroupByName("crew") != nil {
		t.Error("the groups changed in part")
	}
	if d, _ := w.GroupIDs(&Entity{ID: p.bob.ID}); !slices.Equal(d, []string{p.team.ID}) {
		t.Error("the members changed", d)
	}
	b.NoViews.Store(false)
	within(t, func() bool { return w.GroupByName("crew") != nil })
	if w.GroupByName("team") != nil || !slices.Equal(w.Group(p.team.ID).Policies, []string{"p-crew"}) {
		t.Error("old and new groups are mixed")
	}
	w.mustHave(p.bob.ID, "p-crew")
}

// within waits for what another goroutine does in its own time.
func within(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never happened")
		}
	}
}

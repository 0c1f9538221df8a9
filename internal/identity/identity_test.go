package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

type world struct {
	testing.TB
	*Store
}

const (
	jwt1 = "auth_jwt_00000001"
	jwt2 = "auth_jwt_00000002"
)

func newWorld(t testing.TB) *world {
	t.Helper()
	db, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return openWorld(t, storagetest.Twice(db), seal.NewKeyring(time.Now()))
}

func openWorld(t testing.TB, db storage.Store, kr *seal.Keyring) *world {
	t.Helper()
	s, err := Open(t.Context(), Options{
		Storage: seal.Wrap(db, kr), Keys: kr,
		Mounts: func(a string) (Mount, bool) {
			return Mount{Path: "auth/" + a + "/", Type: "jwt", Local: a == "local"}, a == jwt1 || a == jwt2 || a == "local"
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &world{t, s}
}

func (w *world) login(mount, name string, groups ...string) EntityRef {
	w.Helper()
	ref, err := w.tryLogin(Login{MountAccessor: mount, AliasName: name, Metadata: map[string]string{"role": "demo"}, Groups: groups})
	if err != nil {
		w.Fatal(err)
	}
	return ref
}

func (w *world) tryLogin(l Login) (ref EntityRef, err error) {
	err = w.db.Update(w.Context(), func(tx storage.Tx) error {
		ref, err = w.Resolve(tx, l)
		return err
	})
	return ref, err
}

func (w *world) policiesOf(id string) (list []string, err error) {
	err = w.db.View(w.Context(), func(tx storage.ReadTx) error {
		list, err = w.EntityPolicies(tx, id)
		return err
	})
	return list, err
}

func (w *world) mustHave(id string, want ...string) {
	w.Helper()
	got, err := w.policiesOf(id)
	if err != nil || !slices.Equal(got, want) {
		w.Fatalf("policies %q, %v; want %q", got, err, want)
	}
}

func (w *world) group(c GroupChange) *Group {
	w.Helper()
	g, _, err := w.WriteGroup(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	return g
}

func (w *world) entityWith(c EntityChange) *Entity {
	w.Helper()
	e, _, err := w.WriteEntity(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	return e
}

func refused(t testing.TB, err error, text string) {
	t.Helper()
	if !fault.Is(err, fault.Invalid) || fault.PublicText(err) != text {
		t.Fatalf("got %v, want %q", err, text)
	}
}

func ptr[T any](v T) *T { return &v }

func TestSameAliasSameEntity(t *testing.T) {
	w := newWorld(t)
	a := w.login(jwt1, "alice")
	if b := w.login(jwt1, "alice"); b.ID != a.ID || !a.Created || b.Created {
		t.Fatal(a, b)
	}
	if b := w.login(jwt2, "alice"); b.ID == a.ID {
		t.Fatal("another mount's alice is somebody else")
	}
}

// Threat: two subjects that some comparison folds together share an identity.
func TestSubjectsThatOnlyLookAlikeAreStrangers(t *testing.T) {
	w := newWorld(t)
	seen := map[string]string{}
	for _, n := range []string{
		"case-user", "Case-User", "CASE-USER", "caſe-user", "case-user ", " case-user", "case-user\x00", "case\u200b-user",
		"é", "e\u0301", "\ufffd", "K", "\u212a", "a\x00b", "a",
	} {
		id := w.login(jwt1, n).ID
		if other, dup := seen[id]; dup {
			t.Errorf("%q and %q are one entity", n, other)
		}
		seen[id] = n
	}
}

func TestEmptyAliasNameIsInvalid(t *testing.T) {
	w := newWorld(t)
	_, err := w.tryLogin(Login{MountAccessor: jwt1})
	refused(t, err, "missing name in alias")
}

// readOnly refuses to write.
type readOnly struct{ storage.ReadTx }

func (readOnly) Put([]byte, []byte, time.Time) error { return storage.ErrReadOnly }
func (readOnly) Delete([]byte) error                 { return storage.ErrReadOnly }

func TestLoginThatChangesNothingWritesNothing(t *testing.T) {
	w := newWorld(t)
	l := Login{MountAccessor: jwt1, AliasName: "alice", Metadata: map[string]string{"role": "demo"}}
	peek := func() bool {
		err := w.db.View(t.Context(), func(tx storage.ReadTx) error {
			_, err := w.Resolve(readOnly{tx}, l)
			return err
		})
		if err != nil && !errors.Is(err, storage.ErrReadOnly) {
			t.Fatal(err)
		}
		return err == nil
	}
	if peek() {
		t.Fatal("an unknown alias must be written")
	}
	if _, err := w.tryLogin(l); err != nil || !peek() {
		t.Fatal("a known alias must not", err)
	}
	l.Metadata = map[string]string{"role": "other"}
	if peek() {
		t.Fatal("changed metadata must be written")
	}
	if _, err := w.tryLogin(l); err != nil {
		t.Fatal(err)
	}
	e, _ := w.EntityByAlias(t.Context(), jwt1, "alice")
	if e.Aliases[0].Metadata["role"] != "other" {
		t.Fatal(e.Aliases[0])
	}
}

func TestEntitySetUpBeforeTheFirstLoginIsJoined(t *testing.T) {
	w := newWorld(t)
	e := w.entityWith(EntityChange{Name: ptr("bob"), Policies: []string{"p1"}})
	if _, _, err := w.WriteAlias(t.Context(), AliasChange{Name: "sub-1", MountAccessor: jwt1, CanonicalID: e.ID}); err != nil {
		t.Fatal(err)
	}
	if ref := w.login(jwt1, "sub-1"); ref.ID != e.ID || !slices.Equal(ref.Policies, []string{"p1"}) {
		t.Fatal(ref)
	}
}

func TestDisabledOrDeletedEntityIsDenied(t *testing.T) {
	w := newWorld(t)
	ref := w.login(jwt1, "alice")
	w.entityWith(EntityChange{ID: ref.ID, Disabled: ptr(true)})
	if _, err := w.tryLogin(Login{MountAccessor: jwt1, AliasName: "alice"}); !fault.Is(err, fault.Denied) {
		t.Fatal(err)
	}
	if _, err := w.policiesOf(ref.ID); !fault.Is(err, fault.Denied) {
		t.Fatal(err)
	}
	w.entityWith(EntityChange{ID: ref.ID, Disabled: ptr(false)})
	w.mustHave(ref.ID)
	if err := w.DeleteEntity(t.Context(), ref.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.policiesOf(ref.ID); !fault.Is(err, fault.Denied) {
		t.Fatal(err)
	}
	if again := w.login(jwt1, "alice"); again.ID == ref.ID {
		t.Fatal("a deleted entity came back")
	}
}

// CVE-2025-5999: a policy that reads as root after trimming or folding.
func TestNoSpellingOfRootIsAPolicy(t *testing.T) {
	w := newWorld(t)
	for _, p := range []string{"root", "ROOT", " root", "Root ", "\troot\n"} {
		_, _, err := w.WriteEntity(t.Context(), EntityChange{Policies: []string{"a", p}})
		refused(t, err, "policies cannot contain root")
		_, _, err = w.WriteGroup(t.Context(), GroupChange{Policies: []string{p}})
		refused(t, err, "policies cannot contain root")
	}
	if got := cleanPolicies([]string{" Root ", "A"}); !slices.Equal(got, []string{"a"}) {
		t.Fatal(got)
	}
}

func TestPoliciesComeFromAllGroupsAbove(t *testing.T) {
	w := newWorld(t)
	ref := w.login(jwt1, "alice")
	low := w.group(GroupChange{Name: ptr("low"), Policies: []string{"p-low"}, MemberEntityIDs: []string{ref.ID}})
	mid := w.group(GroupChange{Name: ptr("mid"), Policies: []string{"P-Mid"}, MemberGroupIDs: []string{low.ID}})
	w.group(GroupChange{Name: ptr("top"), Policies: []string{"p-top"}, MemberGroupIDs: []string{mid.ID}})
	w.group(GroupChange{Name: ptr("other"), Policies: []string{"p-other"}})
	w.entityWith(EntityChange{ID: ref.ID, Policies: []string{"own"}})
	w.mustHave(ref.ID, "own", "p-low", "p-mid", "p-top")
	e, _ := w.Entity(t.Context(), ref.ID)
	direct, inherited := w.GroupIDs(e)
	if len(direct) != 1 || len(inherited) != 2 {
		t.Fatal(direct, inherited)
	}
	if err := w.DeleteGroup(t.Context(), mid.ID); err != nil {
		t.Fatal(err)
	}
	w.mustHave(ref.ID, "own", "p-low")
}

func TestGroupsNeverFormACycle(t *testing.T) {
	w := newWorld(t)
	a := w.group(GroupChange{Name: ptr("a")})
	b := w.group(GroupChange{Name: ptr("b"), MemberGroupIDs: []string{a.ID}})
	c := w.group(GroupChange{Name: ptr("c"), MemberGroupIDs: []string{b.ID}})
	for _, id := range []string{a.ID, b.ID, c.ID} {
		_, _, err := w.WriteGroup(t.Context(), GroupChange{ID: a.ID, MemberGroupIDs: []string{id}})
		refused(t, err, fmt.Sprintf("cyclic relationship detected for member group ID %q", id))
	}
}

func TestDamagedCycleStillEnds(t *testing.T) {
	a, b := &Group{ID: "a", MemberGroupIDs: []string{"b"}, Policies: []string{"x"}}, &Group{ID: "b", MemberGroupIDs: []string{"a"}}
	if gs := compileGroups([]*Group{a, b}); len(gs.closure["a"].groups) != 2 {
		t.Fatal(gs.closure["a"])
	}
}

func (w *world) external(name, mount, alias string, policies ...string) (*Group, *GroupAlias) {
	w.Helper()
	g := w.group(GroupChange{Name: &name, Type: External, Policies: policies})
	a, _, err := w.WriteGroupAlias(w.Context(), GroupAliasChange{Name: alias, MountAccessor: mount, CanonicalID: g.ID})
	if err != nil {
		w.Fatal(err)
	}
	return g, a
}

func TestExternalGroupsFollowTheLogin(t *testing.T) {
	w := newWorld(t)
	devs, alias := w.external("devs", jwt1, "idp-devs", "p-devs")
	other, _ := w.external("other", jwt2, "idp-devs", "p-other")
	ref := w.login(jwt1, "alice", "idp-devs", "unknown", "IDP-DEVS")
	w.mustHave(ref.ID, "p-devs")
	if m, err := w.Members(t.Context(), devs, 10); err != nil || len(m) != 0 {
		t.Fatal("a picture of the group from before has no alias", m, err)
	}
	if m, err := w.Members(t.Context(), w.Group(devs.ID), 10); err != nil || !slices.Equal(m, []string{ref.ID}) {
		t.Fatal(m, err)
	}
	if m, _ := w.Members(t.Context(), w.Group(other.ID), 10); len(m) != 0 {
		t.Fatal("a login on one mount made a member on another", m)
	}

	w.login(jwt1, "alice")
	w.mustHave(ref.ID)
	if m, _ := w.Members(t.Context(), w.Group(devs.ID), 10); len(m) != 0 {
		t.Fatal("membership must end with the login that no longer names it", m)
	}

	w.login(jwt1, "alice", "idp-devs")
	if err := w.DeleteGroupAlias(t.Context(), alias.ID); err != nil {
		t.Fatal(err)
	}
	w.mustHave(ref.ID)
	if w.Group(devs.ID).Alias != nil {
		t.Fatal("alias is still there")
	}
}

func TestMembershipsOfAnotherMountStay(t *testing.T) {
	w := newWorld(t)
	w.external("one", jwt1, "g", "p1")
	w.external("two", jwt2, "g", "p2")
	e := w.entityWith(EntityChange{Name: ptr("bob")})
	for _, m := range []string{jwt1, jwt2} {
		if _, _, err := w.WriteAlias(t.Context(), AliasChange{Name: "bob", MountAccessor: m, CanonicalID: e.ID}); err != nil {
			t.Fatal(err)
		}
		w.login(m, "bob", "g")
	}
	w.mustHave(e.ID, "p1", "p2")
	w.login(jwt1, "bob")
	w.mustHave(e.ID, "p2")
}

func TestGroupErrors(t *testing.T) {
	w := newWorld(t)
	ext, _ := w.external("ext", jwt1, "x")
	in := w.group(GroupChange{Name: ptr("in")})
	write := func(c GroupChange) error { _, _, err := w.WriteGroup(t.Context(), c); return err }
	alias := func(c GroupAliasChange) error { _, _, err := w.WriteGroupAlias(t.Context(), c); return err }
	refused(t, write(GroupChange{ID: in.ID, Name: ptr("EXT")}), "group name is already in use")
	refused(t, write(GroupChange{ID: in.ID, Type: External}), "group type cannot be changed")
	refused(t, write(GroupChange{Type: "odd"}), `invalid group type "odd"`)
	refused(t, write(GroupChange{ID: "nope"}), "invalid group ID")
	refused(t, write(GroupChange{ID: ext.ID, MemberEntityIDs: []string{"x"}}), "member entities can't be set manually for external groups")
	refused(t, write(GroupChange{ID: ext.ID, MemberGroupIDs: []string{in.ID}}), "member groups can't be set for external groups")
	refused(t, alias(GroupAliasChange{Name: "y", MountAccessor: jwt1, CanonicalID: in.ID}), "alias can't be set on an internal group")
	refused(t, alias(GroupAliasChange{MountAccessor: jwt1}), "missing alias name")
	refused(t, alias(GroupAliasChange{Name: "y"}), "missing mount_accessor")
	refused(t, alias(GroupAliasChange{Name: "y", MountAccessor: "zz"}), `invalid mount accessor "zz"`)
	refused(t, alias(GroupAliasChange{Name: "y", MountAccessor: "local"}), `mount accessor "local" is a local mount`)
	refused(t, alias(GroupAliasChange{Name: "y", MountAccessor: jwt1, CanonicalID: "no"}), "invalid group ID given in 'canonical_id'")
	_, other := w.external("ext2", jwt1, "y")
	refused(t, alias(GroupAliasChange{ID: other.ID, Name: "x"}), "combination of mount and group alias name is already in use")
}

func TestEntityErrors(t *testing.T) {
	w := newWorld(t)
	a, b := w.entityWith(EntityChange{Name: ptr("a")}), w.entityWith(EntityChange{Name: ptr("b")})
	write := func(c EntityChange) error { _, _, err := w.WriteEntity(t.Context(), c); return err }
	refused(t, write(EntityChange{ID: a.ID, Name: ptr("B")}), "entity name is already in use")
	refused(t, write(EntityChange{ID: "nope"}), "entity not found from id")
	many := map[string]string{}
	for i := range 65 {
		many[fmt.Sprint(i)] = ""
	}
	if err := write(EntityChange{Metadata: many}); !strings.HasPrefix(fault.PublicText(err), "failed to parse metadata: ") {
		t.Fatal(err)
	}
	alias := func(c AliasChange) error { _, _, err := w.WriteAlias(t.Context(), c); return err }
	refused(t, alias(AliasChange{Name: "x"}), "'id' or 'mount_accessor' and 'name' must be provided")
	refused(t, alias(AliasChange{Name: "x", MountAccessor: "zz"}), `invalid mount accessor "zz"`)
	refused(t, alias(AliasChange{Name: "x", MountAccessor: jwt1, CanonicalID: "no"}), "invalid canonical ID")
	refused(t, alias(AliasChange{ID: "no"}), "invalid alias ID provided")
	for name, id := range map[string]string{"x": a.ID, "y": b.ID} {
		if err := alias(AliasChange{Name: name, MountAccessor: jwt1, CanonicalID: id}); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, alias(AliasChange{Name: "z", MountAccessor: jwt1, CanonicalID: a.ID}), "Alias already exists for requested entity and mount accessor")
	e, _ := w.EntityByAlias(t.Context(), jwt1, "x")
	refused(t, alias(AliasChange{ID: e.Aliases[0].ID, Name: "y"}), "alias with combination of mount accessor and name already exists")
}

func TestEveryWayToFindAnEntity(t *testing.T) {
	w := newWorld(t)
	ref := w.login(jwt1, "alice")
	e, err := w.Entity(t.Context(), ref.ID)
	if err != nil || e == nil {
		t.Fatal(err)
	}
	find := func(what string, got *Entity, err error, want bool) {
		t.Helper()
		if err != nil || (got != nil && got.ID == ref.ID) != want {
			t.Fatal(what, got, err)
		}
	}
	name := e.Name
	byName := func(n string) (*Entity, error) { return w.EntityByName(t.Context(), n) }
	got, err := byName(strings.ToUpper(name))
	find("default name", got, err, true)
	got, err = w.EntityByAliasID(t.Context(), e.Aliases[0].ID)
	find("alias id", got, err, true)
	w.entityWith(EntityChange{ID: ref.ID, Name: ptr("Alice")})
	got, err = byName("aLICE")
	find("new name", got, err, true)
	got, err = byName(name)
	find("old name", got, err, false)
	w.entityWith(EntityChange{ID: ref.ID, Name: &name})
	got, err = byName("alice")
	find("name given back", got, err, false)
	got, err = byName(name)
	find("default name again", got, err, true)
	for _, odd := range []string{"", "entity_", "entity_zzzzzzzz", "entity_0000000", strings.Repeat("x", 5000)} {
		got, err = byName(odd)
		find(odd, got, err, false)
	}
	n := 0
	if err := w.Entities(t.Context(), "", func(*Entity) bool { n++; return true }); err != nil || n != 1 {
		t.Fatal(n, err)
	}
}

// CVE-2022-40186: aliases of one name on two mounts shared their metadata.
func TestTemplateDataKeepsMountsApart(t *testing.T) {
	w := newWorld(t)
	e := w.entityWith(EntityChange{Name: ptr("bob"), Metadata: map[string]string{"team": "x"}})
	for _, m := range []string{jwt1, jwt2} {
		if _, _, err := w.WriteAlias(t.Context(), AliasChange{Name: "bob", MountAccessor: m, CanonicalID: e.ID}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.tryLogin(Login{MountAccessor: m, AliasName: "bob", Metadata: map[string]string{"from": m}}); err != nil {
			t.Fatal(err)
		}
	}
	d, err := w.TemplateData(t.Context(), e.ID)
	if err != nil || d.EntityName != "bob" || d.Aliases[jwt1].Metadata["from"] != jwt1 || d.Aliases[jwt2].Metadata["from"] != jwt2 {
		t.Fatal(d, err)
	}
}

package identity

import (
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
)

func TestMergeMovesAliasesAndMemberships(t *testing.T) {
	w := newWorld(t)
	a, b := w.login(jwt1, "alice"), w.login(jwt2, "alice2")
	w.group(GroupChange{Name: ptr("g"), Policies: []string{"p"}, MemberEntityIDs: []string{b.ID}})
	if err := w.Merge(t.Context(), MergeOptions{From: []string{b.ID}, To: a.ID}); err != nil {
		t.Fatal(err)
	}
	if ref := w.login(jwt2, "alice2"); ref.ID != a.ID {
		t.Fatal("alias did not move", ref)
	}
	w.mustHave(a.ID, "p")
	w.mustHave(b.ID, "p") // a token of the merged entity
	e, err := w.Entity(t.Context(), b.ID)
	if err != nil || e == nil || e.ID != a.ID || len(e.Aliases) != 2 {
		t.Fatal(e, err)
	}
	for _, al := range e.Aliases {
		if got, err := w.Alias(t.Context(), al.ID); err != nil || got == nil || got.CanonicalID != a.ID {
			t.Fatal(got, err)
		}
	}
	c := w.login(jwt1, "carol")
	if err := w.Merge(t.Context(), MergeOptions{From: []string{c.ID}, To: a.ID}); !fault.Is(err, fault.Invalid) {
		t.Fatal("two aliases on one mount must be refused", err)
	}
	ce, _ := w.Entity(t.Context(), c.ID)
	if err := w.Merge(t.Context(), MergeOptions{From: []string{c.ID}, To: a.ID, KeepAliases: []string{ce.Aliases[0].ID}}); err != nil {
		t.Fatal(err)
	}
	if ref := w.login(jwt1, "carol"); ref.ID != a.ID {
		t.Fatal("kept alias did not move")
	}
	if ref := w.login(jwt1, "alice"); ref.ID == a.ID {
		t.Fatal("dropped alias is still there")
	}
}

func TestAliasMovesBetweenEntitiesAndMounts(t *testing.T) {
	w := newWorld(t)
	w.external("ext", jwt1, "g", "p")
	a := w.login(jwt1, "alice", "g")
	e, _ := w.Entity(t.Context(), a.ID)
	id := e.Aliases[0].ID
	b := w.entityWith(EntityChange{Name: ptr("b")})
	move := func(c AliasChange) error {
		c.ID = id
		_, _, err := w.WriteAlias(t.Context(), c)
		return err
	}
	if err := move(AliasChange{CanonicalID: b.ID}); err != nil {
		t.Fatal(err)
	}
	w.mustHave(a.ID)
	w.mustHave(b.ID, "p")
	if ref := w.login(jwt1, "alice", "g"); ref.ID != b.ID {
		t.Fatal("a login does not follow the alias")
	}
	if err := move(AliasChange{CanonicalID: a.ID, Name: "al"}); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Alias(t.Context(), id); err != nil || got == nil || got.CanonicalID != a.ID || got.Name != "al" {
		t.Fatal(got, err)
	}
	if err := move(AliasChange{MountAccessor: jwt2}); err != nil {
		t.Fatal(err)
	}
	w.mustHave(a.ID) // groups of the other mount do not come along
	if ref := w.login(jwt2, "al"); ref.ID != a.ID {
		t.Fatal("a login does not follow the alias to its mount")
	}
	if ref := w.login(jwt1, "alice"); ref.ID == a.ID || ref.ID == b.ID {
		t.Fatal("the old name still leads somewhere")
	}
	w.mustHave(a.ID)
	w.login(jwt1, "other")
	c := w.login(jwt2, "c")
	if err := move(AliasChange{CanonicalID: c.ID}); fault.PublicText(err) != "Alias already exists for requested entity and mount accessor" {
		t.Fatal(err)
	}
	if ref := w.login(jwt2, "al"); ref.ID != a.ID {
		t.Fatal("a refused move moved something")
	}
}

// What a login said of groups counts for the mount that it came by, wherever
// alias and group go afterwards.
func TestGroupsOfALoginStayWithItsMount(t *testing.T) {
	w := newWorld(t)
	_, group := w.external("ext", jwt1, "g", "p")
	ref := w.login(jwt1, "alice", "g")
	w.mustHave(ref.ID, "p")
	e, _ := w.Entity(t.Context(), ref.ID)
	moveGroup := func(mount string) {
		t.Helper()
		if _, _, err := w.WriteGroupAlias(t.Context(), GroupAliasChange{ID: group.ID, Name: "g", MountAccessor: mount, CanonicalID: group.CanonicalID}); err != nil {
			t.Fatal(err)
		}
	}
	moveGroup(jwt2)
	w.mustHave(ref.ID)
	moveGroup(jwt1)
	if _, _, err := w.WriteAlias(t.Context(), AliasChange{ID: e.Aliases[0].ID, MountAccessor: jwt2}); err != nil {
		t.Fatal(err)
	}
	moveGroup(jwt2)
	w.mustHave(ref.ID)
	if e, _ := w.Entity(t.Context(), ref.ID); len(e.Aliases) != 1 || len(e.Aliases[0].Metadata) != 0 {
		t.Errorf("the metadata of the other mount's login stay: %+v", e.Aliases)
	}
}

// A new name is another subject: what the old one's login said is not for it.
func TestGroupsOfALoginStayWithItsName(t *testing.T) {
	w := newWorld(t)
	_, group := w.external("ext", jwt1, "g", "p")
	ref := w.login(jwt1, "alice", "g")
	w.mustHave(ref.ID, "p")
	e, _ := w.Entity(t.Context(), ref.ID)
	if _, _, err := w.WriteAlias(t.Context(), AliasChange{ID: e.Aliases[0].ID, Name: "bob"}); err != nil {
		t.Fatal(err)
	}
	w.mustHave(ref.ID)
	e, _ = w.Entity(t.Context(), ref.ID)
	if len(e.Aliases) != 1 || e.Aliases[0].Name != "bob" || len(e.Aliases[0].Metadata) != 0 {
		t.Errorf("%+v", e.Aliases)
	}
	if m, err := w.Members(t.Context(), w.Group(group.CanonicalID), 10); err != nil || len(m) != 0 {
		t.Errorf("the group still lists the entity: %v, %v", m, err)
	}
	w.login(jwt1, "bob", "g")
	w.mustHave(ref.ID, "p")
}

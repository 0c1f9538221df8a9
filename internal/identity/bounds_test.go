package identity

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNamesMetadataAndListsAreBounded(t *testing.T) {
	w := newWorld(t)
	long := func(n int) string { return strings.Repeat("x", n) }
	for text, c := range map[string]EntityChange{
		"name is longer than 512 bytes":    {Name: ptr(long(maxName + 1))},
		"name holds a control character":   {Name: ptr("a\x1fb")},
		"a policy name is longer than":     {Policies: []string{long(maxName + 1)}},
		"more than 1024 policies":          {Policies: slices.Repeat([]string{"p"}, maxPolicies+1)},
		`length of key "" is not between`:  {Metadata: map[string]string{"": "v"}},
		`…" is not between 1 and 128`:      {Metadata: map[string]string{long(maxMetaKey + 1): "v"}},
		"length of the value of key \"k\"": {Metadata: map[string]string{"k": long(maxMetaValue + 1)}},
	} {
		_, _, entity := w.WriteEntity(t.Context(), c)
		_, _, group := w.WriteGroup(t.Context(), GroupChange{Name: c.Name, Policies: c.Policies, Metadata: c.Metadata})
		for _, err := range []error{entity, group} {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("got %v, want %q", err, text)
			}
		}
	}
	w.entityWith(EntityChange{Name: ptr(long(maxName)), Metadata: map[string]string{long(maxMetaKey): long(maxMetaValue)}})
	if _, _, err := w.WriteEntity(t.Context(), EntityChange{Name: ptr("a\x7f")}); err == nil {
		t.Error("a name may hold DEL")
	}

	many := slices.Repeat([]string{"x"}, maxMembers+1)
	for _, c := range []GroupChange{{MemberEntityIDs: many}, {MemberGroupIDs: many}} {
		_, _, err := w.WriteGroup(t.Context(), c)
		refused(t, err, "more than 65536 members")
	}

	_, err := w.tryLogin(Login{MountAccessor: jwt1, AliasName: long(maxAliasName + 1)})
	refused(t, err, "alias name is longer than 4096 bytes")
	w.login(jwt1, long(maxAliasName))
	_, _, err = w.WriteAlias(t.Context(), AliasChange{MountAccessor: jwt1, Name: long(maxAliasName + 1)})
	refused(t, err, "alias name is longer than 4096 bytes")
}

func TestMergesThatMeanNothingAreRefused(t *testing.T) {
	w := newWorld(t)
	a := w.login(jwt1, "a")
	many := make([]string, maxAliases+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for text, o := range map[string]MergeOptions{
		"missing entity ids to merge from":                             {To: a.ID},
		"missing entity id to merge to":                                {From: []string{a.ID}},
		"to_entity_id should not be present in from_entity_ids":        {From: []string{a.ID}, To: a.ID},
		"entity id to merge to is invalid":                             {From: []string{a.ID}, To: "nobody"},
		fmt.Sprintf("more than %d entities to merge from", maxAliases): {From: many, To: a.ID},
	} {
		refused(t, w.Merge(t.Context(), o), text)
	}
	if ref := w.login(jwt1, "a"); ref.ID != a.ID {
		t.Error("a refused merge moved an alias")
	}
}

func TestAnAliasThatStaysKeepsItsGroups(t *testing.T) {
	w := newWorld(t)
	w.external("ext", jwt1, "g", "p")
	a := w.login(jwt1, "alice", "g")
	e, _ := w.Entity(t.Context(), a.ID)
	c := AliasChange{ID: e.Aliases[0].ID, MountAccessor: jwt1, Name: "alice", CanonicalID: a.ID}
	if _, _, err := w.WriteAlias(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.mustHave(a.ID, "p")
}

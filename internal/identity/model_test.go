package identity

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// modelGroup is a group in the slow, obvious model.
type modelGroup struct {
	policy   string
	external bool
	aliasID  string          // of an external group, "" = none
	name     string          // of that alias
	members  map[string]bool // entities, for internal groups
	below    map[string]bool // groups, for internal groups
}

// model drives the store and the model side by side.
type model struct {
	*world
	rt       *rapid.T
	entities []string                   // ids by number; alias name is "u<number>"
	named    map[string]map[string]bool // entity → group alias ids of its last login
	groups   map[string]*modelGroup
}

// policies works out what an entity has by walking up from every group.
func (m *model) policies(entity string) []string {
	have := map[string]bool{}
	for id, g := range m.groups {
		if g.members[entity] || (g.aliasID != "" && m.named[entity][g.aliasID]) {
			have[id] = true
		}
	}
	for changed := true; changed; {
		changed = false
		for id, g := range m.groups {
			for low := range g.below {
				if have[low] && !have[id] {
					have[id], changed = true, true
				}
			}
		}
	}
	var out []string
	for id := range have {
		out = append(out, m.groups[id].policy)
	}
	slices.Sort(out)
	return out
}

func (m *model) ids() []string {
	out := []string{}
	for id := range m.groups {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

func (m *model) pickGroup() (string, *modelGroup) {
	if len(m.groups) == 0 {
		m.rt.Skip("no group yet")
	}
	id := rapid.SampledFrom(m.ids()).Draw(m.rt, "group")
	return id, m.groups[id]
}

func (m *model) newGroup(rt *rapid.T) {
	g := &modelGroup{policy: fmt.Sprintf("p%d", len(m.groups)), external: rapid.Bool().Draw(rt, "external"), members: map[string]bool{}, below: map[string]bool{}}
	c := GroupChange{Policies: []string{g.policy}}
	if g.external {
		c.Type = External
	}
	for _, other := range m.groups {
		if other.policy == g.policy {
			rt.Skip("policy name is taken")
		}
	}
	m.groups[m.group(c).ID] = g
}

func (m *model) setMembers(rt *rapid.T) {
	id, g := m.pickGroup()
	if g.external {
		rt.Skip("external")
	}
	who := rapid.SliceOfDistinct(rapid.SampledFrom(m.entities), rapid.ID[string]).Draw(rt, "members")
	if _, _, err := m.WriteGroup(m.Context(), GroupChange{ID: id, MemberEntityIDs: who}); err != nil {
		rt.Fatal(err)
	}
	g.members = map[string]bool{}
	for _, w := range who {
		g.members[w] = true
	}
}

// below reports whether a group is another one or somewhere below it.
func (m *model) isBelow(low, high string) bool {
	if low == high {
		return true
	}
	for b := range m.groups[high].below {
		if m.isBelow(low, b) {
			return true
		}
	}
	return false
}

func (m *model) nest(rt *rapid.T) {
	id, g := m.pickGroup()
	other, _ := m.pickGroup()
	if g.external {
		rt.Skip("external")
	}
	below := []string{other}
	for b := range g.below {
		below = append(below, b)
	}
	_, _, err := m.WriteGroup(m.Context(), GroupChange{ID: id, MemberGroupIDs: below})
	if cycle := m.isBelow(id, other); (err != nil) != cycle {
		rt.Fatalf("cycle %v, error %v", cycle, err)
	}
	if err == nil {
		g.below[other] = true
	}
}

func (m *model) setAlias(rt *rapid.T) {
	id, g := m.pickGroup()
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "alias")
	if !g.external || g.aliasID != "" {
		rt.Skip("not now")
	}
	for _, o := range m.groups {
		if o.aliasID != "" && o.name == name {
			rt.Skip("taken")
		}
	}
	a, _, err := m.WriteGroupAlias(m.Context(), GroupAliasChange{Name: name, MountAccessor: jwt1, CanonicalID: id})
	if err != nil {
		rt.Fatal(err)
	}
	g.aliasID, g.name = a.ID, name
}

func (m *model) dropAlias(rt *rapid.T) {
	_, g := m.pickGroup()
	if g.aliasID == "" {
		rt.Skip("none")
	}
	if err := m.DeleteGroupAlias(m.Context(), g.aliasID); err != nil {
		rt.Fatal(err)
	}
	g.aliasID = ""
}

func (m *model) dropGroup(rt *rapid.T) {
	id, _ := m.pickGroup()
	if err := m.DeleteGroup(m.Context(), id); err != nil {
		rt.Fatal(err)
	}
	delete(m.groups, id)
	for _, g := range m.groups {
		delete(g.below, id)
	}
}

func (m *model) signIn(rt *rapid.T) {
	i := rapid.IntRange(0, len(m.entities)-1).Draw(rt, "who")
	names := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c", "other"}), rapid.ID[string]).Draw(rt, "groups")
	m.login(jwt1, fmt.Sprintf("u%d", i), names...)
	m.named[m.entities[i]] = map[string]bool{}
	for _, g := range m.groups {
		if g.aliasID != "" && slices.Contains(names, g.name) {
			m.named[m.entities[i]][g.aliasID] = true
		}
	}
}

func (m *model) check(rt *rapid.T) {
	for _, e := range m.entities {
		got, err := m.policiesOf(e)
		if err != nil || !slices.Equal(got, m.policies(e)) {
			rt.Fatalf("entity has %q, %v; model %q", got, err, m.policies(e))
		}
	}
}

// What an entity has through groups is what walking up from each of its groups
// would find, whatever was done to groups, aliases and members before.
func TestPoliciesOfGroupsAreLikeTheModel(t *testing.T) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			m := &model{world: newWorld(t), rt: rt, named: map[string]map[string]bool{}, groups: map[string]*modelGroup{}}
			for i := range 3 {
				m.entities = append(m.entities, m.login(jwt1, fmt.Sprintf("u%d", i)).ID)
			}
			rt.Repeat(map[string]func(*rapid.T){
				"": m.check, "group": m.newGroup, "members": m.setMembers, "nest": m.nest, "alias": m.setAlias,
				"drop alias": m.dropAlias, "drop group": m.dropGroup, "login": m.signIn,
			})
		})
	})
}

func FuzzDecodeEntity(f *testing.F) {
	e := Entity{Name: "n", Policies: []string{"a"}, Aliases: []Alias{{ID: "x", Name: "y", groups: []string{"g"}}}}
	f.Add(e.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := decodeEntity("id", b); (e == nil) == (err == nil) {
			t.Fatal("neither an entity nor an error")
		}
	})
}

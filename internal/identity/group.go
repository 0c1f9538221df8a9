package identity

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Types of a group.
const (
	Internal = "internal" // members are set by the operator
	External = "external" // members come from the groups that logins name
)

// Group is a set of entities and other groups with policies in common.
type Group struct {
	ID              string            `json:"id"`
	Name            string            `json:"name"` // unique without regard to case
	Type            string            `json:"type"`
	Policies        []string          `json:"policies,omitzero"` // as written
	Metadata        map[string]string `json:"metadata,omitzero"`
	MemberEntityIDs []string          `json:"member_entity_ids,omitzero"` // internal groups
	MemberGroupIDs  []string          `json:"member_group_ids,omitzero"`  // internal groups
	Alias           *GroupAlias       `json:"alias,omitzero"`             // external groups
	ModifyIndex     uint64            `json:"modify_index"`
	Created         time.Time         `json:"creation_time"`
	Updated         time.Time         `json:"last_update_time"`
}

// GroupAlias is the name by which an auth mount knows an external group.
type GroupAlias struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"` // compared byte by byte
	MountAccessor string    `json:"mount_accessor"`
	CanonicalID   string    `json:"canonical_id"` // the group
	Created       time.Time `json:"creation_time"`
	Updated       time.Time `json:"last_update_time"`
}

func (g *Group) clone() *Group {
	c := *g
	c.MemberEntityIDs = slices.Clone(g.MemberEntityIDs)
	c.MemberGroupIDs = slices.Clone(g.MemberGroupIDs)
	if g.Alias != nil {
		a := *g.Alias
		c.Alias = &a
	}
	return &c
}

// groups is an immutable picture of all groups.
type groups struct {
	byID      map[string]*Group
	byName    map[string]*Group        // by folded name
	byAliasID map[string]*Group        // external groups
	byAlias   map[aliasAt]*Group       // external groups
	ofEntity  map[string][]*Group      // internal groups that list the entity
	parents   map[string][]*Group      // groups that list the group
	closure   map[string]*groupClosure // by group id
}

type aliasAt struct{ mount, name string }

// groupClosure is what a member of a group has through it.
type groupClosure struct {
	groups   []*Group // the group itself and everything above it
	policies []string // of all of them, cleaned
}

func compileGroups(list []*Group) *groups {
	gs := &groups{
		byID: map[string]*Group{}, byName: map[string]*Group{}, byAliasID: map[string]*Group{},
		byAlias: map[aliasAt]*Group{}, ofEntity: map[string][]*Group{}, parents: map[string][]*Group{},
		closure: map[string]*groupClosure{},
	}
	for _, g := range list {
		gs.byID[g.ID] = g
		gs.byName[fold(g.Name)] = g
		if g.Alias != nil && g.Type == External {
			gs.byAliasID[g.Alias.ID] = g
			gs.byAlias[aliasAt{g.Alias.MountAccessor, g.Alias.Name}] = g
		}
		for _, m := range g.MemberEntityIDs {
			gs.ofEntity[m] = append(gs.ofEntity[m], g)
		}
		for _, m := range g.MemberGroupIDs {
			gs.parents[m] = append(gs.parents[m], g)
		}
	}
	for id, g := range gs.byID {
		gs.closure[id] = gs.close(g)
	}
	return gs
}

// close collects a group and everything above it. It ends on a cycle too, so
// that damaged data cannot hang the server.
func (gs *groups) close(g *Group) *groupClosure {
	c := &groupClosure{}
	seen := map[string]bool{g.ID: true}
	for todo := []*Group{g}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		c.groups = append(c.groups, at)
		c.policies = append(c.policies, cleanPolicies(at.Policies)...)
		for _, p := range gs.parents[at.ID] {
			if !seen[p.ID] {
				seen[p.ID] = true
				todo = append(todo, p)
			}
		}
	}
	slices.Sort(c.policies)
	c.policies = slices.Compact(c.policies)
	return c
}

// reaches reports whether from is to or has it somewhere below it.
func (gs *groups) reaches(from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	if seen[from] || gs.byID[from] == nil {
		return false
	}
	seen[from] = true
	return slices.ContainsFunc(gs.byID[from].MemberGroupIDs, func(m string) bool { return gs.reaches(m, to, seen) })
}

// direct calls visit for each group that the entity is itself a member of.
func (gs *groups) direct(e *Entity, visit func(*Group)) {
	for _, g := range gs.ofEntity[e.ID] {
		visit(g)
	}
	for i := range e.Aliases {
		a := &e.Aliases[i]
		for _, id := range a.groups {
			// The alias may have been deleted or moved since that login.
			if g := gs.byAliasID[id]; g != nil && g.Alias.MountAccessor == a.MountAccessor {
				visit(g)
			}
		}
	}
}

// cleanPolicies returns names as policies are looked up: trimmed, in lower
// case. Root never comes through, however it got here.
func cleanPolicies(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		if n = strings.ToLower(strings.TrimSpace(n)); n != "" && n != "root" {
			out = append(out, n)
		}
	}
	return out
}

// checkPolicies refuses names that read as root and lists without bound.
func checkPolicies(names []string) error {
	if len(names) > maxPolicies {
		return fault.Newf(fault.Invalid, "more than %d policies", maxPolicies)
	}
	for _, n := range names {
		if strings.EqualFold(strings.TrimSpace(n), "root") {
			return fault.New(fault.Invalid, "policies cannot contain root")
		}
		if len(n) > maxName {
			return fault.Newf(fault.Invalid, "a policy name is longer than %d bytes", maxName)
		}
	}
	return nil
}

// loadGroups reads all groups.
func loadGroups(tx storage.ReadTx) (*groups, error) {
	var list []*Group
	var after []byte
	for more := true; more; {
		items, err := tx.Scan([]byte(groupPrefix), after, pageSize)
		if err != nil {
			return nil, fmt.Errorf("identity: list groups: %w", err)
		}
		more = len(items) == pageSize
		for _, it := range items {
			after = it.Key
			g := new(Group)
			if err := json.Unmarshal(it.Value, g); err != nil {
				return nil, fmt.Errorf("identity: group is damaged: %w", err)
			}
			list = append(list, g)
		}
	}
	return compileGroups(list), nil
}

func putGroup(tx storage.Tx, g *Group) error {
	b, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	return tx.Put([]byte(groupPrefix+g.ID), b, time.Time{})
}

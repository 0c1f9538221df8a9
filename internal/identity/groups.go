package identity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jotgate/jotgate/internal/storage"
)

// GroupChange is a caller's wish for a group. Nil fields stay as they are.
type GroupChange struct {
	ID              string // of the group to change; "" = the one with Name, or a new one
	Name            *string
	Type            string // "" = internal for a new group
	Metadata        map[string]string
	Policies        []string
	MemberEntityIDs []string
	MemberGroupIDs  []string
}

// changeGroups runs fn in a transaction with all groups as they are, and makes
// the outcome current before it returns.
func (s *Store) changeGroups(ctx context.Context, fn func(storage.Tx, *groups) error) error {
	err := s.db.Update(ctx, func(tx storage.Tx) error {
		gs, err := loadGroups(tx)
		if err != nil {
			return err
		}
		return fn(tx, gs)
	})
	if err != nil {
		return err
	}
	return s.Reload(ctx)
}

// WriteGroup changes a group or makes one. created tells which. It fails with
// fault.Invalid and the reference's texts.
func (s *Store) WriteGroup(ctx context.Context, c GroupChange) (g *Group, created bool, err error) {
	if err := errors.Join(checkMetadata(c.Metadata), checkPolicies(c.Policies)); err != nil {
		return nil, false, err
	}
	if c.Name != nil {
		if err := checkName(*c.Name); err != nil {
			return nil, false, err
		}
	}
	if len(c.MemberEntityIDs) > maxMembers || len(c.MemberGroupIDs) > maxMembers {
		return nil, false, invalid("more than %d members", maxMembers)
	}
	err = s.changeGroups(ctx, func(tx storage.Tx, gs *groups) error {
		if g, created, err = targetGroup(gs, c); err != nil {
			return err
		}
		if created {
			g.Created = tx.Now().UTC()
		}
		return s.writeGroup(tx, gs, g, c)
	})
	return g, created, err
}

// targetGroup returns a copy of the group that a change is for, or a new one.
func targetGroup(gs *groups, c GroupChange) (g *Group, created bool, err error) {
	var old *Group
	switch {
	case c.ID != "":
		if old = gs.byID[c.ID]; old == nil {
			return nil, false, invalid("invalid group ID")
		}
	case c.Name != nil:
		old = gs.byName[fold(*c.Name)]
	}
	if old != nil {
		return old.clone(), false, nil
	}
	g = &Group{ID: newID(), Type: Internal}
	g.Name = "group_" + g.ID[:shortID]
	if c.Type != "" {
		g.Type = c.Type
	}
	return g, true, nil
}

func (s *Store) writeGroup(tx storage.Tx, gs *groups, g *Group, c GroupChange) error {
	switch {
	case g.Type != Internal && g.Type != External:
		return invalid("invalid group type %q", clip(g.Type))
	case c.Type != "" && c.Type != g.Type:
		return invalid("group type cannot be changed")
	case g.Type == External && len(c.MemberEntityIDs) > 0:
		return invalid("member entities can't be set manually for external groups")
	case g.Type == External && len(c.MemberGroupIDs) > 0:
		return invalid("member groups can't be set for external groups")
	}
	if c.Name != nil && *c.Name != "" {
		if other := gs.byName[fold(*c.Name)]; other != nil && other.ID != g.ID {
			return invalid("group name is already in use")
		}
		g.Name = *c.Name
	}
	if c.Metadata != nil {
		g.Metadata = maps.Clone(c.Metadata)
	}
	if c.Policies != nil {
		g.Policies = slices.Clone(c.Policies)
	}
	if err := s.setMembers(tx, gs, g, c); err != nil {
		return err
	}
	g.ModifyIndex++
	g.Updated = tx.Now().UTC()
	return putGroup(tx, g)
}

func (s *Store) setMembers(tx storage.Tx, gs *groups, g *Group, c GroupChange) error {
	if c.MemberEntityIDs != nil && g.Type == Internal {
		members := unique(c.MemberEntityIDs)
		for _, id := range members {
			if slices.Contains(g.MemberEntityIDs, id) {
				continue
			}
			if _, err := s.entity(tx, id); errors.Is(err, errAbsent) {
				return invalid("invalid entity ID %q", clip(id))
			} else if err != nil {
				return err
			}
		}
		g.MemberEntityIDs = members
	}
	if c.MemberGroupIDs != nil && g.Type == Internal {
		members := unique(c.MemberGroupIDs)
		for _, id := range members {
			if gs.byID[id] == nil {
				return invalid("invalid group ID %q", clip(id))
			}
			if gs.reaches(id, g.ID, map[string]bool{}) {
				return invalid("cyclic relationship detected for member group ID %q", id)
			}
		}
		g.MemberGroupIDs = members
	}
	return nil
}

func unique(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}

// Group returns a group by id; nil if there is none. Read only.
func (s *Store) Group(id string) *Group { return s.groups.Load().byID[id] }

// GroupByName returns a group by name, without regard to case; nil if there is
// none. Read only.
func (s *Store) GroupByName(name string) *Group { return s.groups.Load().byName[fold(name)] }

// GroupByAlias returns an external group by the name that a mount knows it by;
// nil if there is none. Read only.
func (s *Store) GroupByAlias(mountAccessor, name string) *Group {
	return s.groups.Load().byAlias[aliasAt{mountAccessor, name}]
}

// GroupByAliasID returns an external group by the id of its alias; nil if
// there is none. Read only.
func (s *Store) GroupByAliasID(id string) *Group { return s.groups.Load().byAliasID[id] }

// Groups returns all groups in order of ids. Read only.
func (s *Store) Groups() []*Group {
	gs := s.groups.Load()
	out := make([]*Group, 0, len(gs.byID))
	for _, id := range slices.Sorted(maps.Keys(gs.byID)) {
		out = append(out, gs.byID[id])
	}
	return out
}

// ParentGroupIDs returns the groups that list this one as a member.
func (s *Store) ParentGroupIDs(id string) []string { return ids(s.groups.Load().parents[id]) }

// Members returns the ids of the entities that are members of the group
// itself, at most limit.
func (s *Store) Members(ctx context.Context, g *Group, limit int) (members []string, err error) {
	if g.Type == Internal {
		return g.MemberEntityIDs[:min(limit, len(g.MemberEntityIDs))], nil
	}
	if g.Alias == nil {
		return nil, nil
	}
	prefix := memberKey(g.Alias.ID, "")
	var after []byte
	for more := true; more && len(members) < limit; {
		var items []storage.Item
		err = s.db.View(ctx, func(tx storage.ReadTx) (err error) {
			items, err = tx.Scan(prefix, after, min(pageSize, limit-len(members)))
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("identity: list members: %w", err)
		}
		more = len(items) > 0
		for _, it := range items {
			after = it.Key
			members = append(members, string(it.Key[len(prefix):]))
		}
	}
	return members, nil
}

// DeleteGroup removes a group and takes it out of the groups that list it. An
// unknown id is no error.
func (s *Store) DeleteGroup(ctx context.Context, id string) error {
	var alias string
	err := s.changeGroups(ctx, func(tx storage.Tx, gs *groups) error {
		g := gs.byID[id]
		if g == nil {
			return nil
		}
		for _, p := range gs.parents[id] {
			p = p.clone()
			p.MemberGroupIDs = slices.DeleteFunc(p.MemberGroupIDs, func(m string) bool { return m == id })
			p.ModifyIndex++
			p.Updated = tx.Now().UTC()
			if err := putGroup(tx, p); err != nil {
				return err
			}
		}
		if g.Alias != nil {
			alias = g.Alias.ID
		}
		return tx.Delete([]byte(groupPrefix + id))
	})
	if err != nil || alias == "" {
		return err
	}
	return s.dropMembers(ctx, alias)
}

// GroupAliasChange is a caller's wish for a group alias. Empty fields stay as
// they are.
type GroupAliasChange struct {
	ID            string
	Name          string
	MountAccessor string
	CanonicalID   string // the external group; "" = a new one
}

// WriteGroupAlias makes an alias of an external group, or changes the one that
// has the given id. written is false if it was already as it is wished. It
// fails with fault.Invalid and the reference's texts.
func (s *Store) WriteGroupAlias(ctx context.Context, c GroupAliasChange) (a *GroupAlias, written bool, err error) {
	if len(c.Name) > maxAliasName {
		return nil, false, invalid("alias name is longer than %d bytes", maxAliasName)
	}
	err = s.changeGroups(ctx, func(tx storage.Tx, gs *groups) error {
		a, written, err = s.writeGroupAlias(tx, gs, c)
		return err
	})
	return a, written, err
}

func (s *Store) writeGroupAlias(tx storage.Tx, gs *groups, c GroupAliasChange) (*GroupAlias, bool, error) {
	var from *Group
	a := GroupAlias{ID: newID(), Created: tx.Now().UTC()}
	if c.ID != "" {
		if from = gs.byAliasID[c.ID]; from == nil {
			return nil, false, invalid("invalid group alias ID")
		}
		a = *from.Alias
	}
	if c.Name != "" {
		a.Name = c.Name
	}
	if c.MountAccessor != "" {
		a.MountAccessor = c.MountAccessor
	}
	if err := s.checkGroupAlias(gs, from, &a); err != nil {
		return nil, false, err
	}
	to, err := groupFor(gs, from, c.CanonicalID)
	if err != nil {
		return nil, false, err
	}
	if from != nil && from.ID == to.ID && a.Name == from.Alias.Name && a.MountAccessor == from.Alias.MountAccessor {
		return from.Alias, false, nil
	}
	if from != nil && from.ID != to.ID {
		old := from.clone()
		old.Alias = nil
		if err := touchGroup(tx, old); err != nil {
			return nil, false, err
		}
	}
	a.CanonicalID, a.Updated = to.ID, tx.Now().UTC()
	to.Alias = &a
	return &a, true, touchGroup(tx, to)
}

func touchGroup(tx storage.Tx, g *Group) error {
	g.ModifyIndex++
	g.Updated = tx.Now().UTC()
	if g.Created.IsZero() {
		g.Created = g.Updated
	}
	return putGroup(tx, g)
}

func (s *Store) checkGroupAlias(gs *groups, from *Group, a *GroupAlias) error {
	switch {
	case a.Name == "":
		return invalid("missing alias name")
	case a.MountAccessor == "":
		return invalid("missing mount_accessor")
	}
	if err := s.checkMount(a.MountAccessor); err != nil {
		return err
	}
	if other := gs.byAlias[aliasAt{a.MountAccessor, a.Name}]; other != nil && other != from {
		return invalid("combination of mount and group alias name is already in use")
	}
	return nil
}

// groupFor returns a copy of the group that an alias is to belong to. An alias
// that the group has already gives way.
func groupFor(gs *groups, from *Group, id string) (*Group, error) {
	switch {
	case id == "" && from != nil:
		return from.clone(), nil
	case id == "":
		g := &Group{ID: newID(), Type: External}
		g.Name = "group_" + g.ID[:shortID]
		return g, nil
	}
	g := gs.byID[id]
	switch {
	case g == nil:
		return nil, invalid("invalid group ID given in 'canonical_id'")
	case g.Type != External:
		return nil, invalid("alias can't be set on an internal group")
	}
	return g.clone(), nil
}

// DeleteGroupAlias removes the alias of an external group, and with it the
// group's members. An unknown id is no error.
func (s *Store) DeleteGroupAlias(ctx context.Context, id string) error {
	err := s.changeGroups(ctx, func(tx storage.Tx, gs *groups) error {
		g := gs.byAliasID[id]
		if g == nil {
			return nil
		}
		g = g.clone()
		g.Alias = nil
		return touchGroup(tx, g)
	})
	if err != nil || !isUUID(id) {
		return err
	}
	return s.dropMembers(ctx, id)
}

// dropMembers removes the list of members of a group alias that is gone. The
// aliases of the members still name it, which means nothing any more.
func (s *Store) dropMembers(ctx context.Context, groupAlias string) error {
	for {
		n := 0
		err := s.db.Update(ctx, func(tx storage.Tx) error {
			items, err := tx.Scan(memberKey(groupAlias, ""), nil, pageSize)
			if err != nil {
				return fmt.Errorf("identity: %w", err)
			}
			n = len(items)
			for _, it := range items {
				if err := tx.Delete(it.Key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || n < pageSize {
			return err
		}
	}
}

package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/identity"
)

func groupView(ctx context.Context, c *Call, g *identity.Group) (map[string]any, error) {
	members, err := c.Runtime.Identity.Members(ctx, g, maxListed)
	if err != nil {
		return nil, err
	}
	alias := map[string]any{}
	if g.Alias != nil {
		alias = groupAliasView(c, g.Alias)
	}
	return map[string]any{
		"id": g.ID, "name": g.Name, "type": g.Type, "policies": list(g.Policies), "metadata": g.Metadata,
		"member_entity_ids": list(members), "member_group_ids": list(g.MemberGroupIDs),
		"parent_group_ids": c.Runtime.Identity.ParentGroupIDs(g.ID), "alias": alias, "modify_index": g.ModifyIndex,
		"namespace_id": rootNamespace, "creation_time": stamp(g.Created), "last_update_time": stamp(g.Updated),
	}, nil
}

func groupAliasView(c *Call, a *identity.GroupAlias) map[string]any {
	return withMount(c, a.MountAccessor, map[string]any{
		"id": a.ID, "name": a.Name, "canonical_id": a.CanonicalID, "mount_accessor": a.MountAccessor,
		"metadata": nil, "merged_from_canonical_ids": nil,
		"creation_time": stamp(a.Created), "last_update_time": stamp(a.Updated),
	})
}

func groupWrite(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	ch := identity.GroupChange{
		ID: c.Param("id"), Type: c.String("type"), Metadata: c.KV("metadata"), Policies: c.List("policies"),
		MemberEntityIDs: c.List("member_entity_ids"), MemberGroupIDs: c.List("member_group_ids"),
	}
	if ch.ID == "" {
		ch.ID = c.String("id")
	}
	name := c.Param("name")
	if name == "" {
		name = c.String("name")
	}
	if name != "" {
		ch.Name = &name
	}
	g, created, err := c.Runtime.Identity.WriteGroup(ctx, ch)
	if err != nil || !created {
		return nil, err
	}
	return &Reply{Data: map[string]any{"id": g.ID, "name": g.Name}}, nil
}

func groupReply(ctx context.Context, c *Call, g *identity.Group) (*Reply, error) {
	if g == nil {
		return nil, errNotFound
	}
	d, err := groupView(ctx, c, g)
	if err != nil {
		return nil, err
	}
	return &Reply{Data: d}, nil
}

func groupRead(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return groupReply(ctx, c, c.Runtime.Identity.Group(c.Param("id")))
}

func groupReadName(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return groupReply(ctx, c, c.Runtime.Identity.GroupByName(c.Param("name")))
}

func groupDelete(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Identity.DeleteGroup(ctx, c.Param("id"))
}

func groupDeleteName(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	g := c.Runtime.Identity.GroupByName(c.Param("name"))
	if g == nil {
		return nil, nil
	}
	return nil, c.Runtime.Identity.DeleteGroup(ctx, g.ID)
}

func groupList(byID bool) Handler {
	return func(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
		var keys []string
		info := map[string]any{}
		for _, g := range c.Runtime.Identity.Groups() {
			members, err := c.Runtime.Identity.Members(ctx, g, maxListed)
			if err != nil {
				return nil, err
			}
			key, entry := g.ID, map[string]any{"name": g.Name}
			if !byID {
				key, entry = g.Name, map[string]any{"id": g.ID}
			}
			entry["num_member_entities"] = len(members)
			entry["num_parent_groups"] = len(c.Runtime.Identity.ParentGroupIDs(g.ID))
			keys = append(keys, key)
			info[key] = entry
		}
		return listedInfo(keys, info, nil)
	}
}

func groupAliasWrite(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	ch := identity.GroupAliasChange{
		ID: c.Param("id"), Name: c.String("name"), MountAccessor: c.String("mount_accessor"), CanonicalID: c.String("canonical_id"),
	}
	if ch.ID == "" {
		ch.ID = c.String("id")
	}
	a, written, err := c.Runtime.Identity.WriteGroupAlias(ctx, ch)
	if err != nil || !written {
		return nil, err
	}
	return &Reply{Data: map[string]any{"id": a.ID, "canonical_id": a.CanonicalID}}, nil
}

func groupAliasRead(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	g := c.Runtime.Identity.GroupByAliasID(c.Param("id"))
	if g == nil {
		return nil, errNotFound
	}
	v := groupAliasView(c, g.Alias)
	v["custom_metadata"], v["local"], v["namespace_id"] = nil, false, rootNamespace
	return &Reply{Data: v}, nil
}

func groupAliasDelete(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Identity.DeleteGroupAlias(ctx, c.Param("id"))
}

func groupAliasList(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	var keys []string
	info := map[string]any{}
	for _, g := range c.Runtime.Identity.Groups() {
		if g.Alias == nil {
			continue
		}
		keys = append(keys, g.Alias.ID)
		info[g.Alias.ID] = withMount(c, g.Alias.MountAccessor, map[string]any{
			"name": g.Alias.Name, "canonical_id": g.ID, "mount_accessor": g.Alias.MountAccessor,
		})
	}
	return listedInfo(keys, info, nil)
}

// query is what a lookup looks for: exactly one of the ways to name a thing.
type query struct{ id, name, aliasID, aliasName, accessor string }

func lookupQuery(c *Call) (q query, err error) {
	q = query{c.String("id"), c.String("name"), c.String("alias_id"), c.String("alias_name"), c.String("alias_mount_accessor")}
	n := 0
	for _, set := range []bool{q.id != "", q.name != "", q.aliasID != "", q.aliasName != "" || q.accessor != ""} {
		if set {
			n++
		}
	}
	switch {
	case n == 0:
		return q, fault.New(fault.Invalid, "query parameter not supplied")
	case n > 1:
		return q, fault.New(fault.Invalid, "query parameter conflict; please supply distinct set of query parameters")
	case (q.aliasName == "") != (q.accessor == ""):
		return q, fault.New(fault.Invalid, "both 'alias_name' and 'alias_mount_accessor' needs to be set")
	}
	return q, nil
}

// entityLookup answers with nothing if nothing is found.
func entityLookup(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	q, err := lookupQuery(c)
	if err != nil {
		return nil, err
	}
	var e *identity.Entity
	switch {
	case q.id != "":
		e, err = entityByID(ctx, c, q.id)
	case q.name != "":
		e, err = c.Runtime.Identity.EntityByName(ctx, q.name)
	case q.aliasID != "":
		e, err = c.Runtime.Identity.EntityByAliasID(ctx, q.aliasID)
	default:
		e, err = c.Runtime.Identity.EntityByAlias(ctx, q.accessor, q.aliasName)
	}
	if err != nil || e == nil {
		return nil, err
	}
	return entityReply(c, e, nil)
}

// groupLookup answers with nothing if nothing is found.
func groupLookup(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	q, err := lookupQuery(c)
	if err != nil {
		return nil, err
	}
	var g *identity.Group
	switch {
	case q.id != "":
		g = c.Runtime.Identity.Group(q.id)
	case q.name != "":
		g = c.Runtime.Identity.GroupByName(q.name)
	case q.aliasID != "":
		g = c.Runtime.Identity.GroupByAliasID(q.aliasID)
	default:
		g = c.Runtime.Identity.GroupByAlias(q.accessor, q.aliasName)
	}
	if g == nil {
		return nil, nil
	}
	return groupReply(ctx, c, g)
}

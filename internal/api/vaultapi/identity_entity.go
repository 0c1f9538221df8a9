package vaultapi

import (
	"context"
	"slices"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/identity"
)

// rootNamespace is the id of the only namespace.
const rootNamespace = "root"

func entityView(c *Call, e *identity.Entity) map[string]any {
	aliases := make([]any, len(e.Aliases))
	for i := range e.Aliases {
		aliases[i] = aliasView(c, &e.Aliases[i])
	}
	direct, inherited := c.Runtime.Identity.GroupIDs(e)
	return map[string]any{
		"id": e.ID, "name": e.Name, "metadata": e.Metadata, "policies": list(e.Policies), "disabled": e.Disabled,
		"aliases": aliases, "direct_group_ids": direct, "inherited_group_ids": inherited,
		"group_ids": list(slices.Concat(direct, inherited)), "merged_entity_ids": e.MergedIDs, "namespace_id": rootNamespace,
		"creation_time": stamp(e.Created), "last_update_time": stamp(e.Updated), "mfa_secrets": map[string]any{},
	}
}

func aliasView(c *Call, a *identity.Alias) map[string]any {
	return withMount(c, a.MountAccessor, map[string]any{
		"id": a.ID, "name": a.Name, "canonical_id": a.CanonicalID, "mount_accessor": a.MountAccessor,
		"local": c.Runtime.Identity.MountOf(a.MountAccessor).Local, "metadata": a.Metadata,
		"custom_metadata": a.CustomMetadata, "merged_from_canonical_ids": a.MergedFrom, "namespace_id": rootNamespace,
		"creation_time": stamp(a.Created), "last_update_time": stamp(a.Updated),
	})
}

// withMount adds where an alias's mount is and what it is. An alias outlives
// its mount, and then says neither.
func withMount(c *Call, accessor string, view map[string]any) map[string]any {
	if m := c.Runtime.Identity.MountOf(accessor); m.Path != "" {
		view["mount_path"], view["mount_type"] = m.Path, m.Type
	}
	return view
}

// entityWrite makes an entity or changes one. Making answers with its id,
// changing with nothing.
func entityWrite(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	ch := identity.EntityChange{ID: c.Param("id"), Metadata: c.KV("metadata"), Policies: c.List("policies")}
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
	if c.Has("disabled") {
		d := c.Bool("disabled")
		ch.Disabled = &d
	}
	e, created, err := c.Runtime.Identity.WriteEntity(ctx, ch)
	if err != nil || !created {
		return nil, err
	}
	return &Reply{Data: map[string]any{"id": e.ID, "name": e.Name, "aliases": nil}}, nil
}

func entityReply(c *Call, e *identity.Entity, err error) (*Reply, error) {
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, errNotFound
	}
	return &Reply{Data: entityView(c, e)}, nil
}

// entityByID returns the entity that has this id itself, not the one into which
// it was merged: policies speak of the id in the path.
func entityByID(ctx context.Context, c *Call, id string) (*identity.Entity, error) {
	e, err := c.Runtime.Identity.Entity(ctx, id)
	if err != nil || e == nil || e.ID != id {
		return nil, err
	}
	return e, nil
}

func entityRead(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	e, err := entityByID(ctx, c, c.Param("id"))
	return entityReply(c, e, err)
}

func entityReadName(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	e, err := c.Runtime.Identity.EntityByName(ctx, c.Param("name"))
	return entityReply(c, e, err)
}

func entityDelete(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Identity.DeleteEntity(ctx, c.Param("id"))
}

func entityDeleteName(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	e, err := c.Runtime.Identity.EntityByName(ctx, c.Param("name"))
	if err != nil || e == nil {
		return nil, err
	}
	return nil, c.Runtime.Identity.DeleteEntity(ctx, e.ID)
}

func entityBatchDelete(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	ids := c.List("entity_ids")
	if len(ids) == 0 {
		return nil, fault.New(fault.Invalid, "missing entity ids to delete")
	}
	for page := range slices.Chunk(ids, 256) {
		if err := c.Runtime.Identity.DeleteEntity(ctx, page...); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func entityMerge(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Identity.Merge(ctx, identity.MergeOptions{
		From: c.List("from_entity_ids"), To: c.String("to_entity_id"), KeepAliases: c.List("conflicting_alias_ids_to_keep"),
	})
}

// pageSize returns how many entries a list may have.
func pageSize(c *Call) int {
	if n := c.Int("limit"); n > 0 && n < maxListed {
		return int(n)
	}
	return maxListed
}

// entityList lists entities by id or by name. It stops at a bound, from which
// "after" goes on.
func entityList(byID bool) Handler {
	return func(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
		var keys []string
		info := map[string]any{}
		limit := pageSize(c)
		err := c.Runtime.Identity.Entities(ctx, c.String("after"), func(e *identity.Entity) bool {
			key, entry := e.ID, map[string]any{"name": e.Name}
			if !byID {
				key, entry = e.Name, map[string]any{"id": e.ID}
			}
			if len(e.Aliases) > 0 {
				entry["aliases"] = aliasInfo(c, e)
			}
			keys = append(keys, key)
			info[key] = entry
			return len(keys) < limit
		})
		return listedInfo(keys, info, err)
	}
}

// listedInfo is a list with something about each key.
func listedInfo(keys []string, info map[string]any, err error) (*Reply, error) {
	reply, err := listed(keys, err)
	if err == nil {
		reply.Data["key_info"] = info
		reply.Warnings = cutWarning(len(keys))
	}
	return reply, err
}

func aliasInfo(c *Call, e *identity.Entity) []any {
	out := make([]any, len(e.Aliases))
	for i, a := range e.Aliases {
		out[i] = withMount(c, a.MountAccessor, map[string]any{"id": a.ID, "name": a.Name, "mount_accessor": a.MountAccessor})
	}
	return out
}

// aliasWrite makes an alias or changes one. What is already as it should be
// answers with nothing.
func aliasWrite(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	ch := identity.AliasChange{
		ID: c.Param("id"), Name: c.String("name"), MountAccessor: c.String("mount_accessor"),
		CanonicalID: c.String("canonical_id"), CustomMetadata: c.KV("custom_metadata"),
	}
	if ch.ID == "" {
		ch.ID = c.String("id")
	}
	if ch.CanonicalID == "" {
		ch.CanonicalID = c.String("entity_id")
	}
	a, written, err := c.Runtime.Identity.WriteAlias(ctx, ch)
	if err != nil || !written {
		return nil, err
	}
	return &Reply{Data: map[string]any{"id": a.ID, "canonical_id": a.CanonicalID}}, nil
}

func aliasRead(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	a, err := c.Runtime.Identity.Alias(ctx, c.Param("id"))
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, errNotFound
	}
	return &Reply{Data: aliasView(c, a)}, nil
}

func aliasDelete(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Identity.DeleteAlias(ctx, c.Param("id"))
}

// aliasList lists aliases in order of their entities' ids.
func aliasList(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	var keys []string
	info := map[string]any{}
	limit := pageSize(c)
	after := c.String("after")
	if after != "" {
		a, err := c.Runtime.Identity.Alias(ctx, after)
		if err != nil {
			return nil, err
		}
		if a == nil {
			return nil, fault.New(fault.Invalid, "no alias has the id given in \"after\"")
		}
		after = a.CanonicalID
	}
	err := c.Runtime.Identity.Entities(ctx, after, func(e *identity.Entity) bool {
		for i := range e.Aliases {
			a := &e.Aliases[i]
			v := aliasView(c, a)
			for _, k := range []string{"id", "merged_from_canonical_ids", "namespace_id", "creation_time", "last_update_time"} {
				delete(v, k)
			}
			keys = append(keys, a.ID)
			info[a.ID] = v
		}
		return len(keys) < limit
	})
	return listedInfo(keys, info, err)
}

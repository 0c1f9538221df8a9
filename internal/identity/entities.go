package identity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

func invalid(format string, args ...any) error { return fault.Newf(fault.Invalid, format, args...) }

// EntityChange is a caller's wish for an entity. Nil fields stay as they are.
type EntityChange struct {
	ID       string // of the entity to change; "" = the one with Name, or a new one
	Name     *string
	Metadata map[string]string
	Policies []string
	Disabled *bool
}

// checkMetadata refuses metadata without bound.
func checkMetadata(m map[string]string) error {
	if len(m) > maxMetaEntries {
		return invalid("failed to parse metadata: payload must contain at most %d keys, provided %d", maxMetaEntries, len(m))
	}
	for k, v := range m {
		switch {
		case len(k) == 0 || len(k) > maxMetaKey:
			return invalid("failed to parse metadata: length of key %q is not between 1 and %d", clip(k), maxMetaKey)
		case len(v) > maxMetaValue:
			return invalid("failed to parse metadata: length of the value of key %q is %d but max allowed is %d", k, len(v), maxMetaValue)
		}
	}
	return nil
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

func checkName(name string) error {
	if len(name) > maxName {
		return invalid("name is longer than %d bytes", maxName)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return invalid("name holds a control character")
	}
	return nil
}

// WriteEntity changes an entity or makes one. created tells which. It fails
// with fault.Invalid: "entity not found from id", "entity name is already in
// use", "policies cannot contain root", and for metadata beyond its bounds.
func (s *Store) WriteEntity(ctx context.Context, c EntityChange) (e *Entity, created bool, err error) {
	if err := errors.Join(checkMetadata(c.Metadata), checkPolicies(c.Policies)); err != nil {
		return nil, false, err
	}
	if c.Name != nil {
		if err := checkName(*c.Name); err != nil {
			return nil, false, err
		}
	}
	err = s.db.Update(ctx, func(tx storage.Tx) error {
		e, created, err = s.writeEntity(tx, c)
		return err
	})
	return e, created, err
}

func (s *Store) writeEntity(tx storage.Tx, c EntityChange) (*Entity, bool, error) {
	e, err := s.target(tx, c)
	created := errors.Is(err, errAbsent)
	if created {
		e, err = s.newEntity(tx)
	}
	if err != nil {
		return nil, false, err
	}
	if c.Name != nil && *c.Name != "" && *c.Name != e.Name {
		if err := s.rename(tx, e, *c.Name); err != nil {
			return nil, false, err
		}
	}
	if c.Metadata != nil {
		e.Metadata = maps.Clone(c.Metadata)
	}
	if c.Policies != nil {
		e.Policies = slices.Clone(c.Policies)
	}
	if c.Disabled != nil {
		e.Disabled = *c.Disabled
	}
	return e, created, putEntity(tx, e)
}

// target returns the entity that a change is for, or errAbsent for a new one.
func (s *Store) target(tx storage.ReadTx, c EntityChange) (*Entity, error) {
	if c.ID != "" {
		e, err := s.entity(tx, c.ID)
		if errors.Is(err, errAbsent) {
			return nil, invalid("entity not found from id")
		}
		return e, err
	}
	if c.Name == nil || *c.Name == "" {
		return nil, errAbsent
	}
	return s.entityByName(tx, *c.Name)
}

// rename gives an entity another name. The name that is made of its own id
// needs no index entry.
func (s *Store) rename(tx storage.Tx, e *Entity, name string) error {
	other, err := s.entityByName(tx, name)
	if err == nil && other.ID != e.ID {
		return invalid("entity name is already in use")
	}
	if err != nil && !errors.Is(err, errAbsent) {
		return err
	}
	if err := s.dropName(tx, e); err != nil {
		return err
	}
	e.Name = name
	if fold(name) == defaultName(e.ID) {
		return nil
	}
	return tx.Put(s.nameKey(name), []byte(e.ID), time.Time{})
}

func (s *Store) dropName(tx storage.Tx, e *Entity) error {
	if fold(e.Name) == defaultName(e.ID) {
		return nil
	}
	return tx.Delete(s.nameKey(e.Name))
}

// find runs a search and turns nothing found into nil.
func find[T any](ctx context.Context, s *Store, search func(storage.ReadTx) (*T, error)) (v *T, err error) {
	err = s.db.View(ctx, func(tx storage.ReadTx) error {
		v, err = search(tx)
		return err
	})
	if errors.Is(err, errAbsent) {
		return nil, nil
	}
	return v, err
}

// Entity returns an entity by id, following merges; nil if there is none.
func (s *Store) Entity(ctx context.Context, id string) (*Entity, error) {
	return find(ctx, s, func(tx storage.ReadTx) (*Entity, error) { return s.current(tx, id) })
}

// EntityByName returns an entity by name, without regard to case; nil if there
// is none.
func (s *Store) EntityByName(ctx context.Context, name string) (*Entity, error) {
	return find(ctx, s, func(tx storage.ReadTx) (*Entity, error) { return s.entityByName(tx, name) })
}

// EntityByAlias returns an entity by the name that a mount knows it by; nil if
// there is none.
func (s *Store) EntityByAlias(ctx context.Context, mountAccessor, name string) (*Entity, error) {
	return find(ctx, s, func(tx storage.ReadTx) (*Entity, error) {
		e, _, err := s.entityByAlias(tx, mountAccessor, name)
		return e, err
	})
}

// EntityByAliasID returns an entity by the id of one of its aliases; nil if
// there is none.
func (s *Store) EntityByAliasID(ctx context.Context, id string) (*Entity, error) {
	return find(ctx, s, func(tx storage.ReadTx) (*Entity, error) {
		e, _, err := s.entityByAliasID(tx, id)
		return e, err
	})
}

// GroupIDs returns the ids of the groups that an entity is a member of, and of
// those that it inherits from.
func (s *Store) GroupIDs(e *Entity) (direct, inherited []string) {
	d, i := s.groupsOf(e)
	return ids(d), ids(i)
}

func ids(list []*Group) []string {
	out := make([]string, len(list))
	for i, g := range list {
		out[i] = g.ID
	}
	slices.Sort(out)
	return out
}

// DeleteEntity removes entities with their aliases and memberships. Tokens of
// the entity are denied from then on. Unknown ids are no error.
func (s *Store) DeleteEntity(ctx context.Context, ids ...string) error {
	touched := false
	err := s.db.Update(ctx, func(tx storage.Tx) error {
		gone := map[string]string{}
		for _, id := range ids {
			e, err := s.entity(tx, id)
			if errors.Is(err, errAbsent) {
				continue
			}
			if err != nil {
				return err
			}
			if err := s.deleteEntity(tx, e); err != nil {
				return err
			}
			gone[e.ID] = ""
		}
		var err error
		touched, err = replaceMembers(tx, gone)
		return err
	})
	if err == nil && touched {
		err = s.Reload(ctx)
	}
	return err
}

func (s *Store) deleteEntity(tx storage.Tx, e *Entity) error {
	for i := range e.Aliases {
		if err := s.deleteAliasKeys(tx, e, &e.Aliases[i]); err != nil {
			return err
		}
	}
	for _, id := range e.MergedIDs {
		if err := tx.Delete([]byte(mergedPrefix + id)); err != nil {
			return err
		}
	}
	if err := s.dropName(tx, e); err != nil {
		return err
	}
	return tx.Delete([]byte(entityPrefix + e.ID))
}

// deleteAliasKeys removes everything that points to an alias.
func (s *Store) deleteAliasKeys(tx storage.Tx, e *Entity, a *Alias) error {
	if err := tx.Delete(s.aliasKey(a.MountAccessor, a.Name)); err != nil {
		return err
	}
	if err := tx.Delete([]byte(aliasIDPrefix + a.ID)); err != nil {
		return err
	}
	return s.moveMember(tx, e.ID, a.groups, nil)
}

// Entities calls visit for each entity in order of ids, from the one behind
// the id afterID on, until it returns false.
func (s *Store) Entities(ctx context.Context, afterID string, visit func(*Entity) bool) error {
	var after []byte
	if afterID != "" && len(afterID) <= maxName {
		after = []byte(entityPrefix + afterID)
	}
	for more := true; more; {
		var page []*Entity
		err := s.db.View(ctx, func(tx storage.ReadTx) error {
			items, err := tx.Scan([]byte(entityPrefix), after, pageSize)
			if err != nil {
				return fmt.Errorf("identity: list entities: %w", err)
			}
			page, more = make([]*Entity, len(items)), len(items) == pageSize
			for i, it := range items {
				if page[i], err = decodeEntity(string(it.Key[len(entityPrefix):]), it.Value); err != nil {
					return fmt.Errorf("identity: %w", err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, e := range page {
			after = []byte(entityPrefix + e.ID)
			if !visit(e) {
				return nil
			}
		}
	}
	return nil
}

// MergeOptions describes a merge of entities into one.
type MergeOptions struct {
	From []string
	To   string
	// KeepAliases are ids of aliases to keep where both sides have an alias on
	// the same mount; the other one is deleted.
	KeepAliases []string
}

// Merge moves the aliases and memberships of entities to another one and
// deletes them. Their ids lead to the other entity from then on, so tokens
// that were issued to them keep working. Policies and metadata are not moved.
func (s *Store) Merge(ctx context.Context, o MergeOptions) error {
	if len(o.From) == 0 {
		return invalid("missing entity ids to merge from")
	}
	if o.To == "" {
		return invalid("missing entity id to merge to")
	}
	if slices.Contains(o.From, o.To) {
		return invalid("to_entity_id should not be present in from_entity_ids")
	}
	if len(o.From) > maxAliases {
		return invalid("more than %d entities to merge from", maxAliases)
	}
	err := s.db.Update(ctx, func(tx storage.Tx) error {
		to, err := s.entity(tx, o.To)
		if errors.Is(err, errAbsent) {
			return invalid("entity id to merge to is invalid")
		}
		if err != nil {
			return err
		}
		moved := map[string]string{}
		for _, id := range o.From {
			if err := s.mergeOne(tx, to, id, o.KeepAliases); err != nil {
				return err
			}
			moved[id] = to.ID
		}
		if _, err := replaceMembers(tx, moved); err != nil {
			return err
		}
		return putEntity(tx, to)
	})
	if err != nil {
		return err
	}
	return s.Reload(ctx)
}

func (s *Store) mergeOne(tx storage.Tx, to *Entity, id string, keep []string) error {
	from, err := s.entity(tx, id)
	if errors.Is(err, errAbsent) {
		return invalid("entity id to merge from is invalid")
	}
	if err != nil {
		return err
	}
	for i := range from.Aliases {
		if err := s.mergeAlias(tx, to, from, from.Aliases[i], keep); err != nil {
			return err
		}
	}
	moved := append(slices.Clone(from.MergedIDs), from.ID)
	from.Aliases, from.MergedIDs = nil, nil
	if err := s.deleteEntity(tx, from); err != nil {
		return err
	}
	for _, old := range moved {
		if err := tx.Put([]byte(mergedPrefix+old), []byte(to.ID), time.Time{}); err != nil {
			return err
		}
	}
	to.MergedIDs = append(to.MergedIDs, moved...)
	return nil
}

// mergeAlias moves one alias, or drops one of two on the same mount.
func (s *Store) mergeAlias(tx storage.Tx, to, from *Entity, a Alias, keep []string) error {
	if has := to.alias(a.MountAccessor); has != nil {
		switch {
		case slices.Contains(keep, has.ID):
			return s.deleteAliasKeys(tx, from, &a)
		case slices.Contains(keep, a.ID):
			old := *has
			if err := s.deleteAliasKeys(tx, to, &old); err != nil {
				return err
			}
			to.dropAlias(old.ID)
		default:
			return invalid("conflicting mount accessors in following alias IDs and neither were present in conflicting_alias_ids_to_keep: [%s %s]", has.ID, a.ID)
		}
	}
	if err := s.moveMember(tx, from.ID, a.groups, nil); err != nil {
		return err
	}
	if err := s.moveMember(tx, to.ID, nil, a.groups); err != nil {
		return err
	}
	a.CanonicalID, a.MergedFrom = to.ID, append(slices.Clone(a.MergedFrom), from.ID)
	to.Aliases = append(to.Aliases, a)
	return s.putAliasKeys(tx, to, &a)
}

// putAliasKeys writes what points to an alias.
func (s *Store) putAliasKeys(tx storage.Tx, e *Entity, a *Alias) error {
	if err := tx.Put(s.aliasKey(a.MountAccessor, a.Name), []byte(e.ID), time.Time{}); err != nil {
		return err
	}
	if owner, derived := entityOfFirst(a.ID); derived && owner == e.ID {
		return nil
	}
	return tx.Put([]byte(aliasIDPrefix+a.ID), []byte(e.ID), time.Time{})
}

// replaceMembers puts entities in the places of others in all internal groups,
// or takes them out for "". It looks at each group once, however many there
// are to replace.
func replaceMembers(tx storage.Tx, by map[string]string) (changed bool, err error) {
	gs, err := loadGroups(tx)
	if err != nil {
		return false, err
	}
	touched := map[string]bool{}
	for from := range by {
		for _, g := range gs.ofEntity[from] {
			touched[g.ID] = true
		}
	}
	for id := range touched {
		g := gs.byID[id].clone()
		members := make([]string, 0, len(g.MemberEntityIDs))
		for _, m := range g.MemberEntityIDs {
			to, replaced := by[m]
			if !replaced {
				to = m
			}
			if to != "" {
				members = append(members, to)
			}
		}
		g.MemberEntityIDs = unique(members)
		if err := touchGroup(tx, g); err != nil {
			return false, err
		}
	}
	return len(touched) > 0, nil
}

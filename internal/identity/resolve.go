package identity

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Login is what an auth method learned of a caller.
type Login struct {
	MountAccessor string
	AliasName     string
	Metadata      map[string]string
	// Groups are the names of the caller's groups at the identity provider.
	// Those that are no group alias of this mount are ignored.
	Groups []string
}

// EntityRef is the entity behind a login.
type EntityRef struct {
	ID       string
	Policies []string // of the entity and its groups, sorted
	Created  bool     // the entity was made by this login

	merged []string // entities that were merged into it
}

// Is reports whether an id leads to the entity: its own, or that of one that
// was merged into it.
func (r EntityRef) Is(id string) bool {
	return id != "" && (r.ID == id || slices.Contains(r.merged, id))
}

// Resolve returns the entity behind a login, in the login's own transaction.
// An alias that nobody knows gets a new entity. The alias takes over the
// metadata and the groups of this login; when nothing changes, tx is only read
// from.
//
// It fails with fault.Invalid for an empty or overlong alias name, and with
// fault.Denied for a disabled entity.
func (s *Store) Resolve(tx storage.Tx, l Login) (EntityRef, error) {
	e, a, err := s.known(tx, l)
	created := errors.Is(err, errAbsent)
	switch {
	case created:
		if e, err = s.newEntity(tx); err != nil {
			return EntityRef{}, err
		}
		e.Aliases = []Alias{{
			ID: firstAliasID(e.ID), CanonicalID: e.ID, Name: l.AliasName, MountAccessor: l.MountAccessor, Created: e.Created,
		}}
		a = &e.Aliases[0]
		if err := tx.Put(s.aliasKey(l.MountAccessor, l.AliasName), []byte(e.ID), time.Time{}); err != nil {
			return EntityRef{}, fmt.Errorf("identity: %w", err)
		}
	case err != nil:
		return EntityRef{}, err
	}
	wanted := s.namedGroups(l)
	if created || !s.upToDate(a, l, wanted) {
		if err := s.moveMember(tx, e.ID, a.groups, wanted); err != nil {
			return EntityRef{}, err
		}
		a.Metadata, a.groups, a.Updated = maps.Clone(l.Metadata), wanted, tx.Now().UTC()
		if err := putEntity(tx, e); err != nil {
			return EntityRef{}, fmt.Errorf("identity: %w", err)
		}
	}
	return EntityRef{ID: e.ID, Policies: s.policies(e), Created: created, merged: e.MergedIDs}, nil
}

// known returns the entity and alias of a login, or errAbsent.
func (s *Store) known(tx storage.ReadTx, l Login) (*Entity, *Alias, error) {
	switch {
	case l.AliasName == "":
		return nil, nil, fault.New(fault.Invalid, "missing name in alias")
	case len(l.AliasName) > maxAliasName:
		return nil, nil, fault.Newf(fault.Invalid, "alias name is longer than %d bytes", maxAliasName)
	}
	e, a, err := s.entityByAlias(tx, l.MountAccessor, l.AliasName)
	if err == nil && e.Disabled {
		return nil, nil, errDisabled
	}
	return e, a, err
}

func (s *Store) upToDate(a *Alias, l Login, wanted []string) bool {
	return maps.Equal(a.Metadata, l.Metadata) && slices.Equal(a.groups, wanted)
}

// namedGroups returns the ids of the group aliases that a login names, sorted.
func (s *Store) namedGroups(l Login) []string {
	gs := s.groups.Load()
	if len(gs.byAlias) == 0 {
		return nil
	}
	var ids []string
	for _, n := range l.Groups {
		if g := gs.byAlias[aliasAt{l.MountAccessor, n}]; g != nil {
			ids = append(ids, g.Alias.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func memberKey(groupAlias, entity string) []byte {
	return []byte(memberPrefix + groupAlias + "/" + entity)
}

// moveMember keeps the list of members of external groups, which only the
// reading of a group needs.
func (s *Store) moveMember(tx storage.Tx, entity string, from, to []string) error {
	for _, id := range from {
		if !slices.Contains(to, id) {
			if err := tx.Delete(memberKey(id, entity)); err != nil {
				return fmt.Errorf("identity: %w", err)
			}
		}
	}
	for _, id := range to {
		if !slices.Contains(from, id) {
			if err := tx.Put(memberKey(id, entity), []byte{1}, time.Time{}); err != nil {
				return fmt.Errorf("identity: %w", err)
			}
		}
	}
	return nil
}

// newEntity returns an entity with a fresh id and the name made of it. It is
// not stored yet.
func (s *Store) newEntity(tx storage.ReadTx) (*Entity, error) {
	for range 16 {
		id := newID()
		_, err := s.entityByName(tx, defaultName(id))
		if err == nil {
			continue
		}
		if !errors.Is(err, errAbsent) {
			return nil, err
		}
		now := tx.Now().UTC()
		return &Entity{ID: id, Name: defaultName(id), Created: now, Updated: now}, nil
	}
	return nil, errors.New("identity: no free entity id found")
}

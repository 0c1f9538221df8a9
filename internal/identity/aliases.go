package identity

import (
	"context"
	"errors"
	"maps"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// AliasChange is a caller's wish for an alias. Empty fields and nil maps stay
// as they are.
type AliasChange struct {
	ID             string // of the alias to change
	Name           string
	MountAccessor  string
	CanonicalID    string // entity to belong to
	CustomMetadata map[string]string
}

// checkMount refuses accessors of no mount and of local mounts.
func (s *Store) checkMount(accessor string) error {
	m, ok := s.mounts(accessor)
	switch {
	case !ok:
		return invalid("invalid mount accessor %q", clip(accessor))
	case m.Local:
		return invalid("mount accessor %q is a local mount", clip(accessor))
	}
	return nil
}

// WriteAlias changes an alias, or makes one and, if no entity is given, an
// entity for it. written is false if the alias was already as it is wished. It
// fails with fault.Invalid and the reference's texts.
func (s *Store) WriteAlias(ctx context.Context, c AliasChange) (a *Alias, written bool, err error) {
	if c.ID == "" && (c.Name == "" || c.MountAccessor == "") {
		return nil, false, invalid("'id' or 'mount_accessor' and 'name' must be provided")
	}
	if len(c.Name) > maxAliasName {
		return nil, false, invalid("alias name is longer than %d bytes", maxAliasName)
	}
	if c.MountAccessor != "" {
		if err := s.checkMount(c.MountAccessor); err != nil {
			return nil, false, err
		}
	}
	if err := checkMetadata(c.CustomMetadata); err != nil {
		return nil, false, err
	}
	err = s.db.Update(ctx, func(tx storage.Tx) error {
		a, written, err = s.writeAlias(tx, c)
		return err
	})
	return a, written, err
}

func (s *Store) writeAlias(tx storage.Tx, c AliasChange) (*Alias, bool, error) {
	if c.ID != "" {
		e, a, err := s.entityByAliasID(tx, c.ID)
		if errors.Is(err, errAbsent) {
			return nil, false, invalid("invalid alias ID provided")
		}
		if err != nil {
			return nil, false, err
		}
		return s.changeAlias(tx, e, a, c)
	}
	e, a, err := s.entityByAlias(tx, c.MountAccessor, c.Name)
	if err == nil {
		return s.changeAlias(tx, e, a, c)
	}
	if !errors.Is(err, errAbsent) {
		return nil, false, err
	}
	a, err = s.newAlias(tx, c)
	return a, true, err
}

// owner returns the entity that a new or moved alias is to belong to.
func (s *Store) owner(tx storage.ReadTx, id string) (*Entity, error) {
	e, err := s.entity(tx, id)
	if errors.Is(err, errAbsent) {
		return nil, invalid("invalid canonical ID")
	}
	return e, err
}

func (s *Store) newAlias(tx storage.Tx, c AliasChange) (*Alias, error) {
	var e *Entity
	var err error
	a := Alias{ID: newID()}
	if c.CanonicalID != "" {
		e, err = s.owner(tx, c.CanonicalID)
	} else if e, err = s.newEntity(tx); err == nil {
		a.ID = firstAliasID(e.ID)
	}
	if err != nil {
		return nil, err
	}
	if err := roomFor(e, c.MountAccessor); err != nil {
		return nil, err
	}
	now := tx.Now().UTC()
	a.CanonicalID, a.Name, a.MountAccessor = e.ID, c.Name, c.MountAccessor
	a.CustomMetadata, a.Created, a.Updated = maps.Clone(c.CustomMetadata), now, now
	e.Aliases = append(e.Aliases, a)
	if err := s.putAliasKeys(tx, e, &a); err != nil {
		return nil, err
	}
	return &a, putEntity(tx, e)
}

func roomFor(e *Entity, mountAccessor string) error {
	if e.alias(mountAccessor) != nil {
		return fault.New(fault.Invalid, "Alias already exists for requested entity and mount accessor")
	}
	if len(e.Aliases) >= maxAliases {
		return invalid("entity has %d aliases already", maxAliases)
	}
	return nil
}

// changeAlias renames an alias, moves it to another mount or entity, or
// changes its custom metadata. It tells whether there was anything to change.
func (s *Store) changeAlias(tx storage.Tx, e *Entity, old *Alias, c AliasChange) (*Alias, bool, error) {
	a, err := s.changed(tx, old, c)
	if err != nil {
		return nil, false, err
	}
	to := e
	if c.CanonicalID != "" && c.CanonicalID != e.ID {
		if to, err = s.owner(tx, c.CanonicalID); err != nil {
			return nil, false, err
		}
	}
	if to == e && a.Name == old.Name && a.MountAccessor == old.MountAccessor && maps.Equal(a.CustomMetadata, old.CustomMetadata) {
		return old, false, nil
	}
	if err := s.moveAlias(tx, e, to, old, &a); err != nil {
		return nil, false, err
	}
	return &a, true, nil
}

// moveAlias writes the changed alias to the entity that it is to belong to.
func (s *Store) moveAlias(tx storage.Tx, e, to *Entity, old, a *Alias) error {
	if err := s.deleteAliasKeys(tx, e, old); err != nil {
		return err
	}
	e.dropAlias(a.ID)
	if to != e {
		if err := putEntity(tx, e); err != nil {
			return err
		}
	}
	if err := roomFor(to, a.MountAccessor); err != nil {
		return err
	}
	a.CanonicalID, a.Updated = to.ID, tx.Now().UTC()
	to.Aliases = append(to.Aliases, *a)
	if err := s.moveMember(tx, to.ID, nil, a.groups); err != nil {
		return err
	}
	if err := s.putAliasKeys(tx, to, a); err != nil {
		return err
	}
	return putEntity(tx, to)
}

// changed returns the alias with its new name, mount and custom metadata, and
// refuses a name that another alias has.
func (s *Store) changed(tx storage.ReadTx, old *Alias, c AliasChange) (Alias, error) {
	a := *old
	if c.Name != "" {
		a.Name = c.Name
	}
	if c.MountAccessor != "" {
		a.MountAccessor = c.MountAccessor
	}
	if c.CustomMetadata != nil {
		a.CustomMetadata = maps.Clone(c.CustomMetadata)
	}
	if a.Name == old.Name && a.MountAccessor == old.MountAccessor {
		return a, nil
	}
	a.groups, a.Metadata = nil, nil // of a login of another subject
	_, _, err := s.entityByAlias(tx, a.MountAccessor, a.Name)
	switch {
	case err == nil:
		return a, invalid("alias with combination of mount accessor and name already exists")
	case !errors.Is(err, errAbsent):
		return a, err
	}
	return a, nil
}

// Alias returns an alias by id; nil if there is none.
func (s *Store) Alias(ctx context.Context, id string) (*Alias, error) {
	return find(ctx, s, func(tx storage.ReadTx) (*Alias, error) {
		_, a, err := s.entityByAliasID(tx, id)
		return a, err
	})
}

// DeleteAlias removes an alias; the entity stays. An unknown id is no error.
func (s *Store) DeleteAlias(ctx context.Context, id string) error {
	err := s.db.Update(ctx, func(tx storage.Tx) error {
		e, a, err := s.entityByAliasID(tx, id)
		if err != nil {
			return err
		}
		if err := s.deleteAliasKeys(tx, e, a); err != nil {
			return err
		}
		e.dropAlias(id)
		return putEntity(tx, e)
	})
	if errors.Is(err, errAbsent) {
		return nil
	}
	return err
}

// EnsureAlias returns the entity of an alias on a mount and makes both if the
// alias is unknown. It fails with fault.Denied for a disabled entity.
func (s *Store) EnsureAlias(tx storage.Tx, mountAccessor, name string) (entityID string, err error) {
	e, _, err := s.known(tx, Login{MountAccessor: mountAccessor, AliasName: name})
	if err == nil {
		return e.ID, nil
	}
	if !errors.Is(err, errAbsent) {
		return "", err
	}
	a, err := s.newAlias(tx, AliasChange{Name: name, MountAccessor: mountAccessor})
	if err != nil {
		return "", err
	}
	return a.CanonicalID, nil
}

// MountOf returns the mount of an alias as it is now; the zero Mount if it is
// gone.
func (s *Store) MountOf(accessor string) Mount {
	m, _ := s.mounts(accessor)
	return m
}

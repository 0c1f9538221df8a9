package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy/acl"
	"github.com/jotgate/jotgate/internal/storage"
)

// Keys makes names that must not show in storage keys. *seal.Keyring does.
type Keys interface {
	HMAC(purpose string, data []byte) []byte
}

// Mount is what identity needs to know of an auth mount.
type Mount struct {
	Path  string // "auth/jwt/"
	Type  string
	Local bool
}

// Options configures a Store.
type Options struct {
	Storage storage.Store
	Keys    Keys
	// Mounts returns the auth mount with this accessor.
	Mounts func(accessor string) (Mount, bool)
	// Logger takes failures to load groups in the background; nil discards.
	Logger *slog.Logger
}

// Store keeps entities, aliases and groups. It is safe for concurrent use.
type Store struct {
	db     storage.Store
	keys   Keys
	mounts func(string) (Mount, bool)
	log    *slog.Logger

	groups atomic.Pointer[groups]
	reload sync.Mutex
	stop   func()
}

// Limits of what is stored.
const (
	maxName        = 512 // bytes of a name of an entity, group or policy
	maxAliasName   = 4096
	maxPolicies    = 1024
	maxMembers     = 65536
	maxAliases     = 1024 // per entity
	maxMetaEntries = 64
	maxMetaKey     = 128
	maxMetaValue   = 512
	pageSize       = 512
)

// Storage names.
const (
	entityPrefix  = "identity/entity/"      // + id → Entity
	namePrefix    = "identity/entity-name/" // + HMAC of the folded name → id
	aliasPrefix   = "identity/alias/"       // + HMAC of accessor and name → entity id
	aliasIDPrefix = "identity/alias-id/"    // + alias id → entity id
	mergedPrefix  = "identity/merged/"      // + id → id of the entity it was merged into
	groupPrefix   = "identity/group/"       // + id → Group
	memberPrefix  = "identity/member/"      // + group alias id + "/" + entity id → nothing
)

// Open loads the groups and keeps them current until Close.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{db: o.Storage, keys: o.Keys, mounts: o.Mounts, log: o.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.mounts == nil {
		s.mounts = func(string) (Mount, bool) { return Mount{}, false }
	}
	if err := s.Reload(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unfollow := storage.Follow(o.Storage, []byte(groupPrefix), func() error {
		err := s.Reload(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("identity: groups could not be reloaded; the old ones stay in force", "error", err)
		}
		return err
	})
	s.stop = sync.OnceFunc(func() {
		cancel()
		unfollow()
	})
	return s, nil
}

// Close stops following changes. The store must not be used afterwards.
func (s *Store) Close() { s.stop() }

// Reload reads the groups anew.
func (s *Store) Reload(ctx context.Context) error {
	s.reload.Lock()
	defer s.reload.Unlock()
	var gs *groups
	err := s.db.View(ctx, func(tx storage.ReadTx) (err error) {
		gs, err = loadGroups(tx)
		return err
	})
	if err != nil {
		return err
	}
	s.groups.Store(gs)
	return nil
}

// errAbsent is what the internal searches return for nothing found.
var errAbsent = errors.New("identity: not found")

func get(tx storage.ReadTx, key []byte) ([]byte, error) {
	b, err := tx.Get(key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, errAbsent
	}
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return b, nil
}

// entity returns an entity by id or errAbsent.
func (s *Store) entity(tx storage.ReadTx, id string) (*Entity, error) {
	if !isUUID(id) {
		return nil, errAbsent
	}
	b, err := get(tx, []byte(entityPrefix+id))
	if err != nil {
		return nil, err
	}
	e, err := decodeEntity(id, b)
	if err != nil {
		return nil, fmt.Errorf("identity: entity %s: %w", id, err)
	}
	return e, nil
}

// current is entity that also follows merges.
func (s *Store) current(tx storage.ReadTx, id string) (*Entity, error) {
	e, err := s.entity(tx, id)
	for hops := 0; errors.Is(err, errAbsent) && isUUID(id) && hops < 16; hops++ {
		var b []byte
		if b, err = get(tx, []byte(mergedPrefix+id)); err != nil {
			return nil, err
		}
		id = string(b)
		e, err = s.entity(tx, id)
	}
	return e, err
}

func (s *Store) hmacKey(prefix, purpose string, parts ...string) []byte {
	var data []byte
	for _, p := range parts {
		data = append(append(data, p...), 0)
	}
	return append([]byte(prefix), s.keys.HMAC(purpose, data)[:20]...)
}

func (s *Store) nameKey(name string) []byte {
	return s.hmacKey(namePrefix, "identity-entity-name", fold(name))
}

// aliasKey has the accessor first; it holds no zero byte, so two pairs never
// give the same data.
func (s *Store) aliasKey(mountAccessor, name string) []byte {
	return s.hmacKey(aliasPrefix, "identity-alias", mountAccessor, name)
}

// entityByName returns the entity with a name, without regard to case.
func (s *Store) entityByName(tx storage.ReadTx, name string) (*Entity, error) {
	b, err := get(tx, s.nameKey(name))
	if err == nil {
		return s.entity(tx, string(b))
	}
	short, ok := cutDefaultName(fold(name))
	if !errors.Is(err, errAbsent) || !ok {
		return nil, err
	}
	items, err := tx.Scan([]byte(entityPrefix+short), nil, 4)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	for _, it := range items {
		e, err := decodeEntity(string(it.Key[len(entityPrefix):]), it.Value)
		if err != nil {
			return nil, fmt.Errorf("identity: %w", err)
		}
		if fold(e.Name) == fold(name) {
			return e, nil
		}
	}
	return nil, errAbsent
}

// cutDefaultName returns the part of an id that a default name is made of.
func cutDefaultName(name string) (short string, ok bool) {
	if len(name) != len(defaultNamePrefix)+shortID || name[:len(defaultNamePrefix)] != defaultNamePrefix {
		return "", false
	}
	short = name[len(defaultNamePrefix):]
	return short, isUUID(short + "-0000-0000-0000-000000000000")
}

// entityByAlias returns the entity with this alias on a mount.
func (s *Store) entityByAlias(tx storage.ReadTx, mountAccessor, name string) (*Entity, *Alias, error) {
	b, err := get(tx, s.aliasKey(mountAccessor, name))
	if err != nil {
		return nil, nil, err
	}
	e, err := s.entity(tx, string(b))
	if err != nil {
		return nil, nil, err
	}
	a := e.alias(mountAccessor)
	if a == nil || a.Name != name {
		return nil, nil, errAbsent
	}
	return e, a, nil
}

// entityByAliasID returns the entity that has an alias with this id.
func (s *Store) entityByAliasID(tx storage.ReadTx, id string) (*Entity, *Alias, error) {
	if !isUUID(id) {
		return nil, nil, errAbsent
	}
	owner, derived := entityOfFirst(id)
	b, err := get(tx, []byte(aliasIDPrefix+id))
	switch {
	case err == nil:
		owner = string(b)
	case !errors.Is(err, errAbsent) || !derived:
		return nil, nil, err
	}
	e, err := s.entity(tx, owner)
	if err != nil {
		return nil, nil, err
	}
	a := e.aliasByID(id)
	if a == nil {
		return nil, nil, errAbsent
	}
	return e, a, nil
}

// EntityPolicies returns the policies of an entity and of all its groups as
// they are now, sorted. A disabled or missing entity is fault.Denied.
func (s *Store) EntityPolicies(tx storage.ReadTx, entityID string) ([]string, error) {
	e, err := s.current(tx, entityID)
	if errors.Is(err, errAbsent) {
		return nil, fault.New(fault.Denied, "permission denied").WithReason("entity_missing")
	}
	if err != nil {
		return nil, err
	}
	if e.Disabled {
		return nil, errDisabled
	}
	return s.policies(e), nil
}

var errDisabled = fault.New(fault.Denied, "permission denied").WithReason("entity_disabled")

func (s *Store) policies(e *Entity) []string {
	list := cleanPolicies(e.Policies)
	gs := s.groups.Load()
	gs.direct(e, func(g *Group) { list = append(list, gs.closure[g.ID].policies...) })
	if len(list) == 0 {
		return nil
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// TemplateData returns what policy templates may use of an entity. The zero
// value, without an error, is the answer for "" and for an entity that does
// not exist.
func (s *Store) TemplateData(ctx context.Context, entityID string) (d acl.TemplateData, err error) {
	if entityID == "" {
		return d, nil
	}
	err = s.db.View(ctx, func(tx storage.ReadTx) error {
		e, err := s.current(tx, entityID)
		if errors.Is(err, errAbsent) {
			return nil
		}
		if err == nil {
			d = s.templateData(e)
		}
		return err
	})
	return d, err
}

func (s *Store) templateData(e *Entity) acl.TemplateData {
	d := acl.TemplateData{
		EntityID: e.ID, EntityName: e.Name, EntityMetadata: e.Metadata, Aliases: map[string]acl.Alias{},
	}
	for _, a := range e.Aliases {
		d.Aliases[a.MountAccessor] = acl.Alias{ID: a.ID, Name: a.Name, Metadata: a.Metadata, CustomMetadata: a.CustomMetadata}
	}
	direct, inherited := s.groupsOf(e)
	for _, g := range slices.Concat(direct, inherited) {
		d.Groups = append(d.Groups, acl.Group{ID: g.ID, Name: g.Name, Metadata: g.Metadata})
	}
	return d
}

// groupsOf returns the groups that an entity is a member of, and those above.
func (s *Store) groupsOf(e *Entity) (direct, inherited []*Group) {
	gs := s.groups.Load()
	seen := map[string]bool{}
	gs.direct(e, func(g *Group) {
		if !seen[g.ID] {
			seen[g.ID] = true
			direct = append(direct, g)
		}
	})
	for _, g := range direct {
		for _, up := range gs.closure[g.ID].groups {
			if !seen[up.ID] {
				seen[up.ID] = true
				inherited = append(inherited, up)
			}
		}
	}
	return direct, inherited
}

func putEntity(tx storage.Tx, e *Entity) error {
	e.Updated = tx.Now().UTC()
	return tx.Put([]byte(entityPrefix+e.ID), e.encode(), time.Time{})
}

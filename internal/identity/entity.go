package identity

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/storage/record"
)

// Entity is somebody, known to auth mounts by one alias each.
type Entity struct {
	ID        string
	Name      string // unique without regard to case
	Metadata  map[string]string
	Policies  []string // as written
	Disabled  bool
	Aliases   []Alias
	MergedIDs []string // entities that were merged into this one
	Created   time.Time
	Updated   time.Time
}

// Alias is the name by which one auth mount knows an entity.
type Alias struct {
	ID             string
	CanonicalID    string // the entity
	Name           string // compared byte by byte
	MountAccessor  string
	Metadata       map[string]string // of the last login
	CustomMetadata map[string]string // of the operator
	MergedFrom     []string
	Created        time.Time
	Updated        time.Time

	groups []string // ids of the group aliases that the last login named
}

const entityVersion = 1

func (e *Entity) encode() []byte {
	w := record.NewWriter(entityVersion, 512)
	var disabled uint64
	if e.Disabled {
		disabled = 1
	}
	w.Uint(disabled)
	w.Text(e.Name)
	w.Texts(e.Policies)
	w.Map(e.Metadata)
	w.Texts(e.MergedIDs)
	w.Time(e.Created)
	w.Time(e.Updated)
	w.Uint(uint64(len(e.Aliases)))
	for i := range e.Aliases {
		a := &e.Aliases[i]
		w.Text(a.ID)
		w.Text(a.Name)
		w.Text(a.MountAccessor)
		w.Map(a.Metadata)
		w.Map(a.CustomMetadata)
		w.Texts(a.MergedFrom)
		w.Texts(a.groups)
		w.Time(a.Created)
		w.Time(a.Updated)
	}
	return w.Bytes()
}

func decodeEntity(id string, b []byte) (*Entity, error) {
	v, r := record.NewReader(b)
	if v != entityVersion {
		return nil, record.ErrDamaged
	}
	e := &Entity{ID: id, Disabled: r.Uint() != 0, Name: r.Text()}
	e.Policies = r.Texts()
	e.Metadata = r.Map()
	e.MergedIDs = r.Texts()
	e.Created = r.Time()
	e.Updated = r.Time()
	if n := r.Count(); n > 0 {
		e.Aliases = make([]Alias, n)
	}
	for i := range e.Aliases {
		a := &e.Aliases[i]
		a.CanonicalID = id
		a.ID = r.Text()
		a.Name = r.Text()
		a.MountAccessor = r.Text()
		a.Metadata = r.Map()
		a.CustomMetadata = r.Map()
		a.MergedFrom = r.Texts()
		a.groups = r.Texts()
		a.Created = r.Time()
		a.Updated = r.Time()
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return e, nil
}

// alias returns the entity's alias on a mount, or nil.
func (e *Entity) alias(mountAccessor string) *Alias {
	for i := range e.Aliases {
		if e.Aliases[i].MountAccessor == mountAccessor {
			return &e.Aliases[i]
		}
	}
	return nil
}

func (e *Entity) aliasByID(id string) *Alias {
	for i := range e.Aliases {
		if e.Aliases[i].ID == id {
			return &e.Aliases[i]
		}
	}
	return nil
}

func (e *Entity) dropAlias(id string) {
	e.Aliases = slices.DeleteFunc(e.Aliases, func(a Alias) bool { return a.ID == id })
}

// An entity that nobody named is called after its own id, and the alias that
// it was made for has an id made of the entity's. Both can so be found without
// an index entry, which halves what the first login of a subject writes.
const (
	defaultNamePrefix = "entity_"
	shortID           = 8
	versionAt         = 14 // place of the version digit in a UUID's text
)

func defaultName(id string) string { return defaultNamePrefix + id[:shortID] }

// firstAliasID returns the id of the alias that an entity was made for: the
// entity's UUID as version 8 (RFC 9562, section 5.8) instead of 4.
func firstAliasID(entityID string) string {
	return entityID[:versionAt] + "8" + entityID[versionAt+1:]
}

// entityOfFirst turns firstAliasID around.
func entityOfFirst(aliasID string) (string, bool) {
	if !isUUID(aliasID) || aliasID[versionAt] != '8' {
		return "", false
	}
	return aliasID[:versionAt] + "4" + aliasID[versionAt+1:], true
}

// newID returns a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// fold is how names of entities and groups are compared.
func fold(name string) string { return strings.ToLower(name) }

package session

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Keys are the secrets that this package needs. *seal.Keyring has them.
type Keys interface {
	// HMAC returns 32 bytes that depend on purpose, data and a secret key.
	HMAC(purpose string, data []byte) []byte
	// Seal encrypts and authenticates plaintext; Open needs the same purpose
	// and aad.
	Seal(purpose string, aad, plaintext []byte) []byte
	Open(purpose string, aad, sealed []byte) ([]byte, error)
}

// Identities tells the policies of an entity, as they are now.
type Identities interface {
	// EntityPolicies returns the policies of the entity and of all its
	// groups. It fails with fault.Denied for an entity that is disabled or
	// does not exist.
	EntityPolicies(tx storage.ReadTx, entityID string) ([]string, error)
}

// Options configures a Store.
type Options struct {
	// Storage is the sealed store.
	Storage storage.Store
	// Keys is the keyring.
	Keys Keys
	// Identities may be nil: then a token with an entity is denied.
	Identities Identities
	// MountAlive reports whether an auth mount with this accessor exists, so
	// that disabling a mount ends its tokens at once, batch tokens included.
	// Nil means yes.
	MountAlive func(accessor string) bool
	// OnRevoke runs in the transaction that removes a token, to remove what
	// belongs to it. It may be nil.
	OnRevoke func(tx storage.Tx, id ID) error
	// Now is the clock for batch tokens; service tokens are judged by the
	// clock of the storage. Nil means time.Now.
	Now func() time.Time
}

// Store issues, finds, renews and revokes client tokens. It is safe for
// concurrent use and holds no token in memory.
type Store struct {
	db         storage.Store
	keys       Keys
	identities Identities
	mountAlive func(string) bool
	onRevoke   func(storage.Tx, ID) error
	now        func() time.Time
	tidying    atomic.Bool
}

// New returns a Store.
func New(o Options) *Store {
	s := &Store{
		db: o.Storage, keys: o.Keys, identities: o.Identities,
		mountAlive: o.MountAlive, onRevoke: o.OnRevoke, now: o.Now,
	}
	if s.mountAlive == nil {
		s.mountAlive = func(string) bool { return true }
	}
	if s.onRevoke == nil {
		s.onRevoke = func(storage.Tx, ID) error { return nil }
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// MaxDepth is the greatest number of parents in a chain. Each of them is read
// whenever the token is used.
const MaxDepth = 64

// spentGrace is how long a token with no uses left stays readable for the
// request that used it up.
const spentGrace = 2 * time.Minute

// Storage names. Those with an ID or HMAC hold raw bytes behind the prefix.
const (
	tokenPrefix    = "token/"        // + ID → Token
	customPrefix   = "token-custom/" // + HMAC of a chosen token text → ID
	leasePrefix    = "lease/"        // + lease id → nothing
	wrapPrefix     = "wrap/"         // + ID → wrapped response
	roleTokenPref  = "token-role/"   // + name → Role
	maxPathSize    = 768             // of a lease's path, so that its key fits
	maxPolicies    = 1024
	maxMetaEntries = 1024
)

func tokenKey(id ID) []byte        { return append([]byte(tokenPrefix), id[:]...) }
func wrapKey(id ID) []byte         { return append([]byte(wrapPrefix), id[:]...) }
func leaseKey(lease string) []byte { return append([]byte(leasePrefix), lease...) }
func customKey(mac [32]byte) []byte {
	return append([]byte(customPrefix), mac[:]...)
}

// errDenied is the one answer to a token that is missing, unknown, over, used
// up or presented from the wrong address.
var errDenied = fault.New(fault.Denied, "permission denied")

func denied(reason string) error { return errDenied.WithReason(reason) }

// errAbsent is what load returns for an ID without a record.
var errAbsent = errors.New("session: no such token")

// load returns the record of an ID, whether or not it may be used.
func (s *Store) load(tx storage.ReadTx, id ID) (Token, error) {
	b, err := tx.Get(tokenKey(id))
	if errors.Is(err, storage.ErrNotFound) {
		return Token{}, errAbsent
	}
	if err != nil {
		return Token{}, fmt.Errorf("session: read token: %w", err)
	}
	t, err := decodeToken(id, b)
	if err != nil {
		return Token{}, fmt.Errorf("session: %w", err)
	}
	if t.flags&flagGhost != 0 {
		return Token{}, errAbsent
	}
	return t, nil
}

// save writes the record.
func (s *Store) save(tx storage.Tx, t *Token) error {
	return tx.Put(tokenKey(t.ID), t.encode(), t.Expires)
}

// saveNew writes the record and everything that points to it.
func (s *Store) saveNew(tx storage.Tx, t *Token) error {
	if err := s.save(tx, t); err != nil {
		return err
	}
	return s.saveIndexes(tx, t)
}

// saveIndexes writes what points to the record, to end when it ends.
func (s *Store) saveIndexes(tx storage.Tx, t *Token) error {
	if t.flags&flagCustomID != 0 {
		if err := tx.Put(customKey(t.mac), t.ID[:], t.Expires); err != nil {
			return err
		}
	}
	if l := t.LeaseID(); l != "" {
		return tx.Put(leaseKey(l), []byte{tokenVersion}, t.Expires)
	}
	return nil
}

// remove deletes the record and everything that points to it.
func (s *Store) remove(tx storage.Tx, t *Token) error {
	if err := s.onRevoke(tx, t.ID); err != nil {
		return err
	}
	keys := [][]byte{tokenKey(t.ID)}
	if t.flags&flagCustomID != 0 {
		keys = append(keys, customKey(t.mac))
	}
	if l := t.LeaseID(); l != "" {
		keys = append(keys, leaseKey(l))
	}
	if t.IsWrapping() {
		keys = append(keys, wrapKey(t.ID))
	}
	for _, k := range keys {
		if err := tx.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// find returns the record that belongs to a presented service token, after
// comparing the whole token.
func (s *Store) find(tx storage.ReadTx, token string) (Token, error) {
	mac := s.macOf(token)
	var id ID
	if accessor, ok := splitSecret(token); ok {
		id = s.idOf(accessor)
	} else {
		b, err := tx.Get(customKey(mac))
		if errors.Is(err, storage.ErrNotFound) {
			return Token{}, errAbsent
		}
		if err != nil {
			return Token{}, fmt.Errorf("session: read token: %w", err)
		}
		if copy(id[:], b) != idSize {
			return Token{}, errAbsent
		}
	}
	t, err := s.load(tx, id)
	if err != nil {
		return Token{}, err
	}
	if !sameMAC(t.mac, mac) {
		return Token{}, errAbsent
	}
	return t, nil
}

// alive reports whether the token's time is not over, it is not spent, its
// mount exists and its whole chain of parents is alive. It also notes whether
// the token has become an orphan.
func (s *Store) alive(tx storage.ReadTx, t *Token) (ok bool, err error) {
	h := head{flags: t.flags, expires: t.Expires, mount: t.MountAccessor}
	if !s.headAlive(h, tx.Now()) {
		return false, nil
	}
	ok, t.Orphan, err = s.chain(tx, t.Parent)
	return ok, err
}

func (s *Store) headAlive(h head, now time.Time) bool {
	return h.flags&(flagSpent|flagGhost) == 0 && !over(h.expires, now) &&
		(h.mount == "" || s.mountAlive(h.mount))
}

func over(expires, now time.Time) bool { return !expires.IsZero() && !now.Before(expires) }

// chain walks from a parent to the root of the tree. orphan is true when there
// is no parent, or the first one was revoked without its children.
func (s *Store) chain(tx storage.ReadTx, parent ID) (ok, orphan bool, err error) {
	orphan = parent.IsZero()
	for depth := 0; !parent.IsZero(); depth++ {
		if depth >= MaxDepth {
			return false, orphan, nil
		}
		b, err := tx.Get(tokenKey(parent))
		if errors.Is(err, storage.ErrNotFound) {
			return false, orphan, nil
		}
		if err != nil {
			return false, orphan, fmt.Errorf("session: read parent: %w", err)
		}
		h, err := decodeHead(b)
		if err != nil {
			return false, orphan, fmt.Errorf("session: %w", err)
		}
		if h.flags&flagGhost != 0 {
			return true, orphan || depth == 0, nil
		}
		if !s.headAlive(h, tx.Now()) {
			return false, orphan, nil
		}
		parent = h.parent
	}
	return true, orphan, nil
}

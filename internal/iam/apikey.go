package iam

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/storage"
)

const (
	// DevAdminKey is the administrator's key in development mode. Anyone who
	// has read the reference knows it.
	DevAdminKey = "pvaultauth"
	// KeyLife is how long a new API key lives.
	KeyLife = 365 * 24 * time.Hour

	maxKey       = 512 // bytes of a presented key
	minAdminKey  = 15
	keyPurpose   = "iam/api-key"
	adminPurpose = "iam/admin-key"
)

// keyEntry is one API key in memory.
type keyEntry struct {
	expires  time.Time
	caller   *principal.Principal // nil if the user is disabled
	disabled bool
}

// errKey is the answer to every key that proves nobody; whether it is unknown,
// malformed or void is not the caller's business.
var (
	errKey        = fault.New(fault.Unauthenticated, "The request is unauthorized.")
	errKeyExpired = errKey.WithReason("api_key_expired")
	errDisabled   = fault.New(fault.Denied, "The user is disabled.").WithReason("user_disabled")
	errUser       = fault.New(fault.NotFound, "The user is not found.").WithReason("user_missing")
	errAdminRegen = fault.New(fault.Denied, "Regenerating a key for Admin is not allowed.").WithReason("admin_key")
	errStale      = fault.New(fault.Conflict, "The IAM configuration changes too often. Try again.").WithReason("contention")
)

// newState joins a snapshot with the stored keys.
func (s *Store) newState(snap *Snapshot, d stored) *state {
	st := &state{
		snap: snap, meta: d.meta,
		keys: make(map[[32]byte]*keyEntry, len(d.users)), byUser: make(map[string]*keyEntry, len(d.users)),
		admin: principal.New(principal.Attrs{Kind: principal.Admin, Name: Admin, Role: Admin}),
	}
	// A stored development key is void outside development mode.
	if s.o.DevMode || !bytes.Equal(d.admin, s.o.Hasher.HMAC(adminPurpose, []byte(DevAdminKey))) {
		st.adminKey = d.admin
	}
	for name, r := range d.users {
		u, ok := snap.User(name)
		if !ok || len(r.HMAC) != 32 {
			continue
		}
		e := &keyEntry{expires: r.Expires, disabled: u.Disabled}
		if !u.Disabled {
			e.caller = principal.New(principal.Attrs{Kind: principal.APIKey, Name: name, Role: u.Role, Expires: r.Expires})
		}
		st.keys[[32]byte(r.HMAC)] = e
		st.byUser[name] = e
	}
	return st
}

// Authenticate returns whom an API key belongs to. Its refusals are of kind
// Unauthenticated, or Denied with reason "user_disabled". It reads memory only.
func (s *Store) Authenticate(apiKey string) (*principal.Principal, error) {
	st := s.state.Load()
	if st == nil {
		return nil, errNotLoaded
	}
	if apiKey == "" || len(apiKey) > maxKey {
		return nil, errKey
	}
	// The map is asked by an HMAC that the caller cannot choose, so that the
	// time it takes says nothing about stored keys.
	if e := st.keys[[32]byte(s.o.Hasher.HMAC(keyPurpose, []byte(apiKey)))]; e != nil {
		switch {
		case !s.o.Now().Before(e.expires):
			return nil, errKeyExpired
		case e.disabled:
			return nil, errDisabled
		}
		return e.caller, nil
	}
	if st.adminKey != nil && subtle.ConstantTimeCompare(st.adminKey, s.o.Hasher.HMAC(adminPurpose, []byte(apiKey))) == 1 {
		return st.admin, nil
	}
	return nil, errKey
}

// Regenerate gives a user a new API key, valid for KeyLife, and voids the old
// one at once. The key is shown here and nowhere else. Errors: NotFound for an
// unknown user; Denied, reason "admin_key", for the administrator.
func (s *Store) Regenerate(ctx context.Context, user string) (key string, expiry time.Time, err error) {
	if user == Admin {
		return "", time.Time{}, errAdminRegen
	}
	key = newAPIKey()
	now := s.o.Now().UTC().Truncate(time.Second)
	r := keyRecord{HMAC: s.o.Hasher.HMAC(keyPurpose, []byte(key)), Created: now, Expires: now.Add(KeyLife)}
	err = s.changeUser(ctx, user, func(tx storage.Tx) error { return putJSON(tx, userKey(user), r) })
	if err != nil {
		return "", time.Time{}, err
	}
	return key, r.Expires, nil
}

// Expire sets when a user's API key ends; an instant that has passed ends it
// now. Errors as for Regenerate; NotFound also if the user has no key.
func (s *Store) Expire(ctx context.Context, user string, at time.Time) error {
	if user == Admin {
		return errAdminRegen
	}
	return s.changeUser(ctx, user, func(tx storage.Tx) error {
		var r keyRecord
		found, err := getJSON(tx, userKey(user), &r)
		if err != nil {
			return err
		}
		if !found {
			return fault.New(fault.NotFound, "The user has no API key. Generate one first.").WithReason("api_key_missing")
		}
		r.Expires = at.UTC()
		return putJSON(tx, userKey(user), r)
	})
}

// changeUser runs fn in a transaction in which the user exists, and puts the
// result into force before it returns.
func (s *Store) changeUser(ctx context.Context, user string, fn func(storage.Tx) error) error {
	for range 4 {
		snap := s.Snapshot()
		if snap == nil {
			return errNotLoaded
		}
		_, known := snap.User(user)
		stale := false
		err := s.o.Storage.Update(ctx, func(tx storage.Tx) error {
			m, _, err := readMeta(tx)
			if err != nil {
				return err
			}
			// Another node may have applied a configuration that this one has
			// not seen yet.
			if stale = m.ETag != snap.ETag() && s.Problem() == nil; stale {
				return nil
			}
			if !known {
				return errUser
			}
			return fn(tx)
		})
		if err != nil {
			return err
		}
		if err := s.reloadKeys(ctx); err != nil {
			return err
		}
		if !stale {
			return nil
		}
	}
	return errStale
}

// KeyExpiry returns when a user's API key ends; the zero time if it has none,
// and for the administrator, whose key does not end. Error: NotFound for an
// unknown user.
func (s *Store) KeyExpiry(_ context.Context, user string) (time.Time, error) {
	st := s.state.Load()
	if st == nil {
		return time.Time{}, errNotLoaded
	}
	if user == Admin {
		return time.Time{}, nil
	}
	if _, known := st.snap.User(user); !known {
		return time.Time{}, errUser
	}
	if e := st.byUser[user]; e != nil {
		return e.expires, nil
	}
	return time.Time{}, nil
}

// SetAdminKey sets the administrator's key and voids the old one at once. The
// key must be strong (see CheckAdminKey).
func (s *Store) SetAdminKey(ctx context.Context, key string) error {
	if err := CheckAdminKey(key); err != nil {
		return err
	}
	if s.Snapshot() == nil {
		return errNotLoaded
	}
	if err := s.o.Storage.Update(ctx, func(tx storage.Tx) error { return s.putAdmin(tx, key) }); err != nil {
		return err
	}
	return s.reloadKeys(ctx)
}

// reloadKeys puts changed API keys into force. A stored configuration that
// does not compile is no reason to fail: the keys are in force all the same.
func (s *Store) reloadKeys(ctx context.Context) error {
	_, err := s.load(ctx)
	return err
}

func (s *Store) putAdmin(tx storage.Tx, key string) error {
	return putJSON(tx, keyAdmin, keyRecord{HMAC: s.o.Hasher.HMAC(adminPurpose, []byte(key)), Created: s.o.Now().UTC()})
}

// initialiseAdmin stores the key that the operator set, if it is due.
func (s *Store) initialiseAdmin(tx storage.Tx) error {
	if s.o.AdminKey == "" {
		return nil
	}
	var have keyRecord
	found, err := getJSON(tx, keyAdmin, &have)
	if err != nil {
		return err
	}
	if found && (s.o.KeepAdminKey || bytes.Equal(have.HMAC, s.o.Hasher.HMAC(adminPurpose, []byte(s.o.AdminKey)))) {
		return nil
	}
	return s.putAdmin(tx, s.o.AdminKey)
}

// CheckAdminKey returns an error of kind Invalid unless the key has 15 to 512
// printable ASCII characters, with a digit, a lower-case and an upper-case
// letter among them, and cannot be taken for a JWT.
func CheckAdminKey(key string) error {
	var digit, lower, upper, odd bool
	for i := range len(key) {
		switch c := key[i]; {
		case c >= '0' && c <= '9':
			digit = true
		case c >= 'a' && c <= 'z':
			lower = true
		case c >= 'A' && c <= 'Z':
			upper = true
		case c <= ' ' || c > '~':
			odd = true
		}
	}
	dots := strings.Count(key, ".")
	switch {
	case len(key) < minAdminKey || !digit || !lower || !upper:
		return weakKey("The administrator's key must have at least 15 characters, with digits, lower-case and upper-case letters.")
	case len(key) > maxKey || odd:
		return weakKey("The administrator's key must have at most 512 printable ASCII characters and no white space.")
	case dots == 2 || dots > 0 && strings.HasPrefix(key, "ey"):
		return weakKey("The administrator's key looks like a JWT. Leave out the dots.")
	}
	return nil
}

func weakKey(text string) error {
	return fault.New(fault.Invalid, text).WithReason("admin_key_weak").WithDetail("field", "key")
}

// newAPIKey returns a random UUID (RFC 9562, version 4): 122 random bits.
func newAPIKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand stops the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

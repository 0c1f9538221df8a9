package iam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/policy/votes"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/storage"
)

// Hasher turns secrets into names that cannot be turned back; *seal.Keyring is
// one.
type Hasher interface {
	HMAC(purpose string, data []byte) []byte
}

// StoreOptions are the parts and settings of a Store.
type StoreOptions struct {
	Storage storage.Store // required; a sealed one
	Hasher  Hasher        // required
	Keys    *jwks.Client  // fetches identity providers' keys; nil = defaults
	Now     func() time.Time
	Logger  *slog.Logger

	// DisableFetch is Options.DisableFetch.
	DisableFetch bool
	// File is the path of an IAM file; "" starts with DefaultText. It is
	// applied when the storage has no configuration yet.
	File string
	// ApplyFileOnStart applies File at every Load, so that the file is the
	// truth and what was applied at run time is replaced.
	ApplyFileOnStart bool

	// DevMode admits the reference's well-known administrator key, and uses it
	// if AdminKey is empty.
	DevMode bool
	// AdminKey is the administrator's key as the operator set it; "" leaves
	// the one that is stored, if any. Outside DevMode it must be strong.
	AdminKey string
	// KeepAdminKey keeps a stored administrator's key when AdminKey differs.
	KeepAdminKey bool
}

// Store is the IAM configuration in force, on one node. Authentication reads a
// snapshot in memory; every change is durable before it is visible, and other
// nodes follow through the storage's change notice.
type Store struct {
	o      StoreOptions
	state  atomic.Pointer[state]
	mu     sync.Mutex // one load at a time
	done   chan struct{}
	stop   func()
	closed sync.Once
	failed atomic.Pointer[failure]
	notify atomic.Pointer[func(*Snapshot)]
	loaded atomic.Pointer[func()] // tests: after each change that was followed
}

// failure is why the newest stored configuration is not in force.
type failure struct{ err error }

// state is everything that authentication reads. It is immutable.
type state struct {
	snap     *Snapshot
	meta     meta
	keys     map[[32]byte]*keyEntry // by HMAC of the key
	byUser   map[string]*keyEntry
	adminKey []byte // HMAC; nil = the administrator has none
	admin    *principal.Principal
}

// errNotLoaded is answered until the first Load has succeeded.
var errNotLoaded = fault.New(fault.Unavailable, "the IAM configuration is not loaded yet").WithReason("iam_not_loaded")

// NewStore returns a store that has nothing loaded: it answers with kind
// Unavailable until Load succeeds. Close it.
func NewStore(o StoreOptions) (*Store, error) {
	if o.Storage == nil || o.Hasher == nil {
		return nil, errors.New("iam: Storage and Hasher are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Keys == nil {
		o.Keys = jwks.NewClient(jwks.Options{Now: o.Now, Logger: o.Logger})
	}
	if o.DevMode && o.AdminKey == "" {
		o.AdminKey = DevAdminKey
	}
	if o.AdminKey != "" && !o.DevMode {
		if err := CheckAdminKey(o.AdminKey); err != nil {
			return nil, err
		}
	}
	s := &Store{o: o, done: make(chan struct{})}
	s.stop = storage.Follow(o.Storage, []byte(prefix), s.follow)
	return s, nil
}

// Close stops following changes and fetching keys.
func (s *Store) Close() error {
	s.closed.Do(func() {
		close(s.done)
		s.stop()
		if st := s.state.Load(); st != nil {
			st.snap.CloseExcept(nil)
		}
	})
	return nil
}

// OnChange sets what is called with each new Snapshot, after it is in force,
// and calls it at once if there is one. It must not block.
func (s *Store) OnChange(fn func(*Snapshot)) {
	s.notify.Store(&fn)
	if st := s.state.Load(); st != nil {
		fn(st.snap)
	}
}

// Load brings the store into force: it writes the initial configuration and
// the administrator's key if they are due, and reads what is stored. Call it
// once the storage is unsealed; it may be called again.
func (s *Store) Load(ctx context.Context) error {
	if err := s.initialise(ctx); err != nil {
		return err
	}
	return s.reload(ctx)
}

// Reload applies the file again, if the store has one, and reads what is
// stored. It is what SIGHUP asks for. A bad file changes nothing.
func (s *Store) Reload(ctx context.Context) error {
	if s.o.File != "" {
		text, err := s.fileText()
		if err != nil {
			return err
		}
		if _, err := s.apply(ctx, s.o.File, []byte(text), ""); err != nil {
			return err
		}
	}
	return s.reload(ctx)
}

// fileText reads the configured file.
func (s *Store) fileText() (string, error) {
	f, err := os.Open(s.o.File)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "the IAM file cannot be read").WithReason("iam_file")
	}
	defer f.Close()
	return readBounded(f, s.o.File)
}

// initialise writes what a new installation needs.
func (s *Store) initialise(ctx context.Context) error {
	text := DefaultText
	if s.o.File != "" {
		var err error
		if text, err = s.fileText(); err != nil {
			return err
		}
	}
	// A bad file must not stop a node that has a good configuration stored,
	// unless the file is the truth.
	snap, bad := s.compile(s.o.File, text)
	snap.CloseExcept(s.Snapshot())
	return s.o.Storage.Update(ctx, func(tx storage.Tx) error {
		if err := s.initialiseAdmin(tx); err != nil {
			return err
		}
		m, stored, err := readMeta(tx)
		switch {
		case err != nil:
			return err
		case stored && (!s.o.ApplyFileOnStart || s.o.File == "" || m.ETag == ETag(text)):
			return nil
		case bad != nil:
			return bad
		}
		return s.write(tx, m, text, snap)
	})
}

// follow reloads after each change, of this node or another. A configuration
// that does not compile is followed as far as it can be.
func (s *Store) follow() error {
	if s.state.Load() == nil {
		return nil // not loaded yet: Load will read everything
	}
	bad, err := s.load(context.Background())
	if why := cmp.Or(err, bad); why != nil {
		s.o.Logger.Error("IAM configuration not reloaded; the last good one stays in force", "error", why)
	}
	if fn := s.loaded.Load(); fn != nil {
		(*fn)()
	}
	return err
}

// reload is load for those to whom a configuration that does not compile is a
// failure.
func (s *Store) reload(ctx context.Context) error {
	bad, err := s.load(ctx)
	return cmp.Or(err, bad)
}

// load reads what is stored and puts it into force. If the text does not
// compile, which bad then says, the last good one stays, with the newest API
// keys. An err leaves everything as it was.
func (s *Store) load(ctx context.Context) (bad, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		return nil, storage.ErrClosed
	default:
	}
	var d stored
	err = s.o.Storage.View(ctx, func(tx storage.ReadTx) (err error) {
		d, err = readAll(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("iam: %w", err)
	}
	old := s.state.Load()
	snap := s.Snapshot()
	if old == nil || d.meta.ETag != old.snap.ETag() {
		snap, bad = s.compile(s.o.File, d.text)
	}
	if bad != nil {
		s.failed.Store(&failure{bad})
		if old == nil {
			return bad, nil
		}
		snap, d.meta = old.snap, old.meta
	} else {
		s.failed.Store(nil)
	}
	s.state.Store(s.newState(snap, d))
	if old != nil && old.snap != snap {
		old.snap.CloseExcept(snap)
	}
	if fn := s.notify.Load(); fn != nil && (old == nil || old.snap != snap) {
		(*fn)(snap)
	}
	return bad, nil
}

func (s *Store) compile(file, text string) (*Snapshot, error) {
	return Compile(text, Options{File: file, Keys: s.o.Keys, DisableFetch: s.o.DisableFetch, Previous: s.Snapshot()})
}

// Snapshot returns the configuration in force, or nil before Load.
func (s *Store) Snapshot() *Snapshot {
	if st := s.state.Load(); st != nil {
		return st.snap
	}
	return nil
}

// Problem returns why the newest stored configuration is not in force, or nil.
func (s *Store) Problem() error {
	if f := s.failed.Load(); f != nil {
		return f.err
	}
	return nil
}

// Role returns a role of the configuration in force.
func (s *Store) Role(name string) (*votes.Role, bool) { return s.Snapshot().Role(name) }

// TrustedRoles returns the roles that may act as this one; empty means that
// the role is used directly.
func (s *Store) TrustedRoles(role string) []string {
	r, _ := s.Snapshot().Role(role)
	return r.TrustedRoles()
}

// Generation returns how many configurations have been applied, and when the
// one in force was.
func (s *Store) Generation() (number int64, modified time.Time) {
	if st := s.state.Load(); st != nil {
		return st.meta.Generation, st.meta.Modified
	}
	return 0, time.Time{}
}

// Text returns the stored configuration exactly as it was applied, with its
// entity tag.
func (s *Store) Text(ctx context.Context) (text []byte, etag string, err error) {
	err = s.o.Storage.View(ctx, func(tx storage.ReadTx) error {
		m, ok, err := readMeta(tx)
		if err != nil {
			return err
		}
		if !ok {
			return errNotLoaded
		}
		text, err = tx.Get(keyText)
		etag = m.ETag
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("iam: %w", err)
	}
	return text, etag, nil
}

// Apply replaces the whole configuration, on every node. The text must compile
// (kind Invalid, all problems at once). With ifMatch, the stored entity tag
// must still be that one, else the failure is of kind Conflict and nothing is
// changed. API keys of users that are gone are deleted: a user who comes back
// later gets a new one. It returns the new entity tag.
func (s *Store) Apply(ctx context.Context, text []byte, ifMatch string) (etag string, err error) {
	return s.apply(ctx, "", text, ifMatch) // whoever sends a text has another file than this server
}

// apply is Apply of a text that came from a file, so that its problems name
// that file.
func (s *Store) apply(ctx context.Context, file string, text []byte, ifMatch string) (etag string, err error) {
	snap, err := s.compile(file, string(text))
	if err != nil {
		return "", err
	}
	snap.CloseExcept(s.Snapshot()) // only compiled to check it: reload compiles what is stored
	err = s.o.Storage.Update(ctx, func(tx storage.Tx) error {
		m, _, err := readMeta(tx)
		if err != nil {
			return err
		}
		if ifMatch != "" && ifMatch != m.ETag {
			return fault.New(fault.Conflict, "The IAM configuration was changed in the meantime. Get it again, repeat the change and apply it.").
				WithReason("iam_conflict").WithDetail("etag", m.ETag)
		}
		if m.ETag == snap.ETag() {
			return nil
		}
		return s.write(tx, m, string(text), snap)
	})
	if err != nil {
		return "", err
	}
	return snap.ETag(), s.reload(ctx)
}

// write stores a text and forgets the keys of users that are not in it.
func (s *Store) write(tx storage.Tx, old meta, text string, snap *Snapshot) error {
	users, err := readKeys(tx)
	if err != nil {
		return err
	}
	for name := range users {
		if _, stays := snap.User(name); !stays {
			if err := tx.Delete(userKey(name)); err != nil {
				return fmt.Errorf("deleting an API key: %w", err)
			}
		}
	}
	m := meta{ETag: ETag(text), Generation: old.Generation + 1, Modified: s.o.Now().UTC()}
	if err := tx.Put(keyText, []byte(text), time.Time{}); err != nil {
		return fmt.Errorf("storing the IAM configuration: %w", err)
	}
	return putJSON(tx, keyMeta, m)
}

package mount

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/record"
)

// keyPrefix is where entries live, by UUID.
const keyPrefix = "mount/"

// maxMounts bounds the table.
const maxMounts = 10_000

// Store keeps the table. Build it with Open.
type Store struct {
	st      storage.Store
	now     atomic.Pointer[Table]
	stop    func()
	changed func(*Table)
	failed  func(error)
	mu      sync.Mutex // held from reading the stored table to swapping it in, so that an older one never wins
}

// Options of Open. All may be zero.
type Options struct {
	// Changed is called with every new table, also after another node's change.
	Changed func(*Table)
	// Failed is told why a reload did not work; the last good table stays.
	Failed func(error)
}

// Open reads the table, creates the server's own mounts if they are missing,
// and follows changes until Close.
func Open(ctx context.Context, st storage.Store, o Options) (*Store, error) {
	s := &Store{st: st, changed: o.Changed, failed: o.Failed}
	s.now.Store(&Table{})
	if err := s.change(ctx, ensureBuiltin); err != nil {
		return nil, err
	}
	s.stop = storage.Follow(st, []byte(keyPrefix), func() error {
		err := s.Reload(context.Background())
		if err != nil && s.failed != nil {
			s.failed(err)
		}
		return err
	})
	return s, nil
}

// Close stops following changes.
func (s *Store) Close() {
	if s.stop != nil {
		s.stop()
	}
}

// Table returns the current table.
func (s *Store) Table() *Table { return s.now.Load() }

// Reload reads the table anew.
func (s *Store) Reload(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var t *Table
	err := s.st.View(ctx, func(tx storage.ReadTx) (err error) {
		t, err = load(tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("mount: reading the table: %w", err)
	}
	s.swap(t)
	return nil
}

func (s *Store) swap(t *Table) {
	s.now.Store(t)
	if s.changed != nil {
		s.changed(t)
	}
}

// Enable adds a mount and returns it with its UUID and accessor. The errors
// are Invalid, Conflict (path in use) or Denied (protected path).
func (s *Store) Enable(ctx context.Context, e Entry) (*Entry, error) {
	n := e.clone()
	n.Path = cleanPath(n.Path)
	oldNames(n)
	n.UUID, n.Accessor = newUUID(), newAccessor(n)
	err := s.change(ctx, func(t *Table, tx storage.Tx) error {
		if len(t.entries) >= maxMounts {
			return fault.Newf(fault.Conflict, "there are already %d mounts", maxMounts)
		}
		if err := checkNew(t, n); err != nil {
			return err
		}
		return put(tx, n)
	})
	if err != nil {
		return nil, err
	}
	return n, nil
}

// oldNames replaces the names that the key-value engine had or has besides
// its own.
func oldNames(e *Entry) {
	switch {
	case e.Auth:
	case e.Type == "generic":
		e.Type = TypeKV
	case e.Type == "kv-v1", e.Type == "kv-v2":
		if e.Options == nil {
			e.Options = map[string]string{}
		}
		e.Options["version"] = e.Type[len("kv-v"):]
		e.Type = TypeKV
	}
}

// Disable removes the mount at the logical path and returns it, or nil if
// there was none. What lives below it (tokens, data) is the caller's to
// remove.
func (s *Store) Disable(ctx context.Context, logical string) (*Entry, error) {
	var gone *Entry
	err := s.change(ctx, func(t *Table, tx storage.Tx) error {
		e, ok := t.Get(logical)
		if gone = e; !ok {
			return nil
		}
		if e.Builtin() {
			return invalid("cannot unmount %q", e.Path)
		}
		return tx.Delete(key(e))
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

// Tune changes the mount at the logical path. change gets a copy; what it
// leaves is checked. A missing mount is NotFound.
func (s *Store) Tune(ctx context.Context, logical string, change func(*Entry) error) error {
	return s.change(ctx, func(t *Table, tx storage.Tx) error {
		e, ok := t.Get(logical)
		if !ok {
			return fault.Newf(fault.NotFound, "no mount at %s", cleanPath(logical))
		}
		n := e.clone()
		if err := change(n); err != nil {
			return err
		}
		n.UUID, n.Accessor, n.Path, n.Type, n.Auth = e.UUID, e.Accessor, e.Path, e.Type, e.Auth
		if c := &n.Config; c.MaxLeaseTTL > 0 && c.DefaultLeaseTTL > c.MaxLeaseTTL {
			return invalid("backend max lease TTL of %d would be less than backend default lease TTL of %d",
				int64(c.MaxLeaseTTL/time.Second), int64(c.DefaultLeaseTTL/time.Second))
		}
		if err := checkConfig(n); err != nil {
			return err
		}
		if err := checkTunable(e, n); err != nil {
			return err
		}
		if n.Type == TypeKV {
			if err := checkUpgrade(e, n); err != nil {
				return err
			}
		}
		return put(tx, n)
	})
}

// checkUpgrade lets a plain key-value mount keep its version: its data is
// stored differently, so that a switched version would hide it.
func checkUpgrade(from, to *Entry) error {
	if err := checkKV(to); err != nil {
		return err
	}
	if from.KVVersion() == 2 && to.KVVersion() == 1 {
		return invalid("cannot downgrade mount from version 2")
	}
	return nil
}

// Move gives the mount at the logical path from another path. The class (auth
// method or secrets engine) cannot change.
func (s *Store) Move(ctx context.Context, from, to string) (*Entry, error) {
	var moved *Entry
	err := s.change(ctx, func(t *Table, tx storage.Tx) error {
		e, ok := t.Get(from)
		if !ok {
			return invalid("no matching mount at %q", cleanPath(from))
		}
		if e.Builtin() {
			return invalid("cannot remount %q", e.Logical())
		}
		n := e.clone()
		if n.Path = cleanPath(to); n.Auth {
			p, ok := cutAuth(n.Path)
			if !ok {
				return invalid("cannot remount auth mount to non-auth mount %q", n.Path)
			}
			n.Path = p
		} else if _, ok := cutAuth(n.Path); ok {
			return invalid("cannot remount non-auth mount to auth mount %q", n.Path)
		}
		if err := checkPath(n); err != nil {
			return err
		}
		other := t.overlap(n.Logical())
		if other != nil && (other.UUID != e.UUID || strings.HasPrefix(n.Logical(), e.Logical())) {
			return fault.Newf(fault.Conflict, "path in use at %q", other.Logical())
		}
		moved = n
		return put(tx, n)
	})
	if err != nil {
		return nil, err
	}
	return moved, nil
}

func cutAuth(p string) (string, bool) {
	if len(p) > len(AuthPrefix) && p[:len(AuthPrefix)] == AuthPrefix {
		return p[len(AuthPrefix):], true
	}
	return "", false
}

// change runs fn on the stored table and swaps in what it leaves.
func (s *Store) change(ctx context.Context, fn func(*Table, storage.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var t *Table
	err := s.st.Update(ctx, func(tx storage.Tx) error {
		old, err := load(tx)
		if err != nil {
			return err
		}
		if err := fn(old, tx); err != nil {
			return err
		}
		t, err = load(tx)
		return err
	})
	if err != nil {
		return err
	}
	s.swap(t)
	return nil
}

func load(tx storage.ReadTx) (*Table, error) {
	items, err := tx.Scan([]byte(keyPrefix), nil, maxMounts+100)
	if err != nil {
		return nil, err
	}
	entries := make([]*Entry, 0, len(items))
	for _, it := range items {
		e := new(Entry)
		if err := json.Unmarshal(it.Value, e, record.JSON); err != nil {
			return nil, fmt.Errorf("mount: entry %q cannot be read: %w", it.Key, err)
		}
		entries = append(entries, e)
	}
	return compile(entries), nil
}

// Stored reports whether the mount with this UUID exists as of a transaction.
func Stored(tx storage.ReadTx, uuid string) (bool, error) {
	_, err := tx.Get([]byte(keyPrefix + uuid))
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func key(e *Entry) []byte { return []byte(keyPrefix + e.UUID) }

func put(tx storage.Tx, e *Entry) error {
	b, err := json.Marshal(e, record.JSON)
	if err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	return tx.Put(key(e), b, time.Time{})
}

func newAccessor(e *Entry) string {
	var b [4]byte
	_, _ = rand.Read(b[:])
	name := e.Type + "_" + hex.EncodeToString(b[:])
	if e.Auth {
		return "auth_" + name
	}
	return name
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

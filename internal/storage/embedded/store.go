package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/driver"
)

// FileName is the name of the data file inside the store's directory.
const FileName = "jotgate.db"

// Options are the settings of a store. The zero value is what production uses.
type Options struct {
	// Now is the clock that expiry is judged by; nil is time.Now.
	Now func() time.Time
	// SweepEvery is the pause between removals of expired keys. Zero is one
	// second; negative leaves it to calls of Sweep.
	SweepEvery time.Duration
	// Logger takes what happens in the background; nil discards it.
	Logger *slog.Logger
}

// Store is an open directory. It implements storage.Store and
// storage.Snapshotter.
type Store struct {
	dir  string
	db   *bolt.DB
	file *os.File
	now  func() time.Time
	log  *slog.Logger

	life     driver.Life
	watchers driver.Watchers
	failure  atomic.Pointer[error]

	waiting  atomic.Int64         // callers that want mu
	mu       sync.Mutex           // guards what follows; its holder is the only writer
	batch    *batch               // the one that is open
	expected int                  // callers that a batch waits for
	lull     time.Duration        // how long it waits
	commit   func(*bolt.Tx) error // a field so that tests can make it fail

	stopSweep chan struct{}
	sweepDone chan struct{}
}

// Compile-time proof of the contract.
var (
	_ storage.Store       = (*Store)(nil)
	_ storage.Snapshotter = (*Store)(nil)
)

// View implements storage.Store.
func (s *Store) View(ctx context.Context, fn func(storage.ReadTx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.Leave()
	btx, err := s.db.Begin(false)
	if err != nil {
		return fmt.Errorf("%w: begin: %w", storage.ErrDamaged, err)
	}
	defer func() { _ = btx.Rollback() }()
	values, err := bucket(btx, bucketValues)
	if err != nil {
		return err
	}
	t := newTx(values, s.now())
	defer t.end()
	return fn(t)
}

// Update implements storage.Store. Callers run one after the other; those that
// are there at the same time share one sync.
func (s *Store) Update(ctx context.Context, fn func(storage.Tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.Leave()
	b, first, err := s.turn(ctx, fn)
	if b == nil {
		return err
	}
	// Even a function that failed waits: what it read may be a neighbour's
	// write, and its answer must not stand on something that was never kept.
	if failed := s.settle(b, first); failed != nil {
		return failed
	}
	return err
}

// Watch implements storage.Store.
func (s *Store) Watch(prefix []byte, notify func(keys [][]byte)) (stop func()) {
	return s.watchers.Watch(prefix, notify)
}

// Close implements storage.Store. A second call returns storage.ErrClosed.
func (s *Store) Close() error {
	if s.stopSweep != nil {
		s.stopSweeper()
	}
	if !s.life.Close() {
		return storage.ErrClosed
	}
	s.watchers.Close()
	if s.failure.Load() != nil {
		return s.abandon()
	}
	if err := s.keepFreelist(); err != nil {
		_ = s.abandon()
		return fmt.Errorf("%w: closing %s: %w", storage.ErrFailed, s.db.Path(), err)
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", s.db.Path(), err)
	}
	return nil
}

// enter begins a call that has to end with life.Leave.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f := s.failure.Load(); f != nil {
		return *f
	}
	if !s.life.Enter() {
		return storage.ErrClosed
	}
	return nil
}

// fail makes the store answer ErrFailed from now on: after a failed sync the
// kernel may have dropped the very pages that were not written, so trying again
// would only look like success.
func (s *Store) fail(cause error) error {
	err := fmt.Errorf("%w: %w", storage.ErrFailed, cause)
	if s.failure.CompareAndSwap(nil, &err) {
		s.log.Error("storage stopped: a write to the data file failed; restart once the disk is well",
			"file", s.db.Path(), "error", cause)
	}
	return *s.failure.Load()
}

// abandon closes the file without writing. bbolt is not asked to close: after
// a failure it may still hold its own lock.
func (s *Store) abandon() error {
	unlock(s.file)
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", s.db.Path(), err)
	}
	return nil
}

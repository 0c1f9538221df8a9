package seal

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Kinds of seal, as they stand in Status.Type.
const (
	TypeShamir = "shamir" // operators bring shares
	TypeKey    = "key"    // the node brings the unseal key: file or environment
)

// Options are the settings of a Barrier. The zero value is sealed and waits
// for shares.
type Options struct {
	// Key is the unseal key of a node that unseals itself: KeySize bytes, or
	// nil for none.
	Key []byte
	// Now is the clock that key ages are told by; nil is time.Now.
	Now func() time.Time
	// Logger takes what happens in the background; nil discards it.
	Logger *slog.Logger
}

// Barrier is a storage.Store that answers ErrSealed until it is given the
// unseal key, and seals every value from then on. It stands between everything
// that stores and the driver. Each node has its own and unseals by itself.
type Barrier struct {
	inner storage.Store
	now   func() time.Time
	log   *slog.Logger

	ring Keyring

	mu     sync.Mutex // one change of the seal at a time
	config *config    // nil: read it from the store
	nonce  string     // of the attempt that shares belong to
	shares Shares

	background background
	counting   atomic.Bool
	stopWatch  func()
}

// Compile-time proof of the contracts.
var (
	_ storage.Store       = (*Barrier)(nil)
	_ storage.Snapshotter = (*Barrier)(nil)
	_ storage.Versioned   = (*Barrier)(nil)
)

// Open puts a barrier before inner. With Options.Key and an initialized store
// it is unsealed on return; ErrWrongKey means that the key belongs to another
// store. The barrier closes inner when it is closed; on an error inner stays
// open.
func Open(ctx context.Context, inner storage.Store, o Options) (*Barrier, error) {
	b := &Barrier{inner: inner, now: o.Now, log: o.Logger}
	if b.now == nil {
		b.now = time.Now
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.background.start()
	if len(o.Key) > 0 {
		if err := b.UnsealWithKey(ctx, o.Key); err != nil && !errors.Is(err, ErrNotInitialized) {
			return nil, err
		}
	}
	b.stopWatch = inner.Watch(sealPrefix, func([][]byte) { b.changed() })
	return b, nil
}

// Keyring returns the barrier's keyring. It is one for the barrier's life;
// while sealed it is empty.
func (b *Barrier) Keyring() *Keyring { return &b.ring }

// Sealed reports whether transactions answer ErrSealed.
func (b *Barrier) Sealed() bool { return b.ring.state.Load() == nil }

func (b *Barrier) ready() error {
	switch {
	case !b.Sealed():
		return nil
	case b.background.ctx.Err() != nil:
		return storage.ErrClosed
	}
	return ErrSealed
}

// View implements storage.Store.
func (b *Barrier) View(ctx context.Context, fn func(storage.ReadTx) error) error {
	if err := b.ready(); err != nil {
		return err
	}
	return view(ctx, b.inner, &b.ring, fn)
}

// Update implements storage.Store.
func (b *Barrier) Update(ctx context.Context, fn func(storage.Tx) error) error {
	if err := b.ready(); err != nil {
		return err
	}
	b.countIfDue()
	return update(ctx, b.inner, &b.ring, fn)
}

// Watch implements storage.Store. It works while sealed too.
func (b *Barrier) Watch(prefix []byte, notify func(keys [][]byte)) (stop func()) {
	return watch(b.inner, prefix, notify)
}

// Close seals the barrier and closes the store under it.
func (b *Barrier) Close() error {
	b.stopWatch()
	b.background.stop()
	b.Seal()
	return b.inner.Close()
}

// Snapshot implements storage.Snapshotter. What it writes is sealed. A driver
// that cannot is answered as fault.NotImplemented.
func (b *Barrier) Snapshot(ctx context.Context, begin func(size int64) (io.Writer, error)) error {
	s, ok := b.inner.(storage.Snapshotter)
	if !ok {
		return fault.New(fault.NotImplemented, "this storage has its own tools for backups")
	}
	return s.Snapshot(ctx, begin)
}

// SchemaVersion implements storage.Versioned. It is 0 for a driver without a
// migrated schema.
func (b *Barrier) SchemaVersion(ctx context.Context) (int64, error) {
	v, ok := b.inner.(storage.Versioned)
	if !ok {
		return 0, nil
	}
	return v.SchemaVersion(ctx)
}

// Seal takes the keys out of memory. Running transactions fail from here on.
func (b *Barrier) Seal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ring.forget()
	b.resetAttempt()
}

// Package storage is the contract between jotgate and whatever keeps its data:
// an ordered key-value store with serializable transactions, expiry and change
// notice. It is the narrow waist of the house: every driver passes the suite
// in storagetest, and nothing above it knows which driver runs.
//
// The package refuses to know what a value means. The seal package wraps a
// Store so that drivers only ever see ciphertext.
package storage

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

// Errors that every driver returns, to be compared with errors.Is. Those that
// a caller may learn of carry a fault kind; the others are Internal.
var (
	// ErrNotFound is returned by Get for a key that is absent or expired.
	ErrNotFound = errors.New("storage: key not found")
	// ErrClosed is returned by every call on a closed store.
	ErrClosed error = fault.New(fault.Unavailable, "storage is closed").WithReason("storage_closed")
	// ErrFailed is returned by every call after a write to the medium failed:
	// what is on it is no longer known, so the store stops instead of guessing.
	ErrFailed error = fault.New(fault.Unavailable, "storage stopped after a failed write").WithReason("storage_failed")
	// ErrConflict is returned by Update when the transaction could not be
	// serialized after the driver's bounded number of attempts.
	ErrConflict error = fault.New(fault.Unavailable, "storage is too busy, try again").WithReason("storage_conflict")
	// ErrUnavailable is returned when the medium cannot be reached or has no
	// room left. Nothing is known to be broken: the same call may work later.
	// From Update it can also mean that the outcome could not be learnt.
	ErrUnavailable error = fault.New(fault.Unavailable, "storage cannot be reached").WithReason("storage_unavailable")
	// ErrInUse is returned on open when another process holds the store.
	ErrInUse = errors.New("storage: store is in use by another process")
	// ErrDamaged is returned on open or read when the medium holds something
	// that this store did not write.
	ErrDamaged = errors.New("storage: store is damaged")
	// ErrReadOnly is returned by Put and Delete in a View.
	ErrReadOnly = errors.New("storage: read-only transaction")
	// ErrTooLarge is returned by Put for a key or value beyond the limits below.
	ErrTooLarge error = fault.New(fault.TooLarge, "key or value too large for the storage").WithReason("storage_too_large")
	// ErrEmptyKey is returned for a key without bytes.
	ErrEmptyKey = errors.New("storage: empty key")
)

// Limits that every driver enforces.
const (
	MaxKeySize   = 1024    // bytes; longer names go in hashed
	MaxValueSize = 8 << 20 // bytes
)

// Item is one key with its value.
type Item struct {
	Key   []byte
	Value []byte
}

// ReadTx reads one consistent snapshot. It is valid only inside the function
// that received it and on one goroutine; the slices it returns belong to the
// caller.
type ReadTx interface {
	// Get returns the value of key, or ErrNotFound when it is absent or has
	// expired.
	Get(key []byte) ([]byte, error)
	// Scan returns, in key order, at most limit live items whose key has the
	// prefix and is strictly greater than after (nil = from the start).
	// limit must be positive. Fewer items than limit means the end.
	Scan(prefix, after []byte, limit int) ([]Item, error)
	// Now returns the instant against which expiry is judged in this
	// transaction.
	Now() time.Time
}

// Tx also writes. It sees its own writes. If the function returns an error,
// nothing of it is kept.
type Tx interface {
	ReadTx
	// Put stores value under key. A non-zero expires makes the key read as
	// absent from that instant on; its space is reclaimed in the background.
	// Put keeps no reference to key and value.
	Put(key, value []byte, expires time.Time) error
	// Delete removes key; an absent key is no error.
	Delete(key []byte) error
}

// Store is an ordered key-value store. All methods are safe for concurrent use,
// but fn must not call the Store that runs it: a driver may hold a lock then.
type Store interface {
	// View runs fn on a consistent snapshot. Like Update's, fn may run more than
	// once and must start from nothing each time.
	View(ctx context.Context, fn func(ReadTx) error) error
	// Update runs fn in a serializable transaction and returns nil only once
	// its writes are durable. fn may run more than once and must have no
	// effect outside the transaction. An error of fn is returned as it is.
	Update(ctx context.Context, fn func(Tx) error) error
	// Watch calls notify after each committed change of a key with the
	// prefix, made by this or another node, until the returned stop is
	// called. Several changes may be folded into one call; none is lost.
	// A driver that cannot say which keys changed passes none. notify must
	// not block and runs on a goroutine of the store. Expiry is no change. A
	// call that is running when stop is called may end after it.
	Watch(prefix []byte, notify func(keys [][]byte)) (stop func())
	// Close waits for running transactions and releases the medium.
	Close() error
}

// Snapshotter is implemented by stores that can stream a consistent copy.
type Snapshotter interface {
	// Snapshot writes the copy to what begin returns for its size in bytes. An
	// error of begin or of a write is returned.
	Snapshot(ctx context.Context, begin func(size int64) (io.Writer, error)) error
}

// Versioned is implemented by stores with a migrated schema.
type Versioned interface {
	// SchemaVersion is the newest applied migration, as YYYYMMDDhhmmss.
	SchemaVersion(ctx context.Context) (int64, error)
}

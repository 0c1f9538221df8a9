// Package storagetest is the suite that every storage driver passes: Run holds
// a store to the words of the storage package. A driver's own test calls it
// with a way to open stores; so does every store that wraps another.
//
// Faulty wraps a store so that its n-th call fails, for tests that loop over n
// until an operation succeeds: whatever was built on the store must then have
// happened as a whole or not at all.
package storagetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

// Clock is a clock that stands still until it is moved. The zero value stands
// at the zero time; NewClock starts it somewhere sensible.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at a fixed instant.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)} }

// Now returns the instant at which the clock stands.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves the clock.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Config says what the suite needs to know of a driver.
type Config struct {
	// Open returns a new, empty store that judges expiry by the clock and is
	// closed when the test ends.
	Open func(t testing.TB, clock *Clock) storage.Store
	// Sweep removes expired keys at once and returns how many; nil skips the
	// test of it.
	Sweep func(t testing.TB, s storage.Store) int
	// Second opens the same medium as s once more, as another node would; nil
	// for a driver of one process.
	Second func(t testing.TB, s storage.Store, clock *Clock) storage.Store
	// MaxValue is the largest value taken; 0 is storage.MaxValueSize.
	MaxValue int
}

var bg = context.Background()

// Put writes one key in a transaction of its own.
func Put(s storage.Store, key, value string, expires time.Time) error {
	return s.Update(bg, func(tx storage.Tx) error { return tx.Put([]byte(key), []byte(value), expires) })
}

// Get reads one key in a transaction of its own.
func Get(s storage.Store, key string) (string, error) {
	var out string
	err := s.View(bg, func(tx storage.ReadTx) error {
		v, err := tx.Get([]byte(key))
		out = string(v)
		return err
	})
	return out, err
}

// All returns every live key with the prefix, read in pages of the given size.
func All(tx storage.ReadTx, prefix string, page int) ([]storage.Item, error) {
	var out []storage.Item
	var after []byte
	for {
		items, err := tx.Scan([]byte(prefix), after, page)
		if err != nil {
			return nil, err
		}
		out = append(out, items...)
		if len(items) < page {
			return out, nil
		}
		after = items[len(items)-1].Key
	}
}

func keys(s storage.Store, prefix string, page int) (out []string, err error) {
	err = s.View(bg, func(tx storage.ReadTx) error {
		out = nil
		items, err := All(tx, prefix, page)
		for _, i := range items {
			out = append(out, string(i.Key))
		}
		return err
	})
	return out, err
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, got, want error, what string) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantValue(t testing.TB, s storage.Store, key, want string) {
	t.Helper()
	if got, err := Get(s, key); err != nil || got != want {
		t.Errorf("%q: got %q, %v; want %q", key, got, err, want)
	}
}

func wantAbsent(t testing.TB, s storage.Store, key string) {
	t.Helper()
	if got, err := Get(s, key); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("%q: got %q, %v; want ErrNotFound", key, got, err)
	}
}

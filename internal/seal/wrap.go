package seal

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

// Keys that start with a zero byte are the seal's own. They sort before all
// others, and the store that Wrap returns does not show them.
var (
	configAt  = []byte("\x00seal/config")
	rootAt    = []byte("\x00seal/root")
	keyringAt = []byte("\x00seal/keyring")

	// lastReserved is the greatest key that is the seal's own.
	lastReserved = append([]byte{0}, bytes.Repeat([]byte{0xff}, storage.MaxKeySize-1)...)
)

func reserved(key []byte) bool { return len(key) > 0 && key[0] == 0 }

// Overhead is how many bytes a sealed value is longer than the value. A value
// on the store that Wrap returns is at most storage.MaxValueSize - Overhead
// bytes long.
const Overhead = envelopeExtra

// Wrap returns a store that seals each value before inner sees it and opens it
// again on the way back. Keys go through as they are. A value opens only under
// the key it was written to.
func Wrap(inner storage.Store, kr *Keyring) storage.Store { return &sealed{inner: inner, ring: kr} }

type sealed struct {
	inner storage.Store
	ring  *Keyring
}

func (s *sealed) View(ctx context.Context, fn func(storage.ReadTx) error) error {
	return view(ctx, s.inner, s.ring, fn)
}

func (s *sealed) Update(ctx context.Context, fn func(storage.Tx) error) error {
	return update(ctx, s.inner, s.ring, fn)
}

func (s *sealed) Watch(prefix []byte, notify func(keys [][]byte)) (stop func()) {
	return watch(s.inner, prefix, notify)
}

func (s *sealed) Close() error { return s.inner.Close() }

func view(ctx context.Context, inner storage.Store, ring *Keyring, fn func(storage.ReadTx) error) error {
	return inner.View(ctx, func(tx storage.ReadTx) error { return fn(&readTx{tx, ring}) })
}

func update(ctx context.Context, inner storage.Store, ring *Keyring, fn func(storage.Tx) error) error {
	return inner.Update(ctx, func(tx storage.Tx) error { return fn(&writeTx{readTx{tx, ring}, tx}) })
}

// watch leaves the seal's own keys out of the notices.
func watch(inner storage.Store, prefix []byte, notify func(keys [][]byte)) (stop func()) {
	if len(prefix) > 0 {
		return inner.Watch(prefix, notify)
	}
	return inner.Watch(prefix, func(keys [][]byte) {
		had := len(keys)
		shown := keys[:0]
		for _, key := range keys {
			if !reserved(key) {
				shown = append(shown, key)
			}
		}
		if len(shown) > 0 || had == 0 {
			notify(shown)
		}
	})
}

type readTx struct {
	inner storage.ReadTx
	ring  *Keyring
}

func (t *readTx) Now() time.Time { return t.inner.Now() }

func (t *readTx) Get(key []byte) ([]byte, error) {
	if reserved(key) {
		return nil, storage.ErrNotFound
	}
	value, err := t.inner.Get(key)
	if err != nil {
		return nil, err
	}
	return t.open(key, value)
}

func (t *readTx) Scan(prefix, after []byte, limit int) ([]storage.Item, error) {
	switch {
	case reserved(prefix):
		return nil, nil
	case len(prefix) == 0 && bytes.Compare(after, lastReserved) < 0:
		after = lastReserved
	}
	items, err := t.inner.Scan(prefix, after, limit)
	if err != nil {
		return nil, err
	}
	for i := range items {
		if items[i].Value, err = t.open(items[i].Key, items[i].Value); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// open opens a value. One that names a data key we do not have was written by
// a node that has rotated since; the keyring that it left is in the same
// snapshot.
func (t *readTx) open(key, value []byte) ([]byte, error) {
	out, known, err := t.ring.openValue(key, value)
	if known {
		return out, err
	}
	ring, err := t.inner.Get(keyringAt)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrOpen
	}
	if err != nil {
		return nil, err
	}
	if err := t.ring.learn(ring); err != nil {
		return nil, err
	}
	out, _, err = t.ring.openValue(key, value)
	return out, err
}

type writeTx struct {
	readTx
	tx storage.Tx
}

func (t *writeTx) Put(key, value []byte, expires time.Time) error {
	if reserved(key) {
		return ErrReserved
	}
	if len(value) > storage.MaxValueSize-Overhead {
		return storage.ErrTooLarge
	}
	envelope, err := t.ring.sealValue(key, value)
	if err != nil {
		return err
	}
	return t.tx.Put(key, envelope, expires)
}

func (t *writeTx) Delete(key []byte) error {
	if reserved(key) {
		return ErrReserved
	}
	return t.tx.Delete(key)
}

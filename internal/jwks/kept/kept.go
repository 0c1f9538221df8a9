// Package kept is the memory of key sets that outlives a restart: the last good
// document of each source, in the storage and under the seal.
//
// A document ends with the hour in which a running server would still use it,
// so that nothing has to be cleared away. The names of sources, which tell of
// identity providers, go in as HMACs.
package kept

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/record"
)

const prefix = "jwks/"

// Keyring makes the names. *seal.Keyring does.
type Keyring interface {
	HMAC(purpose string, data []byte) []byte
}

// Store is a jwks.Memory. Build it with New.
type Store struct {
	st   storage.Store
	keys Keyring
}

var _ jwks.Memory = (*Store)(nil)

// New returns a memory in a store, which must be a sealed one.
func New(st storage.Store, keys Keyring) *Store { return &Store{st: st, keys: keys} }

func (s *Store) key(name string) []byte {
	return []byte(prefix + hex.EncodeToString(s.keys.HMAC("jwks source", []byte(name))))
}

// Load returns what was saved under a name and has not ended.
func (s *Store) Load(ctx context.Context, name string) (k jwks.Kept, ok bool, err error) {
	var text []byte
	err = s.st.View(ctx, func(tx storage.ReadTx) (err error) {
		text, err = tx.Get(s.key(name))
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return jwks.Kept{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &k, record.JSON)
	}
	if err != nil {
		return jwks.Kept{}, false, fmt.Errorf("kept keys: %w", err)
	}
	return k, true, nil
}

// Save keeps k until the given instant, unless another node has kept what it
// fetched later: a key that is withdrawn must not come back with a slow write.
func (s *Store) Save(ctx context.Context, name string, k jwks.Kept, until time.Time) error {
	text, err := json.Marshal(k, record.JSON)
	if err == nil {
		err = s.st.Update(ctx, func(tx storage.Tx) error {
			later, err := s.hasLater(tx, name, k)
			if err != nil || later {
				return err
			}
			return tx.Put(s.key(name), text, until)
		})
	}
	if err != nil {
		return fmt.Errorf("kept keys: %w", err)
	}
	return nil
}

// hasLater reports whether a later fetch than k's is kept. One of the
// future, by a clock that was wrong, is none, and so is one that cannot be read.
func (s *Store) hasLater(tx storage.ReadTx, name string, k jwks.Kept) (bool, error) {
	text, err := tx.Get(s.key(name))
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var old jwks.Kept
	if err := json.Unmarshal(text, &old, record.JSON); err != nil {
		return false, nil //nolint:nilerr // what cannot be read is written anew
	}
	return old.Fetched.After(k.Fetched) && !old.Fetched.After(tx.Now()), nil
}

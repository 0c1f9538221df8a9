package session

import (
	"errors"

	"github.com/jotgate/jotgate/internal/storage"
)

// Stored reports whether there is still a record of the token whose ID is
// given in hex. A token without a record never comes back, so that what
// belonged to it can go.
func (s *Store) Stored(tx storage.ReadTx, id string) (bool, error) {
	t, ok := ParseID(id)
	if !ok {
		return false, nil
	}
	_, err := tx.Get(tokenKey(t))
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

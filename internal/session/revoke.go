package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Revoke ends a token by its text, and with it all its children. A token that
// is unknown or over already is no error. A batch token is fault.Invalid.
func (s *Store) Revoke(ctx context.Context, token string) error {
	if token == "" {
		return fault.New(fault.Invalid, "missing token ID")
	}
	if strings.HasPrefix(token, batchPrefix) {
		return errBatchRevoke
	}
	if len(token) > MaxTokenSize {
		return nil
	}
	return s.db.Update(ctx, func(tx storage.Tx) error {
		t, err := s.find(tx, token)
		return s.removeFound(tx, &t, err)
	})
}

var errBatchRevoke = fault.New(fault.Invalid, "batch tokens cannot be revoked")

// removeFound removes what a search found; finding nothing is no error.
func (s *Store) removeFound(tx storage.Tx, t *Token, err error) error {
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.remove(tx, t)
}

// RevokeID ends the token with this storage name, and with it all its
// children. The zero ID is a batch token's.
func (s *Store) RevokeID(ctx context.Context, id ID) error {
	if id.IsZero() {
		return errBatchRevoke
	}
	return s.db.Update(ctx, func(tx storage.Tx) error {
		t, err := s.load(tx, id)
		return s.removeFound(tx, &t, err)
	})
}

// RevokeAccessor ends the token with this accessor, and with it all its
// children. found is false when no live token has it.
func (s *Store) RevokeAccessor(ctx context.Context, accessor string) (found bool, err error) {
	if accessor == "" {
		return false, errMissingAccessor
	}
	err = s.db.Update(ctx, func(tx storage.Tx) error {
		found = false
		t, err := s.byAccessor(tx, accessor)
		if errors.Is(err, errAbsent) {
			return nil
		}
		if err != nil {
			return err
		}
		found = true
		return s.remove(tx, &t)
	})
	return found, err
}

// RevokeOrphan ends a token but lets its children live on as orphans. An
// unknown token is fault.Invalid.
func (s *Store) RevokeOrphan(ctx context.Context, token string) error {
	if token == "" {
		return fault.New(fault.Invalid, "missing token ID")
	}
	if strings.HasPrefix(token, batchPrefix) {
		return errBatchRevoke
	}
	err := s.db.Update(ctx, func(tx storage.Tx) error {
		t, err := s.open(tx, token)
		if err != nil {
			return err
		}
		if err := s.remove(tx, &t); err != nil || t.flags&flagParent == 0 {
			return err
		}
		// Children name this record. A ghost in its place tells them that
		// their parent is gone and that they are not.
		ghost := Token{ID: t.ID, flags: flagGhost | t.flags&flagBatchParent}
		return s.save(tx, &ghost)
	})
	if errors.Is(err, errAbsent) {
		return fault.New(fault.Invalid, "token to revoke not found")
	}
	return err
}

// RevokePrefix ends every token whose lease id starts with the path prefix,
// such as "auth/jwt/" for all tokens of a mount, batch tokens aside. A prefix
// without a slash at its end may also be one whole lease id. It works in
// pages: if it fails half-way, calling it again goes on.
func (s *Store) RevokePrefix(ctx context.Context, prefix string) error {
	if !strings.HasSuffix(prefix, "/") {
		if id, ok := leaseToken(prefix); ok {
			return s.RevokeID(ctx, id)
		}
		prefix += "/"
	}
	if prefix == "/" {
		return fault.New(fault.Invalid, "prefix must not be empty")
	}
	for {
		n := 0
		err := s.db.Update(ctx, func(tx storage.Tx) error {
			items, err := tx.Scan(leaseKey(prefix), nil, pageSize)
			if err != nil {
				return fmt.Errorf("session: list leases: %w", err)
			}
			n = len(items)
			for _, it := range items {
				if err := s.removeLease(tx, string(it.Key[len(leasePrefix):])); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || n < pageSize {
			return err
		}
	}
}

// removeLease removes a lease and its token.
func (s *Store) removeLease(tx storage.Tx, lease string) error {
	if err := tx.Delete(leaseKey(lease)); err != nil {
		return err
	}
	id, ok := leaseToken(lease)
	if !ok {
		return nil
	}
	t, err := s.load(tx, id)
	return s.removeFound(tx, &t, err)
}

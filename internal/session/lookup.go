package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Errors of the token endpoints.
var (
	errBadToken        = fault.New(fault.Denied, "bad token")
	errInvalidAccessor = fault.New(fault.Invalid, "invalid accessor")
	errMissingAccessor = fault.New(fault.Invalid, "missing accessor")
)

// Lookup returns a live token by its text. A token that is unknown or over is
// fault.Denied with the text "bad token". No use is taken.
func (s *Store) Lookup(ctx context.Context, token string) (t Token, err error) {
	if token == "" {
		return Token{}, fault.New(fault.Invalid, "missing token ID")
	}
	if len(token) > MaxTokenSize {
		return Token{}, errBadToken
	}
	err = s.db.View(ctx, func(tx storage.ReadTx) error {
		t, err = s.open(tx, token)
		return err
	})
	if errors.Is(err, errAbsent) {
		return Token{}, errBadToken
	}
	return t, err
}

// LookupAccessor returns a live token by its accessor. An unknown accessor is
// fault.Invalid.
func (s *Store) LookupAccessor(ctx context.Context, accessor string) (t Token, err error) {
	if accessor == "" {
		return Token{}, errMissingAccessor
	}
	err = s.db.View(ctx, func(tx storage.ReadTx) error {
		t, err = s.byAccessor(tx, accessor)
		return err
	})
	if errors.Is(err, errAbsent) {
		return Token{}, errInvalidAccessor
	}
	return t, err
}

// byAccessor returns a live token or errAbsent.
func (s *Store) byAccessor(tx storage.ReadTx, accessor string) (Token, error) {
	if !isAccessor(accessor) {
		return Token{}, errAbsent
	}
	return s.byID(tx, s.idOf(accessor))
}

// byID returns a live token or errAbsent.
func (s *Store) byID(tx storage.ReadTx, id ID) (Token, error) {
	t, err := s.load(tx, id)
	if err != nil {
		return Token{}, err
	}
	ok, err := s.alive(tx, &t)
	if err != nil {
		return Token{}, err
	}
	if !ok {
		return Token{}, errAbsent
	}
	return t, nil
}

// Self returns the stored token of a caller that was authenticated, also when
// this request was its last use. It fails with fault.Denied if the token was
// revoked meanwhile.
func (s *Store) Self(ctx context.Context, id ID) (t Token, err error) {
	err = s.db.View(ctx, func(tx storage.ReadTx) error {
		t, err = s.self(tx, id)
		return err
	})
	return t, err
}

func (s *Store) self(tx storage.ReadTx, id ID) (Token, error) {
	t, err := s.load(tx, id)
	if errors.Is(err, errAbsent) {
		return Token{}, denied(ReasonUnknown)
	}
	if err != nil {
		return Token{}, err
	}
	spent := t.flags & flagSpent
	t.flags &^= flagSpent
	ok, err := s.alive(tx, &t)
	t.flags |= spent
	if err != nil {
		return Token{}, err
	}
	if !ok {
		return Token{}, denied(ReasonUnknown)
	}
	return t, nil
}

// IdentityPolicies returns the policies that the token's entity has now.
func (s *Store) IdentityPolicies(ctx context.Context, t Token) (list []string, err error) {
	err = s.db.View(ctx, func(tx storage.ReadTx) error {
		list, err = s.identityPolicies(tx, t.EntityID)
		return err
	})
	return list, err
}

// pageSize is how many keys one transaction of a long walk looks at.
const pageSize = 512

// Accessors calls visit with the accessor of each live stored token, in no
// useful order, until visit returns false.
func (s *Store) Accessors(ctx context.Context, visit func(accessor string) bool) error {
	return s.walk(ctx, func(tx storage.ReadTx, t *Token) (bool, error) {
		ok, err := s.alive(tx, t)
		if err != nil || !ok {
			return err == nil, err
		}
		return visit(t.Accessor), nil
	})
}

// walk visits each stored record that is not a ghost, page by page.
func (s *Store) walk(ctx context.Context, visit func(storage.ReadTx, *Token) (bool, error)) error {
	var after []byte
	for {
		more := false
		err := s.db.View(ctx, func(tx storage.ReadTx) error {
			items, err := tx.Scan([]byte(tokenPrefix), after, pageSize)
			if err != nil {
				return fmt.Errorf("session: list tokens: %w", err)
			}
			more = len(items) == pageSize
			for _, it := range items {
				after = it.Key
				t, err := decodeItem(it)
				if errors.Is(err, errAbsent) {
					continue
				}
				if err != nil {
					return err
				}
				if on, err := visit(tx, &t); err != nil || !on {
					more = false
					return err
				}
			}
			return nil
		})
		if err != nil || !more {
			return err
		}
	}
}

func decodeItem(it storage.Item) (Token, error) {
	var id ID
	if copy(id[:], it.Key[len(tokenPrefix):]) != idSize {
		return Token{}, errAbsent
	}
	if h, err := decodeHead(it.Value); err == nil && h.flags&flagGhost != 0 {
		return Token{}, errAbsent
	}
	t, err := decodeToken(id, it.Value)
	if err != nil {
		return Token{}, fmt.Errorf("session: %w", err)
	}
	return t, nil
}

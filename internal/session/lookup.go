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

// self returns the stored token of a caller that was authenticated, also when
// this request was its last use. It fails with fault.Denied if the token was
// revoked meanwhile.
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
	return s.walk(ctx, func(t *Token, alive bool) bool { return !alive || visit(t.Accessor) })
}

// page reads one page of keys in a snapshot of its own and keeps the items
// that judge wants. more is false on the last page; last is where the next one
// goes on. Nothing outside changes until the snapshot is done with, as the
// storage may run it twice.
func (s *Store) page(ctx context.Context, prefix, after []byte, judge func(storage.ReadTx, storage.Item) (bool, error)) (kept []storage.Item, last []byte, more bool, err error) {
	err = s.db.View(ctx, func(tx storage.ReadTx) error {
		items, err := tx.Scan(prefix, after, pageSize)
		if err != nil {
			return fmt.Errorf("session: list: %w", err)
		}
		kept, last, more = nil, after, len(items) == pageSize
		for _, it := range items {
			last = it.Key
			ok, err := judge(tx, it)
			if err != nil {
				return err
			}
			if ok {
				kept = append(kept, it)
			}
		}
		return nil
	})
	return kept, last, more, err
}

// walk visits each stored record that is not a ghost and tells whether it is
// alive, until visit returns false.
func (s *Store) walk(ctx context.Context, visit func(t *Token, alive bool) bool) error {
	var after []byte
	for more := true; more; {
		type seen struct {
			t     Token
			alive bool
		}
		var found map[string]seen
		items, last, on, err := s.page(ctx, []byte(tokenPrefix), after, func(tx storage.ReadTx, it storage.Item) (bool, error) {
			t, err := decodeItem(it)
			if errors.Is(err, errAbsent) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			alive, err := s.alive(tx, &t)
			if found == nil {
				found = make(map[string]seen, pageSize)
			}
			found[string(it.Key)] = seen{t, alive}
			return true, err
		})
		if err != nil {
			return err
		}
		for _, it := range items {
			if v := found[string(it.Key)]; !visit(&v.t, v.alive) {
				return nil
			}
		}
		after, more = last, on
	}
	return nil
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

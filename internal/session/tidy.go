package session

import (
	"context"
	"errors"

	"github.com/jotgate/jotgate/internal/storage"
)

// Tidied counts what Tidy removed.
type Tidied struct {
	Tokens int // tokens that can never be used again
	Ghosts int // stand-ins for parents that no child names any more
}

// Tidy removes what can never be used again but has no end of its own: tokens
// whose parent is gone, and the records that stand in for parents that were
// revoked without their children. Nothing depends on it being called.
func (s *Store) Tidy(ctx context.Context) (Tidied, error) {
	// The ghosts come first: a ghost gets no new children, so names that are
	// collected later are complete for it.
	ghosts, err := s.ghosts(ctx)
	if err != nil {
		return Tidied{}, err
	}
	var dead []ID
	named := map[ID]bool{}
	err = s.walk(ctx, func(t *Token, alive bool) bool {
		named[t.Parent] = true
		if !alive {
			dead = append(dead, t.ID)
		}
		return true
	})
	if err != nil {
		return Tidied{}, err
	}
	var done Tidied
	for _, id := range dead {
		if err := s.removeDead(ctx, id); err != nil {
			return done, err
		}
		done.Tokens++
	}
	for _, id := range ghosts {
		if named[id] {
			continue
		}
		if err := s.db.Update(ctx, func(tx storage.Tx) error { return tx.Delete(tokenKey(id)) }); err != nil {
			return done, err
		}
		done.Ghosts++
	}
	return done, nil
}

// TryTidy is Tidy unless one is running already, which ok tells.
func (s *Store) TryTidy(ctx context.Context) (done Tidied, ok bool, err error) {
	if !s.tidying.CompareAndSwap(false, true) {
		return Tidied{}, false, nil
	}
	defer s.tidying.Store(false)
	done, err = s.Tidy(ctx)
	return done, true, err
}

// TidyLater runs Tidy in the background and hands its outcome to done. It
// returns false if one is running already.
func (s *Store) TidyLater(done func(Tidied, error)) bool {
	if !s.tidying.CompareAndSwap(false, true) {
		return false
	}
	go func() {
		defer s.tidying.Store(false)
		done(s.Tidy(context.Background()))
	}()
	return true
}

// removeDead removes a token unless it is alive after all, or the request that
// used it up may still be under way.
func (s *Store) removeDead(ctx context.Context, id ID) error {
	return s.db.Update(ctx, func(tx storage.Tx) error {
		t, err := s.load(tx, id)
		if errors.Is(err, errAbsent) {
			return nil
		}
		if err != nil || t.flags&flagSpent != 0 {
			return err
		}
		if ok, err := s.alive(tx, &t); ok || err != nil {
			return err
		}
		return s.remove(tx, &t)
	})
}

// ghosts returns the stand-ins that may be removed once nobody names them.
// Those that batch tokens may name are not among them: no list shows these.
func (s *Store) ghosts(ctx context.Context) (ids []ID, err error) {
	var after []byte
	for more := true; more; {
		var items []storage.Item
		items, after, more, err = s.page(ctx, []byte(tokenPrefix), after, func(_ storage.ReadTx, it storage.Item) (bool, error) {
			h, err := decodeHead(it.Value)
			return err == nil && h.flags&(flagGhost|flagBatchParent) == flagGhost, nil
		})
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			var id ID
			copy(id[:], it.Key[len(tokenPrefix):])
			ids = append(ids, id)
		}
	}
	return ids, nil
}

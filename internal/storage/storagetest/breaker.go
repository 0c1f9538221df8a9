package storagetest

import (
	"context"
	"sync/atomic"

	"github.com/jotgate/jotgate/internal/storage"
)

// Breaker is a store that a test breaks and mends while it is in use. While
// broken it answers ErrInjected.
type Breaker struct {
	storage.Store
	// NoViews and NoUpdates break it in part.
	NoViews, NoUpdates atomic.Bool
}

// View implements storage.Store.
func (b *Breaker) View(ctx context.Context, fn func(storage.ReadTx) error) error {
	if b.NoViews.Load() {
		return ErrInjected
	}
	return b.Store.View(ctx, fn)
}

// Update implements storage.Store.
func (b *Breaker) Update(ctx context.Context, fn func(storage.Tx) error) error {
	if b.NoUpdates.Load() {
		return ErrInjected
	}
	return b.Store.Update(ctx, fn)
}

// Switch is a store in whose place a test puts another while it is in use.
type Switch struct {
	storage.Store
	other atomic.Pointer[storage.Store]
}

// Use puts another store in place; nil puts the own one back.
func (s *Switch) Use(other storage.Store) {
	if other == nil {
		s.other.Store(nil)
		return
	}
	s.other.Store(&other)
}

func (s *Switch) now() storage.Store {
	if o := s.other.Load(); o != nil {
		return *o
	}
	return s.Store
}

// View implements storage.Store.
func (s *Switch) View(ctx context.Context, fn func(storage.ReadTx) error) error {
	return s.now().View(ctx, fn)
}

// Update implements storage.Store.
func (s *Switch) Update(ctx context.Context, fn func(storage.Tx) error) error {
	return s.now().Update(ctx, fn)
}

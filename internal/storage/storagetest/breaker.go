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

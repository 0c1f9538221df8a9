package storagetest

import (
	"context"
	"errors"

	"github.com/jotgate/jotgate/internal/storage"
)

// Twice returns a store that runs every function twice and keeps only what the
// second run did, as a driver does whose first attempt collided with another
// transaction. A test that passes on s and fails on Twice(s) has found a
// function that carries something over from one run to the next.
func Twice(s storage.Store) storage.Store { return twice{s} }

type twice struct{ storage.Store }

var errFirst = errors.New("storagetest: the first of two runs")

func (t twice) View(ctx context.Context, fn func(storage.ReadTx) error) error {
	return t.Store.View(ctx, func(tx storage.ReadTx) error {
		_ = fn(tx)
		return fn(tx)
	})
}

func (t twice) Update(ctx context.Context, fn func(storage.Tx) error) error {
	err := t.Store.Update(ctx, func(tx storage.Tx) error {
		_ = fn(tx)
		return errFirst
	})
	if !errors.Is(err, errFirst) {
		return err
	}
	return t.Store.Update(ctx, fn)
}

package seal

import (
	"context"
	"fmt"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal/shamir"
	"github.com/jotgate/jotgate/internal/storage"
)

// Unseal takes one share and returns how far the attempt has come. The same
// share given twice counts once. When the threshold is reached the shares are
// tried: if they do not open the root key the answer is ErrWrongKey and the
// attempt starts over; nothing else is lost. On an unsealed barrier it changes
// nothing.
func (b *Barrier) Unseal(ctx context.Context, share []byte) (Status, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, err := b.load(ctx)
	if err != nil {
		return Status{}, err
	}
	if !b.Sealed() {
		return b.status(ctx)
	}
	if err := b.shares.Add(share); err != nil {
		return Status{}, err
	}
	if b.nonce == "" {
		b.nonce = NewNonce()
	}
	if b.shares.Len() < c.Threshold {
		return b.status(ctx)
	}
	err = b.tryShares(ctx, c)
	b.resetAttempt()
	if err != nil {
		return Status{}, err
	}
	return b.status(ctx)
}

func (b *Barrier) tryShares(ctx context.Context, c *config) error {
	unseal, err := c.combine(b.shares.List())
	if err != nil {
		return err
	}
	defer clear(unseal)
	return b.take(ctx, unseal)
}

// combine returns the unseal key that the shares give, right or wrong.
func (c *config) combine(shares [][]byte) ([]byte, error) {
	if len(shares) < c.Threshold {
		return nil, ErrWrongKey
	}
	if c.Shares == 1 {
		return append([]byte(nil), shares[0]...), nil
	}
	unseal, err := shamir.Combine(shares)
	if err != nil || len(unseal) != KeySize {
		return nil, ErrWrongKey
	}
	return unseal, nil
}

// ResetUnseal drops the shares that this attempt has collected.
func (b *Barrier) ResetUnseal(ctx context.Context) (Status, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.resetAttempt()
	return b.status(ctx)
}

func (b *Barrier) resetAttempt() {
	b.shares.Clear()
	b.nonce = ""
}

// UnsealWithKey unseals with a whole unseal key, as a node does for itself. It
// returns ErrWrongKey for the key of another store, and ErrNotInitialized.
func (b *Barrier) UnsealWithKey(ctx context.Context, key []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(key) != KeySize {
		return errKeySize(len(key))
	}
	c, err := b.load(ctx)
	if err != nil {
		return err
	}
	if c.Shares != 1 {
		return fault.Newf(fault.Invalid, "this store is unsealed with %d of %d shares, not with a key: leave the key out",
			c.Threshold, c.Shares).WithReason("invalid_key")
	}
	return b.take(ctx, key)
}

// take opens root key and keyring and puts them to use.
func (b *Barrier) take(ctx context.Context, unseal []byte) error {
	return b.inner.View(ctx, func(tx storage.ReadTx) error {
		root, err := rootFrom(tx, unseal)
		if err != nil {
			return err
		}
		defer clear(root)
		aead, err := newAEAD(root)
		if err != nil {
			return fmt.Errorf("%w: the root key has a wrong size", storage.ErrDamaged)
		}
		envelope, err := sealRecord(tx, keyringAt, "the keyring's")
		if err != nil {
			return err
		}
		f, err := openRing(aead, envelope)
		if err != nil {
			return err
		}
		return b.ring.use(f, aead)
	})
}

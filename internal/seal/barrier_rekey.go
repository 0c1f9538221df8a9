package seal

import (
	"bytes"
	"context"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// ErrRekeyed is returned for a new unseal key that was made from a seal which
// somebody else has given another unseal key since.
var ErrRekeyed error = fault.New(fault.Conflict, "the unseal key was replaced in the meantime: start again with the new shares").WithReason("rekeyed")

// NewUnsealKey is an unseal key that is made but not yet in force, so that its
// holders can prove that they kept it. Until Commit the old one opens the
// store, and afterwards only the new one does.
type NewUnsealKey struct {
	Shares [][]byte // shown once and kept nowhere; nil with InitOptions.Key

	barrier *Barrier
	config  config
	records []record
	was     []byte // the root key's record that the new one replaces
}

// Rekey replaces the unseal key: new shares, or a key, take the place of the
// old ones, which have to be given to prove that their holders agree. Root key
// and values stay, and so do other nodes unsealed.
func (b *Barrier) Rekey(ctx context.Context, old [][]byte, o InitOptions) (InitResult, error) {
	n, err := b.PrepareRekey(ctx, old, o)
	if err == nil {
		err = n.Commit(ctx)
	}
	if err != nil {
		return InitResult{}, err
	}
	return InitResult{Shares: n.Shares}, nil
}

// PrepareRekey makes a new unseal key and changes nothing yet. It returns
// ErrWrongKey unless old opens the root key.
func (b *Barrier) PrepareRekey(ctx context.Context, old [][]byte, o InitOptions) (*NewUnsealKey, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	root, was, err := b.prove(ctx, old)
	if err != nil {
		return nil, err
	}
	defer clear(root)
	unseal, c, result, err := b.divide(o)
	if err != nil {
		return nil, err
	}
	defer clear(unseal)
	records, err := unsealRecords(c, unseal, root)
	if err != nil {
		return nil, err
	}
	return &NewUnsealKey{Shares: result.Shares, barrier: b, config: c, records: records, was: was}, nil
}

// Opens reports whether the shares, in the number that the new threshold asks
// for, are of this key.
func (n *NewUnsealKey) Opens(shares [][]byte) bool {
	unseal, err := n.config.combine(shares)
	if err != nil {
		return false
	}
	defer clear(unseal)
	aead, err := newAEAD(unseal)
	if err != nil {
		return false
	}
	root, err := aead.Open(nil, nil, n.records[1].value, rootAt)
	clear(root)
	return err == nil
}

// Commit puts the key in force. It returns ErrRekeyed if another key was put
// in force since this one was made.
func (n *NewUnsealKey) Commit(ctx context.Context) error {
	b := n.barrier
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.inner.Update(ctx, func(tx storage.Tx) error {
		now, err := sealRecord(tx, rootAt, "the root key's")
		switch {
		case err != nil:
			return err
		case !bytes.Equal(now, n.was):
			return ErrRekeyed
		}
		return putAll(tx, n.records)
	})
	if err != nil {
		return err
	}
	b.config = &n.config
	b.resetAttempt()
	return nil
}

// Prove returns nil if the shares open the root key, which shows that as many
// of their holders agree as unsealing takes, and ErrWrongKey if not.
func (b *Barrier) Prove(ctx context.Context, shares [][]byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	root, _, err := b.prove(ctx, shares)
	clear(root)
	return err
}

// prove returns the root key that the shares open and the record it is in.
// b.mu is held.
func (b *Barrier) prove(ctx context.Context, shares [][]byte) (root, envelope []byte, err error) {
	c, err := b.load(ctx)
	if err != nil {
		return nil, nil, err
	}
	unseal, err := c.combine(shares)
	if err != nil {
		return nil, nil, err
	}
	defer clear(unseal)
	err = b.inner.View(ctx, func(tx storage.ReadTx) error {
		if root, err = rootFrom(tx, unseal); err != nil {
			return err
		}
		envelope, err = tx.Get(rootAt)
		return err
	})
	if err != nil {
		clear(root)
		return nil, nil, err
	}
	return root, bytes.Clone(envelope), nil
}

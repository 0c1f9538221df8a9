package storage

import (
	"bytes"
	"context"
	"fmt"
)

// sweepStep is how many keys one transaction of Sweep removes. It is small
// because a scan brings the values along.
const sweepStep = 32

// Sweep removes what belongs to owners that are gone, such as what is left of a
// mount whose removal was interrupted. Below prefix each key begins with its
// owner, of which size tells the length in bytes; something must follow it.
// alive tells whether an owner is still there and is asked again in each
// transaction that removes; an owner that is gone must never come back.
func Sweep(ctx context.Context, s Store, prefix []byte, size func(rest []byte) int, alive func(tx ReadTx, owner []byte) (bool, error)) error {
	var after []byte
	for {
		var base []byte
		dead := false
		err := s.View(ctx, func(tx ReadTx) error {
			base, dead = nil, false
			items, err := tx.Scan(prefix, after, 1)
			if err != nil || len(items) == 0 {
				return err
			}
			n := size(items[0].Key[len(prefix):])
			if n <= 0 { // never take all for the leavings of nobody
				return fmt.Errorf("%w: a key below %q names no owner", ErrDamaged, prefix)
			}
			base = items[0].Key[:len(prefix)+n]
			ok, err := alive(tx, base[len(prefix):])
			dead = !ok && err == nil
			return err
		})
		if err != nil || base == nil {
			return err
		}
		for dead {
			if dead, err = sweepSome(ctx, s, base, len(prefix), alive); err != nil {
				return err
			}
		}
		after = behind(base)
	}
}

// sweepSome removes some keys of an owner and reports whether there may be more.
func sweepSome(ctx context.Context, s Store, base []byte, prefix int, alive func(ReadTx, []byte) (bool, error)) (more bool, err error) {
	err = s.Update(ctx, func(tx Tx) error {
		more = false
		ok, err := alive(tx, base[prefix:])
		if ok || err != nil {
			return err
		}
		items, err := tx.Scan(base, nil, sweepStep)
		if err != nil {
			return err
		}
		for _, it := range items {
			if err := tx.Delete(it.Key); err != nil {
				return err
			}
		}
		more = len(items) == sweepStep
		return nil
	})
	return more, err
}

// behind returns the key behind all that begin with base and go on.
func behind(base []byte) []byte {
	end := bytes.TrimRight(base, "\xff")
	end = bytes.Clone(end)
	if n := len(end); n > 0 {
		end[n-1]++
	}
	return end
}

package kv

import (
	"bytes"
	"context"

	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
)

// purgeStep is how many keys one transaction of Purge removes. It is small
// because a scan brings the values along, and each may be MaxValue long.
const purgeStep = 32

// Purge removes everything of a mount that is being disabled: the pass is the
// one for deleting it. It works in many small transactions and may be called
// again after a failure. The mount must already be unreachable.
func (e *Engine) Purge(ctx context.Context, pass gate.Pass, mount, uuid string) error {
	if err := allow(pass, "sys/mounts/"+trimSlash(mount), opDelete); err != nil {
		return err
	}
	prefix := []byte("kv/" + uuid + "/")
	for {
		more := false
		err := e.store.Update(ctx, func(tx storage.Tx) error {
			items, err := tx.Scan(prefix, nil, purgeStep)
			if err != nil {
				return err
			}
			more = len(items) == purgeStep
			for _, it := range items {
				if err := tx.Delete(it.Key); err != nil {
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

// Sweep removes what is left of mounts that are gone: a removal that was
// interrupted, or a write that was under way then. stored says whether the mount
// with a UUID still exists. It takes no Pass and reveals nothing: nobody can
// reach what it removes.
func (e *Engine) Sweep(ctx context.Context, stored func(tx storage.ReadTx, uuid string) (bool, error)) error {
	return storage.Sweep(ctx, e.store, []byte("kv/"),
		func(rest []byte) int { return bytes.IndexByte(rest, '/') + 1 },
		func(tx storage.ReadTx, owner []byte) (bool, error) { return stored(tx, trimSlash(string(owner))) })
}

func trimSlash(s string) string {
	for len(s) > 0 && s[len(s)-1] == '/' {
		s = s[:len(s)-1]
	}
	return s
}

package objects

import (
	"context"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// maxReindex bounds how many objects one change of an index may rewrite.
const maxReindex = 20000

// reindex moves every object from the index keys of one definition to those of
// the next, in the same transaction as the definition.
func (e *Engine) reindex(ctx context.Context, tx storage.Tx, from, to *collection) error {
	return e.everyObject(ctx, tx, from, func(o *object) error {
		for _, n := range e.entries(from, o) {
			if err := tx.Delete(n.key); err != nil {
				return err
			}
		}
		return e.store(tx, to, nil, o)
	})
}

func (e *Engine) everyObject(ctx context.Context, tx storage.ReadTx, c *collection, do func(*object) error) error {
	prefix := c.keyOf("obj/d/", 0)
	var after []byte
	for n := 0; ; {
		items, err := tx.Scan(prefix, after, 256)
		if err != nil {
			return err
		}
		if n += len(items); n > maxReindex {
			return fault.Newf(fault.Conflict, "The collection holds more than %d objects; its indexes can no longer be changed.", maxReindex)
		}
		for _, it := range items {
			o, err := decodeObject(id(it.Key[len(prefix):]), it.Value)
			if err != nil {
				return err
			}
			if err := do(o); err != nil {
				return err
			}
		}
		if len(items) < 256 {
			return ctx.Err()
		}
		after = items[len(items)-1].Key
	}
}

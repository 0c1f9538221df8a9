package objects

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// maxTransaction bounds a transaction id, in bytes.
const maxTransaction = 256

// noteTransaction remembers which tokens a transaction made, for a day.
func (e *Engine) noteTransaction(tx storage.Tx, c *collection, name string, made []TokenValue) error {
	if name == "" {
		return nil
	}
	ids, err := e.transaction(tx, c, name)
	if err != nil {
		return err
	}
	if ids != nil {
		return fault.New(fault.Conflict, "The transaction id was used before.").WithDetail("parameter", "transaction_id")
	}
	ids = []string{}
	for _, t := range made {
		if !slices.Contains(ids, t.TokenID) {
			ids = append(ids, t.TokenID)
		}
	}
	b, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return tx.Put(e.transactionKey(c, name), b, tx.Now().Add(24*time.Hour))
}

func (e *Engine) transactionKey(c *collection, name string) []byte {
	h := e.nameHash(c, "transaction", name)
	return slices.Concat(c.keyOf("obj/tx/", 16), h[:])
}

func (e *Engine) transaction(tx storage.ReadTx, c *collection, name string) ([]string, error) {
	b, err := tx.Get(e.transactionKey(c, name))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	return ids, json.Unmarshal(b, &ids)
}

// Transaction returns the tokens that a transaction made. A caller whose token
// narrows gets those that it may touch.
func (e *Engine) Transaction(ctx context.Context, call Call, name string) ([]string, error) {
	if err := call.check("get-by-transaction-id", "/transaction_id/"+name); err != nil {
		return nil, err
	}
	out := []string{}
	err := e.resolve(ctx, call, func(r *resolver) error {
		tx, c := r.tx, r.c
		if err := call.askOne("read", c.tokens); err != nil {
			return err
		}
		s := &selector{resolver: r}
		ids, err := e.transaction(tx, c, name)
		if err != nil {
			return err
		}
		out = out[:0]
		for _, tokenID := range ids {
			t, err := loadToken(tx, c, e.tokenHash(c, tokenID))
			if err != nil {
				return err
			}
			if t == nil {
				continue
			}
			ok, err := s.any(t)
			if err != nil {
				return err
			}
			if ok {
				out = append(out, tokenID)
			}
		}
		return nil
	})
	return out, err
}

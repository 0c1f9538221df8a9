// Package cubbyhole is a drawer for each client token: what a token puts there
// only this token sees, and it is gone when the token is.
//
// The engine refuses callers without a service token, and every call without a
// Pass of the gate for exactly this operation on exactly this path. It never
// takes the token's name from its caller: the Pass says who is calling.
package cubbyhole

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/storage"
)

// prefix stands before every key: then the token's storage name, 'v' or 'l',
// and the path. 'v' holds values, 'l' nothing, for lists.
const prefix = "cubby/"

var errNotService = fault.New(fault.Invalid, "cubbyhole operations are only supported by 'service' type tokens")

// Engine is the engine behind the cubbyhole mount. All methods are safe for
// concurrent use.
type Engine struct{ store storage.Store }

// New returns an engine that keeps its values in store.
func New(store storage.Store) *Engine { return &Engine{store: store} }

// owner checks the pass and returns the drawer's key prefix.
func owner(pass gate.Pass, path string, ops ...gate.Operation) (string, error) {
	var err error
	for _, op := range ops {
		if err = pass.Check(op, path); err == nil {
			break
		}
	}
	if err != nil {
		return "", err
	}
	p := pass.Principal()
	id := p.Attrs().TokenID
	if p.Kind() != principal.ServiceToken || id == "" {
		return "", errNotService
	}
	return prefix + id, nil
}

func key(own string, kind byte, path string) []byte {
	k := make([]byte, 0, len(own)+3+len(path))
	k = append(append(k, own...), '/', kind, '/')
	return append(k, path...)
}

// Read returns the value at path inside the mount; nothing there is NotFound.
func (e *Engine) Read(ctx context.Context, pass gate.Pass, mount, path string) (jsontext.Value, error) {
	own, err := owner(pass, mount+path, "read")
	if err != nil {
		return nil, err
	}
	if err := drawer.CheckPath(path); err != nil {
		return nil, err
	}
	var out jsontext.Value
	err = e.store.View(ctx, func(tx storage.ReadTx) error {
		raw, err := tx.Get(key(own, 'v', path))
		if errors.Is(err, storage.ErrNotFound) {
			return drawer.ErrNotFound
		}
		out = raw
		return err
	})
	return out, err
}

// Write replaces the value at path.
func (e *Engine) Write(ctx context.Context, pass gate.Pass, mount, path string, data jsontext.Value) error {
	own, err := owner(pass, mount+path, "create", "update")
	if err != nil {
		return err
	}
	if err := drawer.CheckPath(path); err != nil {
		return err
	}
	if data, err = drawer.Object(data); err != nil {
		return err
	}
	return e.store.Update(ctx, func(tx storage.Tx) error {
		if err := tx.Put(key(own, 'l', path), nil, time.Time{}); err != nil {
			return err
		}
		return tx.Put(key(own, 'v', path), data, time.Time{})
	})
}

// Delete removes the value at path. It succeeds also when there is none.
func (e *Engine) Delete(ctx context.Context, pass gate.Pass, mount, path string) error {
	own, err := owner(pass, mount+path, "delete")
	if err != nil {
		return err
	}
	if err := drawer.CheckPath(path); err != nil {
		return err
	}
	return e.store.Update(ctx, func(tx storage.Tx) error {
		if err := tx.Delete(key(own, 'l', path)); err != nil {
			return err
		}
		return tx.Delete(key(own, 'v', path))
	})
}

// List returns the names directly inside a folder; folders end in a slash. An
// empty folder is NotFound.
func (e *Engine) List(ctx context.Context, pass gate.Pass, mount, path string, p drawer.Page) ([]string, error) {
	folder, err := drawer.Folder(path)
	if err != nil {
		return nil, err
	}
	own, err := owner(pass, mount+folder, "list")
	if err != nil {
		return nil, err
	}
	var out []string
	err = e.store.View(ctx, func(tx storage.ReadTx) (err error) {
		out, err = drawer.Names(tx, key(own, 'l', folder), p)
		return err
	})
	return out, err
}

// Exists reports whether the caller has a value at path. It takes no Pass: the
// gate asks it while it decides between create and update.
func (e *Engine) Exists(ctx context.Context, p *principal.Principal, path string) (bool, error) {
	id := p.Attrs().TokenID
	if id == "" || !drawer.ValidPath(path) {
		return false, nil // the write itself will say what is wrong
	}
	found := false
	err := e.store.View(ctx, func(tx storage.ReadTx) error {
		_, err := tx.Get(key(prefix+id, 'l', path))
		if found = err == nil; errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		return err
	})
	return found, err
}

// dropStep is how many keys one step of Drop and Sweep looks at. It is small
// because a scan brings the values along.
const dropStep = 16

// Drop removes a token's drawer within the transaction that removes the token.
// It takes no Pass and reveals nothing: it belongs to the end of a token,
// whoever brings it about.
func Drop(tx storage.Tx, tokenID string) error {
	if tokenID == "" {
		return nil
	}
	own := []byte(prefix + tokenID + "/")
	for {
		items, err := tx.Scan(own, nil, dropStep)
		if err != nil {
			return err
		}
		for _, it := range items {
			if err := tx.Delete(it.Key); err != nil {
				return err
			}
		}
		if len(items) < dropStep {
			return nil
		}
	}
}

// Sweep removes the drawers of tokens that ended by themselves. alive says
// whether a token is still stored. A drawer that waits for the sweep is out of
// reach already: nobody holds its token.
func (e *Engine) Sweep(ctx context.Context, alive func(tx storage.ReadTx, tokenID string) (bool, error)) error {
	var after []byte
	for {
		id, dead := "", false
		err := e.store.View(ctx, func(tx storage.ReadTx) error {
			id, dead = "", false
			items, err := tx.Scan([]byte(prefix), after, 1)
			if err != nil || len(items) == 0 {
				return err
			}
			name, _, _ := bytes.Cut(items[0].Key[len(prefix):], []byte{'/'})
			id = string(name)
			ok, err := alive(tx, id)
			dead = !ok
			return err
		})
		if err != nil || id == "" {
			return err
		}
		if dead { // token names are random: a dead one does not come back
			if err := e.store.Update(ctx, func(tx storage.Tx) error { return Drop(tx, id) }); err != nil {
				return err
			}
		}
		after = append([]byte(prefix+id+"/"), 0xff) // behind this drawer
	}
}

package kv

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
)

// Limits.
const (
	// MaxVersions is the largest number of versions that a setting may ask for.
	MaxVersions = 10000

	// inlineValue is the largest value that is kept beside the metadata, so that
	// reading it takes one look-up and writing it one key.
	inlineValue = 16 << 10
	// inlineTotal is how many bytes of values are kept there in all, the newest
	// aside: when there are more, the oldest get keys of their own.
	inlineTotal = 4 << 10
)

// Operations that the gate gives passes for.
const (
	opRead   gate.Operation = "read"
	opList   gate.Operation = "list"
	opScan   gate.Operation = "scan"
	opCreate gate.Operation = "create"
	opUpdate gate.Operation = "update"
	opPatch  gate.Operation = "patch"
	opDelete gate.Operation = "delete"
)

// Address says which secret of which mount.
type Address struct {
	Mount string // path of the mount as in the request, such as "secret/"
	UUID  string // id of the mount, which outlives a remount
	Path  string // path inside the mount, without "data/" and the like; folder for lists
}

// Engine is the engine behind all KV mounts. All methods are safe for
// concurrent use.
type Engine struct {
	store storage.Store
	now   func() time.Time
}

// New returns an engine that keeps its secrets in store. now is the clock; nil
// means time.Now.
func New(store storage.Store, now func() time.Time) *Engine {
	if now == nil {
		now = time.Now
	}
	return &Engine{store: store, now: now}
}

// allow is the first line of every method: the pass must be for one of these
// operations on this logical path.
func allow(pass gate.Pass, path string, ops ...gate.Operation) error {
	var err error
	for _, op := range ops {
		if err = pass.Check(op, path); err == nil {
			return nil
		}
	}
	return err
}

// Keys of one mount. 'm' holds a secret's metadata with its small values, 'd'
// other values, 'l' nothing but the path, for lists; 'c' is the
// mount's own settings.
func (a Address) key(kind byte, path string, extra int) []byte {
	k := make([]byte, 0, len("kv/")+len(a.UUID)+len("/x/")+len(path)+extra)
	k = append(k, "kv/"...)
	k = append(k, a.UUID...)
	k = append(k, '/', kind, '/')
	return append(k, path...)
}

func (a Address) secretKey() []byte { return a.key('m', a.Path, 0) }
func (a Address) indexKey() []byte  { return a.key('l', a.Path, 0) }
func (a Address) configKey() []byte { return a.key('c', "", 0) }
func (a Address) valueKey(version uint64) []byte {
	return binary.BigEndian.AppendUint64(append(a.key('d', a.Path, 9), 0), version)
}

// load returns the secret, or nil when there is none.
func (e *Engine) load(tx storage.ReadTx, a Address) (*secret, error) {
	raw, err := tx.Get(a.secretKey())
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decode(raw)
}

// view reads one secret in a transaction. fn gets nil when there is none.
func (e *Engine) view(ctx context.Context, a Address, fn func(storage.ReadTx, *secret) error) error {
	if err := drawer.CheckPath(a.Path); err != nil {
		return err
	}
	return e.store.View(ctx, func(tx storage.ReadTx) error {
		s, err := e.load(tx, a)
		if err != nil {
			return err
		}
		return fn(tx, s)
	})
}

// change reads one secret, lets fn change it and stores what fn returns; nil
// stores nothing.
func (e *Engine) change(ctx context.Context, a Address, fn func(storage.Tx, *secret) (*secret, error)) error {
	if err := drawer.CheckPath(a.Path); err != nil {
		return err
	}
	return e.store.Update(ctx, func(tx storage.Tx) error {
		old, err := e.load(tx, a)
		if err != nil {
			return err
		}
		fresh := old == nil
		s, err := fn(tx, old)
		if err != nil || s == nil {
			return err
		}
		if fresh {
			if err := tx.Put(a.indexKey(), nil, time.Time{}); err != nil {
				return err
			}
		}
		return tx.Put(a.secretKey(), s.encode(), time.Time{})
	})
}

// Exists reports whether there is a secret at the path, be it deleted or not.
// It takes no Pass: the gate asks it while it decides.
func (e *Engine) Exists(ctx context.Context, a Address) (bool, error) {
	found := false
	err := e.view(ctx, a, func(_ storage.ReadTx, s *secret) error {
		found = s != nil
		return nil
	})
	if fault.Is(err, fault.Invalid) {
		return false, nil // the write itself will say what is wrong
	}
	return found, err
}

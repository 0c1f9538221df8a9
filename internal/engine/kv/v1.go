package kv

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
)

// Get returns the value of a version 1 secret; an unknown one is NotFound.
func (e *Engine) Get(ctx context.Context, pass gate.Pass, a Address) (jsontext.Value, error) {
	if err := allow(pass, a.Mount+a.Path, opRead); err != nil {
		return nil, err
	}
	v, err := e.read(ctx, a, 0)
	if err != nil {
		return nil, err
	}
	if v.Data == nil {
		return nil, drawer.ErrNotFound
	}
	return v.Data, nil
}

// Put replaces the value of a version 1 secret.
func (e *Engine) Put(ctx context.Context, pass gate.Pass, a Address, data jsontext.Value) error {
	if err := allow(pass, a.Mount+a.Path, opCreate, opUpdate); err != nil {
		return err
	}
	data, err := drawer.Object(data)
	if err != nil {
		return err
	}
	return e.change(ctx, a, func(tx storage.Tx, old *secret) (*secret, error) {
		if old != nil {
			for i := range old.versions {
				if err := drop(tx, a, &old.versions[i]); err != nil {
					return nil, err
				}
			}
		}
		now := e.now().UTC()
		s := &secret{current: 1, created: now, updated: now, versions: []version{{number: 1, created: now, data: data}}}
		return s, s.spread(tx, a)
	})
}

// Remove deletes a version 1 secret. It succeeds also when there is none.
func (e *Engine) Remove(ctx context.Context, pass gate.Pass, a Address) error {
	if err := allow(pass, a.Mount+a.Path, opDelete); err != nil {
		return err
	}
	return e.remove(ctx, a)
}

// ScanV1 is Scan for a version 1 mount.
func (e *Engine) ScanV1(ctx context.Context, pass gate.Pass, a Address, p Page) ([]string, error) {
	folder, err := drawer.Folder(a.Path)
	if err != nil {
		return nil, err
	}
	if err := allow(pass, a.Mount+folder, opScan); err != nil {
		return nil, err
	}
	return e.scan(ctx, a, folder, p)
}

// ListV1 is List for a version 1 mount.
func (e *Engine) ListV1(ctx context.Context, pass gate.Pass, a Address, p Page) ([]string, error) {
	folder, err := drawer.Folder(a.Path)
	if err != nil {
		return nil, err
	}
	if err := allow(pass, a.Mount+folder, opList); err != nil {
		return nil, err
	}
	return e.list(ctx, a, folder, p)
}

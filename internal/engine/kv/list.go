package kv

import (
	"context"
	"strings"

	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
)

// Page asks for a part of a list. The zero value asks for all of it.
type Page = drawer.Page

// List returns the names directly inside a folder, in order; folders among
// them end in a slash. An empty or unknown folder is NotFound. It reads names
// only, one per entry shown, however much lies below the folders.
func (e *Engine) List(ctx context.Context, pass gate.Pass, a Address, p Page) ([]string, error) {
	folder, err := drawer.Folder(a.Path)
	if err != nil {
		return nil, err
	}
	if err := allow(pass, a.Mount+"metadata/"+folder, opList); err != nil {
		return nil, err
	}
	return e.list(ctx, a, folder, p)
}

// Scan returns the paths of all secrets below a folder, relative to it and in
// order. An empty or unknown folder is NotFound.
func (e *Engine) Scan(ctx context.Context, pass gate.Pass, a Address, p Page) ([]string, error) {
	folder, err := drawer.Folder(a.Path)
	if err != nil {
		return nil, err
	}
	if err := allow(pass, a.Mount+"metadata/"+folder, opScan); err != nil {
		return nil, err
	}
	return e.scan(ctx, a, folder, p)
}

func (e *Engine) scan(ctx context.Context, a Address, folder string, p Page) ([]string, error) {
	var out []string
	err := e.store.View(ctx, func(tx storage.ReadTx) (err error) {
		out, err = drawer.Paths(tx, a.key('l', folder, 0), p)
		return err
	})
	return out, err
}

// Detail is one entry of a detailed list.
type Detail struct {
	Name     string
	Metadata *Metadata // nil for a folder
}

// ListDetailed is List with the metadata of each secret.
func (e *Engine) ListDetailed(ctx context.Context, pass gate.Pass, a Address, p Page) ([]Detail, error) {
	folder, err := drawer.Folder(a.Path)
	if err != nil {
		return nil, err
	}
	if err := allow(pass, a.Mount+"detailed-metadata/"+folder, opList); err != nil {
		return nil, err
	}
	var out []Detail
	err = e.store.View(ctx, func(tx storage.ReadTx) error {
		names, err := drawer.Names(tx, a.key('l', folder, 0), p)
		if err != nil {
			return err
		}
		out = make([]Detail, len(names))
		for i, name := range names {
			out[i].Name = name
			if strings.HasSuffix(name, "/") {
				continue
			}
			at := a
			at.Path = folder + name
			s, err := e.load(tx, at)
			if err != nil {
				return err
			}
			if s != nil {
				out[i].Metadata = s.metadata()
			}
		}
		return nil
	})
	return out, err
}

func (e *Engine) list(ctx context.Context, a Address, folder string, p Page) ([]string, error) {
	var out []string
	err := e.store.View(ctx, func(tx storage.ReadTx) (err error) {
		out, err = drawer.Names(tx, a.key('l', folder, 0), p)
		return err
	})
	return out, err
}

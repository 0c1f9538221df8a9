package kv

import (
	"bytes"
	"context"
	"strings"

	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
)

// Page asks for a part of a list. The zero value asks for all of it.
type Page struct {
	After string // names strictly behind this one
	Limit int    // at most this many; 0 or less = all
}

// List returns the names directly inside a folder, in order; folders among
// them end in a slash. An empty or unknown folder is NotFound. It reads names
// only, one per entry shown, however much lies below the folders.
func (e *Engine) List(ctx context.Context, pass gate.Pass, a Address, p Page) ([]string, error) {
	folder, err := folderOf(a.Path)
	if err != nil {
		return nil, err
	}
	if err := allow(pass, a.Mount+"metadata/"+folder, opList); err != nil {
		return nil, err
	}
	return e.list(ctx, a, folder, p)
}

// Detail is one entry of a detailed list.
type Detail struct {
	Name     string
	Metadata *Metadata // nil for a folder
}

// ListDetailed is List with the metadata of each secret.
func (e *Engine) ListDetailed(ctx context.Context, pass gate.Pass, a Address, p Page) ([]Detail, error) {
	folder, err := folderOf(a.Path)
	if err != nil {
		return nil, err
	}
	if err := allow(pass, a.Mount+"detailed-metadata/"+folder, opList); err != nil {
		return nil, err
	}
	var out []Detail
	err = e.store.View(ctx, func(tx storage.ReadTx) error {
		names, err := names(tx, a, folder, p)
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

// folderOf returns the folder with its slash, or "" for the top.
func folderOf(path string) (string, error) {
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return "", nil
	}
	return path + "/", validPath(path)
}

func (e *Engine) list(ctx context.Context, a Address, folder string, p Page) ([]string, error) {
	var out []string
	err := e.store.View(ctx, func(tx storage.ReadTx) (err error) {
		out, err = names(tx, a, folder, p)
		return err
	})
	return out, err
}

// Steps of a scan: small after a folder was skipped, larger over secrets.
const (
	firstStep = 16
	lastStep  = 512
)

// names walks the index of one folder. After a folder inside it the walk jumps
// behind everything that lies below that folder.
func names(tx storage.ReadTx, a Address, folder string, p Page) ([]string, error) {
	prefix := a.key('l', folder, 0)
	after := start(prefix, p.After)
	var out []string
	for step := firstStep; ; {
		items, err := tx.Scan(prefix, after, step)
		if err != nil {
			return nil, err
		}
		jumped := false
		for _, it := range items {
			name := string(it.Key[len(prefix):])
			after = it.Key
			if i := strings.IndexByte(name, '/'); i >= 0 {
				name = name[:i+1]
				after = behind(prefix, name)
				jumped = true
			}
			out = append(out, name)
			if p.Limit > 0 && len(out) == p.Limit {
				return out, nil
			}
			if jumped {
				break
			}
		}
		switch {
		case jumped:
			step = max(step/4, 2)
		case len(items) < step:
			if len(out) == 0 {
				return nil, errNotFound
			}
			return out, nil
		default:
			step = min(step*2, lastStep)
		}
	}
}

// start returns the key behind which a page begins.
func start(prefix []byte, after string) []byte {
	switch {
	case after == "":
		return nil
	case strings.HasSuffix(after, "/"):
		return behind(prefix, after)
	default:
		return append(bytes.Clone(prefix), after...)
	}
}

// behind returns a key that is greater than every key below the folder. No
// path holds the byte 0xff.
func behind(prefix []byte, folder string) []byte {
	return append(append(bytes.Clone(prefix), folder...), 0xff)
}

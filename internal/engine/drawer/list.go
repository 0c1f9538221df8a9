package drawer

import (
	"bytes"
	"strings"

	"github.com/jotgate/jotgate/internal/storage"
)

// Page asks for a part of a list. The zero value asks for all of it.
type Page struct {
	After string // names strictly behind this one
	Limit int    // at most this many; 0 or less = all
}

// Steps of a scan: small after a folder was skipped, larger over secrets.
const (
	firstStep = 16
	lastStep  = 512
)

// Names walks an index, whose keys are prefix and a path, and returns the names
// directly below the prefix in order; folders end in a slash. After a folder
// the walk jumps behind everything that lies below it. ErrNotFound means that
// there is none.
func Names(tx storage.ReadTx, prefix []byte, p Page) ([]string, error) {
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
				return nil, ErrNotFound
			}
			return out, nil
		default:
			step = min(step*2, lastStep)
		}
	}
}

// Paths walks an index like Names, and returns every path below the prefix in
// order, without folders. ErrNotFound means that there is none.
func Paths(tx storage.ReadTx, prefix []byte, p Page) ([]string, error) {
	after := start(prefix, p.After)
	var out []string
	for {
		step := lastStep
		if p.Limit > 0 {
			step = min(step, p.Limit-len(out))
		}
		items, err := tx.Scan(prefix, after, step)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			out = append(out, string(it.Key[len(prefix):]))
			after = it.Key
		}
		switch {
		case len(items) == step && (p.Limit <= 0 || len(out) < p.Limit):
		case len(out) == 0:
			return nil, ErrNotFound
		default:
			return out, nil
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

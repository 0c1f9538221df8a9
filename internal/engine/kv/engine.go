package kv

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
)

// Limits.
const (
	// MaxPath is the longest path of a secret inside its mount, in bytes.
	MaxPath = 900
	// MaxValue is the largest value, in bytes of JSON text.
	MaxValue = 4 << 20
	// MaxVersions is the largest number of versions that a setting may ask for.
	MaxVersions = 10000
	// MaxDepth is how deep a value may be nested.
	MaxDepth = 128

	// inlineValue is the largest current value that is kept beside the metadata,
	// so that reading it takes one look-up.
	inlineValue = 16 << 10
)

// Operations that the gate gives passes for.
const (
	opRead   gate.Operation = "read"
	opList   gate.Operation = "list"
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

// The answers that callers know by their text.
var (
	errMissingPath = fault.New(fault.Invalid, "missing path")
	errNoData      = fault.New(fault.Invalid, "no data provided")
	errNotObject   = fault.New(fault.Invalid, "data must be a JSON object")
	errBadJSON     = fault.New(fault.Invalid, "data is not valid JSON without repeated names")
	errLongPath    = fault.Newf(fault.Invalid, "path is longer than %d bytes", MaxPath)
	errBadPath     = fault.New(fault.Invalid, "path has an empty segment or a control character")
	errLargeValue  = fault.Newf(fault.TooLarge, "value is larger than %d bytes", MaxValue)
	errDeepValue   = fault.Newf(fault.Invalid, "value is nested deeper than %d levels", MaxDepth)
	errNotFound    = fault.New(fault.NotFound, "")
)

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

// validPath refuses what cannot be a key, or what a list could not show.
func validPath(path string) error {
	switch {
	case path == "":
		return errMissingPath
	case len(path) > MaxPath:
		return errLongPath
	case path[0] == '/' || path[len(path)-1] == '/' || strings.Contains(path, "//") || hasControl(path):
		return errBadPath
	}
	return nil
}

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f || s[i] == 0xff {
			return true
		}
	}
	return false
}

// Keys of one mount. 'm' holds a secret's metadata with its newest value, 'd'
// older or larger values, 'l' nothing but the path, for lists; 'c' is the
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
	if err := validPath(a.Path); err != nil {
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
	if err := validPath(a.Path); err != nil {
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

// object checks that data is a JSON object within the limits and returns it
// without white space.
func object(data jsontext.Value) (jsontext.Value, error) {
	switch {
	case len(data) == 0 || data.Kind() == 'n':
		return nil, errNoData
	case len(data) > MaxValue:
		return nil, errLargeValue
	case data.Kind() != '{':
		return nil, errNotObject
	}
	if !data.IsValid() {
		return nil, errBadJSON
	}
	out := data.Clone()
	if err := out.Compact(); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, errBadJSON.Public())
	}
	if depth(out) > MaxDepth {
		return nil, errDeepValue
	}
	return out, nil
}

// depth returns how deep valid JSON text is nested.
func depth(v jsontext.Value) int {
	deepest, now, inText := 0, 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

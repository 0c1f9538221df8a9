package objects

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
)

// Paths of the operations, as the pass was given for them.
const (
	ctlPath  = "/api/pvlt/1.0/ctl/"
	dataPath = "/api/pvlt/1.0/data/collections/"
)

// Default settings.
const (
	DefaultPageSize  = 100
	DefaultMaxPage   = 1000
	DefaultRetention = 720 * time.Hour
)

// Options are the parts and settings of an Engine.
type Options struct {
	Store   storage.Store // sealed: see package seal
	Keyring *seal.Keyring

	PageSize  int           // objects on a page unless asked otherwise; 0 = DefaultPageSize
	MaxPage   int           // most objects on a page or in a bulk call; 0 = DefaultMaxPage
	Retention time.Duration // how long archived data is kept; 0 = DefaultRetention
}

// Engine is the drawer for personal data. It is safe for concurrent use. Build
// it with New.
type Engine struct {
	o        Options
	compiled sync.Map // name → *collection; entries are checked against storage at each use
}

// New returns an engine on a sealed store.
func New(o Options) (*Engine, error) {
	if o.Store == nil || o.Keyring == nil {
		return nil, errors.New("objects: Store and Keyring are required")
	}
	if o.PageSize <= 0 {
		o.PageSize = DefaultPageSize
	}
	if o.MaxPage <= 0 {
		o.MaxPage = DefaultMaxPage
	}
	if o.Retention <= 0 {
		o.Retention = DefaultRetention
	}
	return &Engine{o: o}, nil
}

// Call is what every data operation is given.
type Call struct {
	Pass       gate.Pass
	Collection string
	Tenants    []string // X-Tenant-Id; nil when the header is absent
}

// check refuses a pass for anything but op on this path of the collection.
func (c Call) check(op gate.Operation, path string) error {
	return c.Pass.Check(op, dataPath+c.Collection+path)
}

// view runs fn on a snapshot with the collection as it stands in it.
func (e *Engine) view(ctx context.Context, name string, fn func(storage.ReadTx, *collection) error) error {
	return storageFault(e.o.Store.View(ctx, func(tx storage.ReadTx) error {
		c, err := e.collection(tx, name)
		if err != nil {
			return err
		}
		return fn(tx, c)
	}))
}

// update runs fn in a transaction with the collection as it stands in it.
func (e *Engine) update(ctx context.Context, name string, fn func(storage.Tx, *collection) error) error {
	return storageFault(e.o.Store.Update(ctx, func(tx storage.Tx) error {
		c, err := e.collection(tx, name)
		if err != nil {
			return err
		}
		return fn(tx, c)
	}))
}

// collection returns the compiled collection. What is kept in memory is used
// only if storage holds the same version, so that no node ever works with an
// old definition.
func (e *Engine) collection(tx storage.ReadTx, name string) (*collection, error) {
	if len(name) > maxName {
		return nil, noCollection(name)
	}
	stamp, err := tx.Get(versionKey(name))
	if errors.Is(err, storage.ErrNotFound) {
		e.compiled.Delete(name)
		return nil, noCollection(name)
	}
	if err != nil {
		return nil, err
	}
	if len(stamp) != 16 {
		return nil, errRecord
	}
	if v, ok := e.compiled.Load(name); ok {
		c, _ := v.(*collection)
		if c.def.ID == binary.BigEndian.Uint64(stamp) && c.def.Version == binary.BigEndian.Uint64(stamp[8:]) {
			return c, nil
		}
	}
	return e.load(tx, name)
}

func (e *Engine) load(tx storage.ReadTx, name string) (*collection, error) {
	b, err := tx.Get(schemaKey(name))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, noCollection(name)
	}
	if err != nil {
		return nil, err
	}
	var def definition
	if err := json.Unmarshal(b, &def); err != nil {
		return nil, errors.Join(errRecord, err)
	}
	c := compile(def)
	e.compiled.Store(name, c) // versions are random: one that is rolled back fits nothing later
	return c, nil
}

// noCollection refuses a name that no collection has, or could have.
func noCollection(name string) error {
	if err := checkName("collection", name, maxName); err != nil {
		return err
	}
	return fault.New(fault.NotFound, "The collection is not found.").WithReason("collection_missing").WithDetail("name", clip(name))
}

// storageFault gives the failures of the store a kind.
func storageFault(err error) error {
	var f *fault.Error
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case errors.Is(err, storage.ErrConflict):
		return fault.Wrap(fault.Conflict, err, "The request met other changes of the same data; try again.")
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrClosed), errors.Is(err, storage.ErrFailed):
		return fault.Wrap(fault.Unavailable, err, "The storage cannot be reached.")
	case errors.Is(err, storage.ErrTooLarge):
		return fault.Wrap(fault.TooLarge, err, "The object is too large.")
	}
	return err
}

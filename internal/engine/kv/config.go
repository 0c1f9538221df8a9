package kv

import (
	"context"
	"errors"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/record"
)

// DefaultVersions is how many versions are kept where neither mount nor secret
// says otherwise.
const DefaultVersions = 10

// Config is the settings of one version 2 mount. The zero value is a mount's
// first state.
type Config struct {
	MaxVersions uint64        // 0 = DefaultVersions
	CASRequired bool          // every write must name the version that it replaces
	DeleteAfter time.Duration // versions delete themselves after it; 0 = never
}

// ConfigChange names the settings to change; nil leaves one as it is.
type ConfigChange struct {
	MaxVersions *uint64
	CASRequired *bool
	DeleteAfter *time.Duration
}

var (
	errManyVersions = fault.Newf(fault.Invalid, "max_versions must not be greater than %d", MaxVersions)
	errNegative     = fault.New(fault.Invalid, "delete_version_after must not be negative")
)

func checkLimits(versions *uint64, after *time.Duration) error {
	if versions != nil && *versions > MaxVersions {
		return errManyVersions
	}
	if after != nil && *after < 0 {
		return errNegative
	}
	return nil
}

// Config returns the settings of the mount.
func (e *Engine) Config(ctx context.Context, pass gate.Pass, a Address) (Config, error) {
	var c Config
	if err := allow(pass, a.Mount+"config", opRead); err != nil {
		return c, err
	}
	err := e.store.View(ctx, func(tx storage.ReadTx) (err error) {
		c, err = loadConfig(tx, a)
		return err
	})
	return c, err
}

// Configure changes settings of the mount. They hold for later writes.
func (e *Engine) Configure(ctx context.Context, pass gate.Pass, a Address, c ConfigChange) error {
	if err := allow(pass, a.Mount+"config", opCreate, opUpdate); err != nil {
		return err
	}
	if err := checkLimits(c.MaxVersions, c.DeleteAfter); err != nil {
		return err
	}
	return e.store.Update(ctx, func(tx storage.Tx) error {
		now, err := loadConfig(tx, a)
		if err != nil {
			return err
		}
		set(&now.MaxVersions, c.MaxVersions)
		set(&now.CASRequired, c.CASRequired)
		set(&now.DeleteAfter, c.DeleteAfter)
		w := record.NewWriter(recordVersion, 16)
		w.Uint(now.MaxVersions)
		w.Uint(flag(now.CASRequired))
		w.Duration(now.DeleteAfter)
		return tx.Put(a.configKey(), w.Bytes(), time.Time{})
	})
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func loadConfig(tx storage.ReadTx, a Address) (Config, error) {
	raw, err := tx.Get(a.configKey())
	if errors.Is(err, storage.ErrNotFound) {
		return Config{}, nil
	}
	if err != nil {
		return Config{}, err
	}
	_, r := record.NewReader(raw)
	c := Config{MaxVersions: r.Uint(), CASRequired: r.Uint() == 1, DeleteAfter: r.Duration()}
	if err := r.Close(); err != nil {
		return Config{}, damaged(err)
	}
	return c, nil
}

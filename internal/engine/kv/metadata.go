package kv

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode"

	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
)

// Limits of custom metadata, the reference's.
const (
	maxCustomKeys  = 64
	maxCustomKey   = 128 // bytes
	maxCustomValue = 512 // bytes
)

// Metadata is what is known of a secret apart from its values.
type Metadata struct {
	Current     uint64
	Oldest      uint64
	Created     time.Time
	Updated     time.Time
	MaxVersions uint64
	CASRequired bool
	DeleteAfter time.Duration
	Custom      map[string]string // nil when none was set
	Versions    []Version         // ascending, without Data and Custom
}

func (s *secret) metadata() *Metadata {
	m := &Metadata{
		Current: s.current, Oldest: s.oldest, Created: s.created, Updated: s.updated, MaxVersions: s.maxVersions,
		CASRequired: s.casRequired, DeleteAfter: s.deleteAfter, Custom: s.custom, Versions: make([]Version, len(s.versions)),
	}
	for i, v := range s.versions {
		m.Versions[i] = Version{Number: v.number, Created: v.created, Deleted: v.deleted, Destroyed: v.destroyed}
	}
	return m
}

// MetadataChange names what to change; nil leaves one as it is.
type MetadataChange struct {
	MaxVersions *uint64
	CASRequired *bool
	DeleteAfter *time.Duration
	// Custom replaces the custom metadata, if it is not nil.
	Custom map[string]string
	// CustomPatch sets and, where the value is nil, removes single keys.
	CustomPatch map[string]*string
	// ClearCustom removes all custom metadata.
	ClearCustom bool
}

// Metadata returns what is known of a secret; an unknown one is NotFound.
func (e *Engine) Metadata(ctx context.Context, pass gate.Pass, a Address) (*Metadata, error) {
	if err := allow(pass, a.Mount+"metadata/"+a.Path, opRead); err != nil {
		return nil, err
	}
	var out *Metadata
	err := e.view(ctx, a, func(_ storage.ReadTx, s *secret) error {
		if s == nil {
			return drawer.ErrNotFound
		}
		out = s.metadata()
		return nil
	})
	return out, err
}

// SetMetadata changes metadata. A secret that is not there comes into being
// without a version.
func (e *Engine) SetMetadata(ctx context.Context, pass gate.Pass, a Address, c MetadataChange) error {
	if err := allow(pass, a.Mount+"metadata/"+a.Path, opCreate, opUpdate); err != nil {
		return err
	}
	return e.setMetadata(ctx, a, c, true)
}

// PatchMetadata changes metadata of a secret that is there; an unknown one is
// NotFound.
func (e *Engine) PatchMetadata(ctx context.Context, pass gate.Pass, a Address, c MetadataChange) error {
	if err := allow(pass, a.Mount+"metadata/"+a.Path, opPatch); err != nil {
		return err
	}
	return e.setMetadata(ctx, a, c, false)
}

func (e *Engine) setMetadata(ctx context.Context, a Address, c MetadataChange, create bool) error {
	if err := checkLimits(c.MaxVersions, c.DeleteAfter); err != nil {
		return err
	}
	return e.change(ctx, a, func(_ storage.Tx, s *secret) (*secret, error) {
		if s == nil {
			if !create {
				return nil, drawer.ErrNotFound
			}
			now := e.now().UTC()
			s = &secret{created: now, updated: now}
		}
		set(&s.maxVersions, c.MaxVersions)
		set(&s.casRequired, c.CASRequired)
		set(&s.deleteAfter, c.DeleteAfter)
		s.custom = c.custom(s.custom)
		return s, checkCustom(s.custom)
	})
}

// custom returns the custom metadata after the change.
func (c *MetadataChange) custom(old map[string]string) map[string]string {
	switch {
	case c.ClearCustom:
		return nil
	case c.Custom != nil:
		return maps.Clone(c.Custom)
	case c.CustomPatch == nil:
		return old
	}
	out := maps.Clone(old)
	if out == nil {
		out = make(map[string]string, len(c.CustomPatch))
	}
	for k, v := range c.CustomPatch {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = *v
		}
	}
	return out
}

// checkCustom reports everything that is wrong with custom metadata.
func checkCustom(m map[string]string) error {
	const prefix = "custom_metadata validation failed"
	if len(m) > maxCustomKeys {
		return fault.Newf(fault.Invalid, "%s: payload must contain at most %d keys, provided %d", prefix, maxCustomKeys, len(m))
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(prefix+": "+format, args...)) }
	for _, k := range slices.Sorted(maps.Keys(m)) {
		v := m[k]
		if len(k) == 0 || len(k) > maxCustomKey {
			bad("length of key %.140q is %d but must be 0 < len(key) <= %d", k, len(k), maxCustomKey)
		}
		if len(v) == 0 || len(v) > maxCustomValue {
			bad("length of value for key %.140q is %d but must be 0 < len(value) <= %d", k, len(v), maxCustomValue)
		}
		if !printable(k) {
			bad("key %.140q contains unprintable characters", k)
		}
		if !printable(v) {
			bad("value for key %.140q contains unprintable characters", k)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fault.New(fault.Invalid, err.Error())
	}
	return nil
}

func printable(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// DeleteMetadata removes a secret with all its versions for good. It succeeds
// also when there is none.
func (e *Engine) DeleteMetadata(ctx context.Context, pass gate.Pass, a Address) error {
	if err := allow(pass, a.Mount+"metadata/"+a.Path, opDelete); err != nil {
		return err
	}
	return e.remove(ctx, a)
}

func (e *Engine) remove(ctx context.Context, a Address) error {
	return e.change(ctx, a, func(tx storage.Tx, s *secret) (*secret, error) {
		if s == nil {
			return nil, nil
		}
		for i := range s.versions {
			if err := drop(tx, a, &s.versions[i]); err != nil {
				return nil, err
			}
		}
		if err := tx.Delete(a.indexKey()); err != nil {
			return nil, err
		}
		return nil, tx.Delete(a.secretKey())
	})
}

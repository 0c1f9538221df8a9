package kv

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
)

// CAS is the version that a writer expects to be the newest; 0 means that the
// secret must not have a version yet. A nil *CAS expects nothing.
type CAS = uint64

// The refusals of check-and-set, in the reference's words.
var (
	errCASRequired = fault.New(fault.Invalid, "check-and-set parameter required for this call").WithReason("cas_required")
	errCASMismatch = fault.New(fault.Invalid, "check-and-set parameter did not match the current version").WithReason("cas_mismatch")
)

// Write stores data as a new version and returns it without its value.
func (e *Engine) Write(ctx context.Context, pass gate.Pass, a Address, data jsontext.Value, cas *CAS) (*Version, error) {
	if err := allow(pass, a.Mount+"data/"+a.Path, opCreate, opUpdate); err != nil {
		return nil, err
	}
	data, err := drawer.Object(data)
	if err != nil {
		return nil, err
	}
	var out *Version
	err = e.change(ctx, a, func(tx storage.Tx, s *secret) (*secret, error) {
		var err error
		s, out, err = e.add(tx, a, s, data, cas)
		return s, err
	})
	return out, err
}

// Patch merges patch (RFC 7396) into the newest version and stores the result
// as a new one. A secret without a readable newest version is NotFound, with
// the version's metadata when there is one.
func (e *Engine) Patch(ctx context.Context, pass gate.Pass, a Address, patch jsontext.Value, cas *CAS) (*Version, error) {
	if err := allow(pass, a.Mount+"data/"+a.Path, opPatch); err != nil {
		return nil, err
	}
	patch, err := drawer.Object(patch)
	if err != nil {
		return nil, err
	}
	var out *Version
	err = e.change(ctx, a, func(tx storage.Tx, s *secret) (*secret, error) {
		v, err := e.version(tx, a, s, 0)
		if err != nil {
			return nil, err
		}
		if out = v; v.Gone() {
			return nil, drawer.ErrNotFound
		}
		data, err := merged(v.Data, patch)
		if err != nil {
			return nil, err
		}
		s, out, err = e.add(tx, a, s, data, cas)
		return s, err
	})
	return out, err
}

// merged applies a patch and checks the result as a fresh value is checked.
func merged(old, patch jsontext.Value) (jsontext.Value, error) {
	data, err := mergePatch(old, patch)
	if err != nil {
		return nil, err
	}
	return drawer.Object(data)
}

// add puts a new version on top.
func (e *Engine) add(tx storage.Tx, a Address, s *secret, data jsontext.Value, cas *CAS) (*secret, *Version, error) {
	cfg, err := loadConfig(tx, a)
	if err != nil {
		return nil, nil, err
	}
	now := e.now().UTC()
	if s == nil {
		s = &secret{created: now}
	}
	if err := s.checkCAS(cas, cfg); err != nil {
		return nil, nil, err
	}
	s.current++
	s.updated = now
	if s.created.IsZero() {
		s.created = now
	}
	v := version{number: s.current, created: now, deleted: deletion(now, cfg.DeleteAfter, s.deleteAfter), data: data}
	s.versions = append(s.versions, v)
	if err := s.forget(tx, a, max(s.maxVersions, cfg.MaxVersions)); err != nil {
		return nil, nil, err
	}
	return s, s.public(&v), s.spread(tx, a)
}

// spread gives values keys of their own until the others are small enough to
// stay with the metadata.
func (s *secret) spread(tx storage.Tx, a Address) error {
	total := 0
	for i := len(s.versions) - 1; i >= 0; i-- {
		v, limit := &s.versions[i], inlineTotal
		if i == len(s.versions)-1 {
			limit = inlineValue
		}
		if v.data == nil {
			continue
		}
		if total+len(v.data) <= limit {
			total += len(v.data)
			continue
		}
		if err := tx.Put(a.valueKey(v.number), v.data, time.Time{}); err != nil {
			return err
		}
		v.data = nil
	}
	return nil
}

func (s *secret) checkCAS(cas *CAS, cfg Config) error {
	switch {
	case cas == nil && (cfg.CASRequired || s.casRequired):
		return errCASRequired
	case cas != nil && *cas != s.current:
		return errCASMismatch
	}
	return nil
}

// forget removes the versions beyond the limit. The arithmetic is the
// reference's, so that oldest_version reads the same.
func (s *secret) forget(tx storage.Tx, a Address, limit uint64) error {
	if limit == 0 {
		limit = DefaultVersions
	}
	if s.current-s.oldest < limit {
		return nil
	}
	s.oldest = s.current - limit + 1
	kept := s.versions[:0]
	for _, v := range s.versions {
		if v.number >= s.oldest {
			kept = append(kept, v)
		} else if err := drop(tx, a, &v); err != nil {
			return err
		}
	}
	s.versions = kept
	return nil
}

// drop removes the key that a value has of its own, if it has one.
func drop(tx storage.Tx, a Address, v *version) error {
	if !v.apart() {
		return nil
	}
	return tx.Delete(a.valueKey(v.number))
}

// deletion returns when a version deletes itself: the shorter of the two times
// that are set.
func deletion(now time.Time, mount, own time.Duration) time.Time {
	after := own
	if own == 0 || (mount > 0 && mount < own) {
		after = mount
	}
	if after <= 0 {
		return time.Time{}
	}
	return now.Add(after)
}

// Delete soft-deletes the newest version. It succeeds also when there is
// nothing to delete.
func (e *Engine) Delete(ctx context.Context, pass gate.Pass, a Address) error {
	if err := allow(pass, a.Mount+"data/"+a.Path, opDelete); err != nil {
		return err
	}
	return e.change(ctx, a, func(_ storage.Tx, s *secret) (*secret, error) {
		if s == nil || !s.hide(s.find(s.current), e.now().UTC()) {
			return nil, nil
		}
		return s, nil
	})
}

// hide soft-deletes a version and reports whether that changed anything.
func (s *secret) hide(v *version, now time.Time) bool {
	if v == nil || v.gone(now) {
		return false
	}
	v.deleted = now
	return true
}

// DeleteVersions soft-deletes versions. Unknown ones are passed over.
func (e *Engine) DeleteVersions(ctx context.Context, pass gate.Pass, a Address, numbers []uint64) error {
	now := e.now().UTC()
	return e.each(ctx, pass, a, "delete/", numbers, func(_ storage.Tx, s *secret, v *version) (bool, error) {
		return s.hide(v, now), nil
	})
}

// Undelete makes soft-deleted versions readable again.
func (e *Engine) Undelete(ctx context.Context, pass gate.Pass, a Address, numbers []uint64) error {
	return e.each(ctx, pass, a, "undelete/", numbers, func(_ storage.Tx, _ *secret, v *version) (bool, error) {
		if v.destroyed || v.deleted.IsZero() {
			return false, nil
		}
		v.deleted = time.Time{}
		return true, nil
	})
}

// Destroy removes the values of versions for good.
func (e *Engine) Destroy(ctx context.Context, pass gate.Pass, a Address, numbers []uint64) error {
	return e.each(ctx, pass, a, "destroy/", numbers, func(tx storage.Tx, _ *secret, v *version) (bool, error) {
		if v.destroyed {
			return false, nil
		}
		err := drop(tx, a, v)
		v.destroyed, v.data = true, nil
		return true, err
	})
}

type versionChange func(storage.Tx, *secret, *version) (changed bool, err error)

// each lets fn change the named versions that are known.
func (e *Engine) each(ctx context.Context, pass gate.Pass, a Address, verb string, numbers []uint64, fn versionChange) error {
	if err := allow(pass, a.Mount+verb+a.Path, opCreate, opUpdate); err != nil {
		return err
	}
	if len(numbers) == 0 {
		if verb == "destroy/" { // the reference spells it in two ways
			return fault.New(fault.Invalid, "no version number provided")
		}
		return fault.New(fault.Invalid, "No version number provided")
	}
	return e.change(ctx, a, func(tx storage.Tx, s *secret) (*secret, error) {
		if s == nil {
			return nil, nil
		}
		any := false
		for _, n := range numbers {
			v := s.find(n)
			if v == nil {
				continue
			}
			changed, err := fn(tx, s, v)
			if err != nil {
				return nil, err
			}
			any = any || changed
		}
		if !any {
			return nil, nil
		}
		return s, nil
	})
}

package kv

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
)

// Version is one version of a secret.
type Version struct {
	Number    uint64
	Created   time.Time
	Deleted   time.Time // zero = not deleted; in the future when delete_version_after set it
	Destroyed bool
	Custom    map[string]string // custom metadata of the secret; nil when none was set
	// Data is the value, or nil when the version is deleted, destroyed or was
	// just written.
	Data jsontext.Value
}

// Gone reports whether the version is there but its value may not be read. The
// door answers 404 with the metadata.
func (v *Version) Gone() bool { return v.Data == nil }

func (s *secret) public(v *version) *Version {
	return &Version{Number: v.number, Created: v.created, Deleted: v.deleted, Destroyed: v.destroyed, Custom: s.custom}
}

// Read returns a version of a version 2 secret; number 0 is the newest. A
// secret or version that is unknown is NotFound; one that is deleted or
// destroyed has no Data.
func (e *Engine) Read(ctx context.Context, pass gate.Pass, a Address, number uint64) (*Version, error) {
	if err := allow(pass, a.Mount+"data/"+a.Path, opRead); err != nil {
		return nil, err
	}
	return e.read(ctx, a, number)
}

func (e *Engine) read(ctx context.Context, a Address, number uint64) (*Version, error) {
	var out *Version
	err := e.view(ctx, a, func(tx storage.ReadTx, s *secret) (err error) {
		out, err = e.version(tx, a, s, number)
		return err
	})
	return out, err
}

// version returns one version with its value, if that may be read.
func (e *Engine) version(tx storage.ReadTx, a Address, s *secret, number uint64) (*Version, error) {
	if s == nil {
		return nil, drawer.ErrNotFound
	}
	if number == 0 {
		number = s.current
	}
	v := s.find(number)
	if v == nil {
		return nil, drawer.ErrNotFound
	}
	out := s.public(v)
	if v.gone(e.now()) {
		return out, nil
	}
	data, err := value(tx, a, v)
	out.Data = data
	return out, err
}

// value returns the value of a version that has one.
func value(tx storage.ReadTx, a Address, v *version) (jsontext.Value, error) {
	if !v.apart() {
		return v.data, nil
	}
	raw, err := tx.Get(a.valueKey(v.number))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, damaged(err)
	}
	return raw, err
}

// Subkeys returns the shape of a version: its value with null in place of
// everything that is no object. depth bounds how many levels are shown; 0
// shows all. The answer is as for Read.
func (e *Engine) Subkeys(ctx context.Context, pass gate.Pass, a Address, number uint64, depth int) (*Version, error) {
	if err := allow(pass, a.Mount+"subkeys/"+a.Path, opRead); err != nil {
		return nil, err
	}
	v, err := e.read(ctx, a, number)
	if err != nil || v.Data == nil {
		return v, err
	}
	v.Data, err = shape(v.Data, depth)
	return v, err
}

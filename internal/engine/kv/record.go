package kv

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/record"
)

// secret is everything about one path except values that are too large.
type secret struct {
	current     uint64 // newest version, 0 = none was written yet
	oldest      uint64 // versions below it are gone
	created     time.Time
	updated     time.Time
	maxVersions uint64
	casRequired bool
	deleteAfter time.Duration
	custom      map[string]string
	versions    []version // ascending
}

// version is what is known of one version.
type version struct {
	number    uint64
	created   time.Time
	deleted   time.Time // zero = not deleted; may be in the future
	destroyed bool
	// data is the value, if it is kept here. A value that is neither here nor
	// destroyed has a key of its own.
	data jsontext.Value
}

// apart reports whether the value has a key of its own.
func (v *version) apart() bool { return v.data == nil && !v.destroyed }

// gone reports whether the version's value may not be read at now.
func (v *version) gone(now time.Time) bool {
	return v.destroyed || (!v.deleted.IsZero() && !v.deleted.After(now))
}

// find returns the version with the number, or nil.
func (s *secret) find(number uint64) *version {
	for i := len(s.versions) - 1; i >= 0; i-- {
		if s.versions[i].number == number {
			return &s.versions[i]
		}
	}
	return nil
}

const (
	recordVersion = 1
	headSize      = 4 // length of the header that follows
)

// encode lays out the length of the header, the header and the values.
func (s *secret) encode() []byte {
	w := record.NewWriter(recordVersion, 64+26*len(s.versions))
	size := 0
	w.Uint(s.current)
	w.Uint(s.oldest)
	w.Time(s.created)
	w.Time(s.updated)
	w.Uint(s.maxVersions)
	w.Uint(flag(s.casRequired))
	w.Duration(s.deleteAfter)
	w.Map(s.custom)
	w.Uint(uint64(len(s.versions)))
	for i := range s.versions {
		v := &s.versions[i]
		w.Uint(v.number)
		w.Time(v.created)
		w.Time(v.deleted)
		w.Uint(flag(v.destroyed))
		w.Uint(uint64(len(v.data)))
		size += len(v.data)
	}
	head := w.Bytes()
	out := make([]byte, headSize, headSize+len(head)+size)
	binary.BigEndian.PutUint32(out, uint32(len(head))) //nolint:gosec // a header is far below 4 GiB
	out = append(out, head...)
	for i := range s.versions {
		out = append(out, s.versions[i].data...)
	}
	return out
}

func flag(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}

// decode is the inverse of encode. The values share raw's memory.
func decode(raw []byte) (*secret, error) {
	if len(raw) < headSize {
		return nil, damaged(record.ErrDamaged)
	}
	n := binary.BigEndian.Uint32(raw)
	if uint64(n) > uint64(len(raw)-headSize) {
		return nil, damaged(record.ErrDamaged)
	}
	head, data := raw[headSize:headSize+n], raw[headSize+n:]
	kind, r := record.NewReader(head)
	if kind != recordVersion {
		return nil, damaged(record.ErrDamaged)
	}
	s := &secret{
		current: r.Uint(), oldest: r.Uint(), created: r.Time(), updated: r.Time(),
		maxVersions: r.Uint(), casRequired: r.Uint() == 1, deleteAfter: r.Duration(), custom: r.Map(),
	}
	s.versions = make([]version, r.Count())
	for i := range s.versions {
		s.versions[i] = version{number: r.Uint(), created: r.Time(), deleted: r.Time(), destroyed: r.Uint() == 1}
		size := r.Uint()
		if size > uint64(len(data)) {
			return nil, damaged(record.ErrDamaged)
		}
		if size > 0 {
			s.versions[i].data = jsontext.Value(data[:size:size])
		}
		data = data[size:]
	}
	if err := r.Close(); err != nil {
		return nil, damaged(err)
	}
	if len(data) > 0 {
		return nil, damaged(record.ErrDamaged)
	}
	return s, nil
}

func damaged(err error) error { return fmt.Errorf("kv: %w: %w", storage.ErrDamaged, err) }

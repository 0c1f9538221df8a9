// Package record is the compact binary form of values that are read on every
// request, such as client tokens and entities.
//
// A record is a sequence of fields without names: numbers as varints, texts
// with their length in front. Writer and Reader must therefore name the fields
// in the same order, and a type that grows appends fields behind the old ones
// and asks Reader.More before it reads them. The first byte of every record is
// a version that its owner chooses.
//
// The package refuses to guess: a record that is too short, holds a length
// beyond its end or has bytes left over is ErrDamaged, never a zero value.
package record

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"
)

// ErrDamaged is returned for a record that was not written by a Writer with
// the same fields.
var ErrDamaged = errors.New("record: stored value is damaged")

// Writer appends fields. The zero Writer is an empty record.
type Writer struct{ b []byte }

// NewWriter starts a record with a version and room for size bytes.
func NewWriter(version byte, size int) *Writer {
	return &Writer{b: append(make([]byte, 0, size), version)}
}

// Bytes returns the record.
func (w *Writer) Bytes() []byte { return w.b }

// Uint appends a number.
func (w *Writer) Uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }

// Int appends a number that may be negative.
func (w *Writer) Int(v int64) { w.b = binary.AppendVarint(w.b, v) }

// Text appends a text.
func (w *Writer) Text(s string) {
	w.Uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

// Blob appends bytes.
func (w *Writer) Blob(p []byte) {
	w.Uint(uint64(len(p)))
	w.b = append(w.b, p...)
}

// Time appends an instant with nanoseconds; the zero time stays zero.
func (w *Writer) Time(t time.Time) {
	if t.IsZero() {
		w.Int(0)
		return
	}
	w.Int(t.UnixNano())
}

// Duration appends a duration.
func (w *Writer) Duration(d time.Duration) { w.Int(int64(d)) }

// Texts appends a list of texts.
func (w *Writer) Texts(list []string) {
	w.Uint(uint64(len(list)))
	for _, s := range list {
		w.Text(s)
	}
}

// Map appends names and texts in order of the names. A nil map and an empty
// one are told apart.
func (w *Writer) Map(m map[string]string) {
	if m == nil {
		w.Uint(0)
		return
	}
	w.Uint(uint64(len(m)) + 1)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w.Text(k)
		w.Text(m[k])
	}
}

// Reader takes the fields out again. After the first failure every method
// returns zero values; Close reports it.
type Reader struct {
	s   string
	pos int
	err error
}

// NewReader reads a record. The texts that it returns share one copy of b.
func NewReader(b []byte) (version byte, r *Reader) {
	if len(b) == 0 {
		return 0, &Reader{err: ErrDamaged}
	}
	return b[0], &Reader{s: string(b), pos: 1}
}

// More reports whether fields are left, for records that have grown.
func (r *Reader) More() bool { return r.err == nil && r.pos < len(r.s) }

// Close returns ErrDamaged if a field could not be read or bytes are left.
func (r *Reader) Close() error {
	if r.err == nil && r.pos != len(r.s) {
		r.err = ErrDamaged
	}
	return r.err
}

// Uint reads a number.
func (r *Reader) Uint() uint64 {
	var v uint64
	for shift := uint(0); shift < 64; shift += 7 {
		if r.err != nil || r.pos >= len(r.s) {
			break
		}
		c := r.s[r.pos]
		r.pos++
		if shift == 63 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.err = ErrDamaged
	return 0
}

// Int reads a number that may be negative.
func (r *Reader) Int() int64 {
	u := r.Uint()
	v := int64(u >> 1)
	if u&1 != 0 {
		v = ^v
	}
	return v
}

// Text reads a text.
func (r *Reader) Text() string {
	n := r.Uint()
	if r.err != nil || n > uint64(len(r.s)-r.pos) {
		r.err = ErrDamaged
		return ""
	}
	s := r.s[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return s
}

// Blob reads bytes into dst and fails unless there are exactly len(dst).
func (r *Reader) Blob(dst []byte) {
	s := r.Text()
	if r.err == nil && len(s) != len(dst) {
		r.err = ErrDamaged
		return
	}
	copy(dst, s)
}

// Time reads an instant in UTC.
func (r *Reader) Time() time.Time {
	n := r.Int()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// Duration reads a duration.
func (r *Reader) Duration() time.Duration { return time.Duration(r.Int()) }

// count reads a number of things of which each takes at least one byte.
func (r *Reader) count(n uint64) int {
	if r.err != nil || n > uint64(len(r.s)-r.pos) {
		r.err = ErrDamaged
		return 0
	}
	return int(n)
}

// Texts reads a list of texts; an empty list is nil.
func (r *Reader) Texts() []string {
	n := r.count(r.Uint())
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.Text()
	}
	return list
}

// Count reads the number of elements that a list has, each of which takes at
// least one byte.
func (r *Reader) Count() int { return r.count(r.Uint()) }

// Map reads names and texts.
func (r *Reader) Map() map[string]string {
	n := r.Uint()
	if n == 0 {
		return nil
	}
	c := r.count(n - 1)
	m := make(map[string]string, c)
	for range c {
		k := r.Text()
		m[k] = r.Text()
	}
	return m
}

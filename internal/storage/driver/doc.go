// Package driver holds what every storage driver needs and none should write
// twice: the buffer in which a transaction's writes wait, the list of watchers,
// the count of running transactions, and the checks on keys and values.
//
// The package refuses to touch a medium: it has no I/O.
package driver

import (
	"bytes"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

// CheckKey returns storage.ErrTooLarge for a key beyond the limit and
// storage.ErrEmptyKey for one without bytes.
func CheckKey(key []byte) error {
	switch {
	case len(key) == 0:
		return storage.ErrEmptyKey
	case len(key) > storage.MaxKeySize:
		return storage.ErrTooLarge
	}
	return nil
}

// CheckPut is CheckKey, and storage.ErrTooLarge for a value beyond the limit.
func CheckPut(key, value []byte) error {
	if len(value) > storage.MaxValueSize {
		return storage.ErrTooLarge
	}
	return CheckKey(key)
}

// Never is the stored expiry of a key that does not expire.
const Never int64 = 0

// Expiry turns an expiry into what drivers store: nanoseconds since 1970, or
// Never for the zero time. Instants that do not fit are moved to the nearest
// one that does, so that a far future never wraps into the past.
func Expiry(t time.Time) int64 {
	switch {
	case t.IsZero():
		return Never
	case t.Unix() <= 0:
		return 1
	case t.Unix() >= maxSeconds:
		return maxSeconds * 1e9
	}
	return t.UnixNano()
}

// maxSeconds is the last whole second that nanoseconds in an int64 can name.
const maxSeconds = 1<<63/1_000_000_000 - 1

// Expired reports whether a key stored with expires reads as absent at now,
// both in nanoseconds since 1970.
func Expired(expires, now int64) bool { return expires != Never && expires <= now }

// PrefixEnd returns the smallest key that is greater than every key with the
// prefix, or nil when there is none.
func PrefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

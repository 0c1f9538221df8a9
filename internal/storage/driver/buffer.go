package driver

import (
	"bytes"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

// Write is what a transaction wants to become of one key.
type Write struct {
	Value   []byte // not to be changed
	Expires int64  // as Expiry returns it
	Deleted bool
}

// Buffer keeps a transaction's writes until its function has returned, so that
// a function that fails leaves nothing behind and the others that share its
// medium transaction do not notice. The zero value is ready to use. It is not
// safe for concurrent use.
type Buffer struct {
	writes map[string]Write
	sorted []string
	stale  bool // sorted lacks a key
}

// Put records a value, or says why the contract does not take it. The value is
// copied.
func (b *Buffer) Put(key, value []byte, expires time.Time) error {
	if err := CheckPut(key, value); err != nil {
		return err
	}
	b.set(key, Write{Value: append(make([]byte, 0, len(value)), value...), Expires: Expiry(expires)})
	return nil
}

// Delete records that key goes, or says why the contract does not take it.
func (b *Buffer) Delete(key []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	b.set(key, Write{Deleted: true})
	return nil
}

func (b *Buffer) set(key []byte, w Write) {
	if b.writes == nil {
		b.writes = make(map[string]Write, 4)
	}
	if _, ok := b.writes[string(key)]; !ok {
		b.stale = true
	}
	b.writes[string(key)] = w
}

// Get returns the write that is recorded for key.
func (b *Buffer) Get(key []byte) (Write, bool) {
	w, ok := b.writes[string(key)]
	return w, ok
}

// Len returns the number of keys with a recorded write.
func (b *Buffer) Len() int { return len(b.writes) }

// Keys returns the written keys in order. Do not change the slice.
func (b *Buffer) Keys() []string {
	if b.stale {
		b.sorted = b.sorted[:0]
		for k := range b.writes {
			b.sorted = append(b.sorted, k)
		}
		slices.Sort(b.sorted)
		b.stale = false
	}
	return b.sorted
}

// Each calls fn for each write in key order until fn fails.
func (b *Buffer) Each(fn func(key string, w Write) error) error {
	for _, k := range b.Keys() {
		if err := fn(k, b.writes[k]); err != nil {
			return err
		}
	}
	return nil
}

// Scan is storage.ReadTx.Scan over what base returns with the recorded writes
// laid on top. base returns, in order, live items after a key, like Scan; fewer
// than the limit it was given means that it has no more. now is the instant
// against which the recorded writes' expiry is judged.
func (b *Buffer) Scan(prefix, after []byte, limit int, now int64, base func(after []byte, limit int) ([]storage.Item, error)) ([]storage.Item, error) {
	mine := b.inRange(prefix, after)
	if len(mine) == 0 {
		return base(after, limit)
	}
	out := make([]storage.Item, 0, min(limit, 64))
	for more := true; len(out) < limit; {
		var page []storage.Item
		if more {
			var err error
			if page, err = base(after, limit); err != nil {
				return nil, err
			}
			more = len(page) == limit
		}
		if len(page) > 0 {
			after = page[len(page)-1].Key
		}
		out, mine = b.merge(out, page, mine, limit, now, more)
		if !more {
			break
		}
	}
	return out, nil
}

// inRange returns the written keys with the prefix that follow after.
func (b *Buffer) inRange(prefix, after []byte) []string {
	keys := b.Keys()
	from := sort.Search(len(keys), func(i int) bool {
		return keys[i] >= string(prefix) && (after == nil || keys[i] > string(after))
	})
	to := from
	for to < len(keys) && strings.HasPrefix(keys[to], string(prefix)) {
		to++
	}
	return keys[from:to]
}

// merge adds one page and the recorded writes up to its end to out. With more
// set, base may hold keys after the page, so later writes have to wait.
func (b *Buffer) merge(out, page []storage.Item, mine []string, limit int, now int64, more bool) ([]storage.Item, []string) {
	for len(out) < limit {
		switch {
		case len(page) > 0 && (len(mine) == 0 || string(page[0].Key) < mine[0]):
			out = append(out, page[0])
			page = page[1:]
		case len(mine) > 0 && (len(page) > 0 || !more):
			if len(page) > 0 && string(page[0].Key) == mine[0] {
				page = page[1:]
			}
			if w := b.writes[mine[0]]; !w.Deleted && !Expired(w.Expires, now) {
				out = append(out, storage.Item{Key: []byte(mine[0]), Value: bytes.Clone(w.Value)})
			}
			mine = mine[1:]
		default:
			return out, mine
		}
	}
	return out, mine
}

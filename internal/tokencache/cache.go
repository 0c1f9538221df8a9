// Package tokencache remembers what was proved about tokens, so that a token
// that comes again needs no second signature check. A token is known by the
// SHA-256 of its whole text, which has one spelling (package jwt).
//
// What is remembered is void once the keys that proved it have changed, at the
// end that was given with it, and when the clock is set back before the moment
// of the proof. A cache is bounded: a full one forgets at random. Only what was
// proved may be put in, so strangers cannot fill it.
package tokencache

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

// Keys are the keys that prove tokens. Generation grows whenever they change.
type Keys interface{ Generation() uint64 }

// Entry is what was proved about one token, and for how long it is true.
type Entry[V any] struct {
	Value V
	// Keys proved it, and Generation is what Keys said before they were used:
	// a change in between voids the entry.
	Keys       Keys
	Generation uint64
	Since      time.Time // when it was proved
	Until      time.Time // from here on it is not true any more
}

// valid reports whether nothing has changed since the token was proved.
func (e *Entry[V]) valid(now time.Time) bool {
	return now.Before(e.Until) && !now.Before(e.Since) && e.Keys.Generation() == e.Generation
}

// shards is how many locks a cache has.
const shards = 64

// Cache is safe for concurrent use. A nil Cache remembers nothing.
type Cache[V any] struct {
	limit  int // entries per shard
	shards [shards]shard[V]
	met    [metSize]atomic.Uint64
}

type shard[V any] struct {
	mu sync.RWMutex
	m  map[[32]byte]*Entry[V]
}

// New returns a cache for about size tokens.
func New[V any](size int) *Cache[V] { return &Cache[V]{limit: max(size/shards, 1)} }

func (c *Cache[V]) shard(sum [32]byte) *shard[V] { return &c.shards[sum[0]%shards] }

// Get returns what is known about the token at now.
func (c *Cache[V]) Get(sum [32]byte, now time.Time) (v V, ok bool) {
	if c == nil {
		return v, false
	}
	s := c.shard(sum)
	s.mu.RLock()
	e := s.m[sum]
	s.mu.RUnlock()
	if e == nil {
		return v, false
	}
	if !e.valid(now) {
		s.drop(sum, e)
		return v, false
	}
	return e.Value, true
}

// drop removes e, unless another request has replaced it.
func (s *shard[V]) drop(sum [32]byte, e *Entry[V]) {
	s.mu.Lock()
	if s.m[sum] == e {
		delete(s.m, sum)
	}
	s.mu.Unlock()
}

// Put remembers e. A full shard drops entries that are over, or any one.
func (c *Cache[V]) Put(sum [32]byte, e Entry[V], now time.Time) {
	if c == nil {
		return
	}
	s := c.shard(sum)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[[32]byte]*Entry[V]{}
	}
	if _, known := s.m[sum]; !known && len(s.m) >= c.limit {
		s.makeRoom(now)
	}
	s.m[sum] = &e
}

// sweepLimit is how many entries of a full shard are looked at for some that
// are over, before one is dropped at random.
const sweepLimit = 16

func (s *shard[V]) makeRoom(now time.Time) {
	var victim [32]byte
	looked, dropped := 0, 0
	for sum, old := range s.m { // in random order
		victim = sum
		if !now.Before(old.Until) {
			delete(s.m, sum)
			dropped++
		}
		if looked++; looked == sweepLimit {
			break
		}
	}
	if dropped == 0 {
		delete(s.m, victim)
	}
}

// Len returns how many tokens are remembered.
func (c *Cache[V]) Len() int {
	if c == nil {
		return 0
	}
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		n += len(s.m)
		s.mu.RUnlock()
	}
	return n
}

// metSize is how many tokens Met can tell apart.
const metSize = 32768

// Met reports whether the token was asked about before, and notes that it was
// now. It forgets a token once another one takes its place, so its answer is
// a hint: use it to keep tokens that are used once out of the cache.
func (c *Cache[V]) Met(sum [32]byte) bool {
	if c == nil {
		return false
	}
	mark := binary.LittleEndian.Uint64(sum[8:]) | 1 // never the empty place's 0
	return c.met[binary.LittleEndian.Uint16(sum[2:])%metSize].Swap(mark) == mark
}

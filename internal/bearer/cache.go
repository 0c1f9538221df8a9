package bearer

import (
	"sync"
	"time"

	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/principal"
)

// shards is how many locks the cache has.
const shards = 64

// cache remembers tokens verified under one configuration, by their hash. A nil
// cache remembers nothing.
type cache struct {
	snapshot *iam.Snapshot
	limit    int // entries per shard
	shards   [shards]shard
}

type shard struct {
	mu sync.RWMutex
	m  map[[32]byte]*entry
}

// entry is what was found about one token, and for how long it is true.
type entry struct {
	caller     *principal.Principal
	keys       jwks.Source
	generation uint64
	since      time.Time // when it was verified: a clock that was set back asks anew
	until      time.Time
}

// valid reports whether nothing has changed since the token was verified.
func (e *entry) valid(now time.Time) bool {
	return now.Before(e.until) && !now.Before(e.since) && e.keys.Generation() == e.generation
}

func newCache(snap *iam.Snapshot, size int) *cache {
	c := &cache{snapshot: snap, limit: max(size/shards, 1)}
	for i := range c.shards {
		c.shards[i].m = map[[32]byte]*entry{}
	}
	return c
}

func (c *cache) shard(sum [32]byte) *shard { return &c.shards[sum[0]%shards] }

func (c *cache) get(sum [32]byte) *entry {
	if c == nil {
		return nil
	}
	s := c.shard(sum)
	s.mu.RLock()
	e := s.m[sum]
	s.mu.RUnlock()
	return e
}

// drop removes e, unless another request has replaced it.
func (c *cache) drop(sum [32]byte, e *entry) {
	s := c.shard(sum)
	s.mu.Lock()
	if s.m[sum] == e {
		delete(s.m, sum)
	}
	s.mu.Unlock()
}

// sweepLimit is how many entries of a full shard are looked at for some that
// are over, before one is dropped at random.
const sweepLimit = 16

// put remembers e. A full shard drops entries that are over, or any one.
func (c *cache) put(sum [32]byte, e *entry, now time.Time) {
	if c == nil {
		return
	}
	s := c.shard(sum)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.m[sum]; !known && len(s.m) >= c.limit {
		s.makeRoom(now)
	}
	s.m[sum] = e
}

func (s *shard) makeRoom(now time.Time) {
	var victim [32]byte
	looked, dropped := 0, 0
	for sum, old := range s.m { // in random order
		victim = sum
		if !now.Before(old.until) {
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

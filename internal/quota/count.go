package quota

import (
	"math"
	"net/netip"
	"sync"
	"time"
)

// maxAddresses bounds what one rule remembers.
const maxAddresses = 50_000

// crowd is the one count that addresses share when there are too many. Callers
// whose address is not known are part of it.
var crowd netip.Addr

// client is what is counted for an address: the address itself, or the 64 bits
// of IPv6 that one subscriber has all addresses of.
func client(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.Is4() || !a.IsValid() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return crowd
	}
	return p.Addr()
}

// counts are the token buckets of one rule, by client address.
type counts struct {
	mu  sync.Mutex
	m   map[netip.Addr]*bucket
	old map[netip.Addr]*bucket // those of the turn before; quiet ones end here
	at  time.Time              // when the turn began
}

// bucket is what an address may still ask for.
type bucket struct {
	left    float64
	seen    time.Time
	blocked time.Time // refused until then
}

// take counts one request.
func (c *counted) take(addr netip.Addr, now time.Time) Verdict {
	c.counts.mu.Lock()
	defer c.counts.mu.Unlock()
	b := c.bucket(addr, now)
	interval := time.Duration(c.Interval) * time.Second
	if past := now.Sub(b.seen); past > 0 {
		b.left = math.Min(c.capacity(), b.left+c.Rate*past.Seconds()/interval.Seconds())
		b.seen = now
	}
	v := Verdict{Limit: int64(c.capacity())}
	switch {
	case now.Before(b.blocked):
		v.Wait = b.blocked.Sub(now)
	case b.left >= 1:
		b.left--
		v.OK = true
	default:
		v.Wait = time.Duration((1 - b.left) / c.Rate * float64(interval))
		if c.Block > 0 {
			b.blocked = now.Add(time.Duration(c.Block) * time.Second)
			v.Wait = time.Duration(c.Block) * time.Second
		}
	}
	v.Remaining = int64(b.left)
	return v
}

// capacity is how many requests may come at once: at least one, or a rule with
// a rate under one would refuse all.
func (c *counted) capacity() float64 { return math.Max(1, math.Floor(c.Rate)) }

// bucket returns the count of an address. The lock is held.
func (c *counted) bucket(addr netip.Addr, now time.Time) *bucket {
	n := &c.counts
	if turn := time.Duration(max(c.Interval, c.Block, 1)) * time.Second; n.m == nil || now.Sub(n.at) >= turn || now.Before(n.at) {
		n.old, n.m, n.at = n.m, make(map[netip.Addr]*bucket), now
	}
	if b := n.m[addr]; b != nil {
		return b
	}
	b := n.old[addr]
	if b == nil {
		if len(n.m) >= maxAddresses {
			if addr = crowd; n.m[addr] != nil {
				return n.m[addr]
			}
		}
		b = &bucket{left: c.capacity(), seen: now}
	}
	n.m[addr] = b
	return b
}

package jwks

import (
	"sync"
	"time"
)

// Stats are all open sources of a Client in numbers, for metrics.
type Stats struct {
	Sources int           // that are open
	Failing int           // whose last fetch failed
	Without int           // that were asked for keys and have none that may be used
	Oldest  time.Duration // age of the oldest set that may be used
}

// openSources are the sources that a Client has made and nobody has closed.
type openSources struct {
	mu  sync.Mutex
	all map[*remote]struct{}
}

func (s *openSources) add(r *remote) Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[r] = struct{}{}
	r.forget = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, r)
	}
	return r
}

// Stats looks at all open sources.
func (c *Client) Stats() Stats {
	c.open.mu.Lock()
	defer c.open.mu.Unlock()
	st := Stats{Sources: len(c.open.all)}
	now := c.o.Now()
	for r := range c.open.all {
		failing, asked := r.health()
		if failing {
			st.Failing++
		}
		if s := r.usable(now); s != nil {
			st.Oldest = max(st.Oldest, now.Sub(s.fetched))
		} else if asked {
			st.Without++
		}
	}
	return st
}

// health reports whether the last fetch failed, and whether there was one.
func (r *remote) health() (failing, asked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lastErr != nil, r.fetches > 0
}

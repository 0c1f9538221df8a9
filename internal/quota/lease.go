package quota

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// LeaseRule bounds how many leases live below a path.
type LeaseRule struct {
	Name string `json:"-"`
	Path string `json:"path,omitzero"` // as in Rule, without a final "*"
	Max  int    `json:"max_leases"`

	count *leaseCount
}

// leaseCount is what this node knows of the number of leases: a count of the
// store, and what was let through since.
type leaseCount struct {
	mu sync.Mutex
	n  int
	at time.Time
}

// How long a count of the store is good, and how soon a full one is counted
// again, so that leases that ended make room.
const (
	countFor = 5 * time.Second
	fullFor  = 250 * time.Millisecond
)

// maxLeases bounds what a rule can ask to be counted.
const maxLeases = 10_000_000

func (n *snapshot) loadLeases(tx storage.ReadTx, old *snapshot) error {
	items, err := tx.Scan([]byte(leasePref), nil, maxRules)
	if err != nil {
		return err
	}
	for _, it := range items {
		r := &LeaseRule{Name: string(it.Key[len(leasePref):])}
		if err := json.Unmarshal(it.Value, r); err != nil {
			return fmt.Errorf("quota: rule %q: %w", r.Name, err)
		}
		r.count = &leaseCount{}
		if old != nil && old.leases[r.Name] != nil && old.leases[r.Name].Path == r.Path {
			r.count = old.leases[r.Name].count
		}
		n.leases[r.Name] = r
	}
	return nil
}

// leaseRule returns the rule for a path, the most specific one.
func (n *snapshot) leaseRule(path string) *LeaseRule {
	var best *LeaseRule
	for _, r := range n.leases {
		if (path == r.Path || r.Path == "" || strings.HasPrefix(path, strings.TrimSuffix(r.Path, "/")+"/")) &&
			(best == nil || len(r.Path) > len(best.Path)) {
			best = r
		}
	}
	return best
}

// AllowLease reports whether one more lease may be made at path. count counts
// the stored leases below a path, up to a limit; it is asked now and then.
// Requests that run at the same time may go a few leases over.
func (s *Store) AllowLease(ctx context.Context, path string, count func(ctx context.Context, below string, limit int) (int, error)) (bool, error) {
	r := s.snap.Load().leaseRule(path)
	if r == nil {
		return true, nil
	}
	c, now := r.count, s.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	old := now.Sub(c.at)
	if c.at.IsZero() || old >= countFor || old < 0 || c.n >= r.Max && old >= fullFor {
		n, err := count(ctx, r.Path, r.Max)
		if err != nil {
			return false, err
		}
		c.n, c.at = n, now
	}
	return c.n < r.Max, nil
}

// LeaseMade counts a lease that was made at path until the store is asked
// again. A request that came to nothing must not count, or strangers could use
// up the room.
func (s *Store) LeaseMade(path string) {
	if r := s.snap.Load().leaseRule(path); r != nil {
		r.count.mu.Lock()
		r.count.n++
		r.count.mu.Unlock()
	}
}

// Lease returns a rule about leases.
func (s *Store) Lease(name string) (LeaseRule, bool) {
	r := s.snap.Load().leases[name]
	if r == nil {
		return LeaseRule{}, false
	}
	return *r, true
}

// Leases returns the names of all rules about leases, sorted.
func (s *Store) Leases() []string {
	return slices.Sorted(maps.Keys(s.snap.Load().leases))
}

// PutLease writes a rule about leases.
func (s *Store) PutLease(ctx context.Context, r LeaseRule) error {
	if err := (Rule{Name: r.Name, Path: r.Path, Rate: 1, Interval: 1}).check(); err != nil {
		return err
	}
	if r.Max < 1 || r.Max > maxLeases {
		return fault.Newf(fault.Invalid, "'max_leases' must be from 1 to %d", maxLeases)
	}
	if strings.HasSuffix(r.Path, "*") {
		return fault.New(fault.Invalid, "the path of a lease-count quota cannot end in '*'")
	}
	n := s.snap.Load()
	for name, other := range n.leases {
		if name != r.Name && other.Path == r.Path {
			return fault.Newf(fault.Invalid, "quota rule already exists with similar properties under the name %q", name)
		}
	}
	if len(n.leases) >= maxRules && n.leases[r.Name] == nil {
		return fault.Newf(fault.Conflict, "there are already %d quota rules", maxRules)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("quota: %w", err)
	}
	return s.write(ctx, leasePref+r.Name, b)
}

// DeleteLease removes a rule about leases; an absent one is no error.
func (s *Store) DeleteLease(ctx context.Context, name string) error {
	return s.write(ctx, leasePref+name, nil)
}

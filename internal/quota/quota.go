package quota

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

const (
	rulePrefix = "quota/rule/"
	leasePref  = "quota/lease/"
	configKey  = "quota/config"
	keyPrefix  = "quota/"
	maxRules   = 1000
	maxName    = 256
)

// Rule bounds the rate of requests of each client address.
type Rule struct {
	Name string `json:"-"`
	// Path is where it holds: "" everywhere, a mount with its trailing slash,
	// a path, or a prefix that ends in "*". The most specific rule counts.
	Path string `json:"path,omitzero"`
	// Rate is how many requests an address has per interval.
	Rate float64 `json:"rate"`
	// Interval is in whole seconds, at least one.
	Interval int64 `json:"interval"`
	// Block, in seconds, is how long an address that went over is refused
	// altogether. 0: only as long as its count is spent.
	Block int64 `json:"block_interval,omitzero"`
}

// Config is what holds for all rules.
type Config struct {
	// Headers: answers say how much is left.
	Headers bool `json:"enable_rate_limit_response_headers,omitzero"`
	// Exempt are paths that no rule bounds.
	Exempt []string `json:"rate_limit_exempt_paths,omitzero"`
}

// Options of Open.
type Options struct {
	Now    func() time.Time // nil: time.Now
	Failed func(error)      // told of reloads that do not work
}

// Store keeps the rules and counts.
type Store struct {
	st   storage.Store
	now  func() time.Time
	fail func(error)
	stop func()
	snap atomic.Pointer[snapshot]
	mu   sync.Mutex // held from reading the stored rules to swapping them in
}

type snapshot struct {
	config   Config
	rules    map[string]*counted
	exact    map[string]*counted
	prefixes []*counted // longest first
	leases   map[string]*LeaseRule
}

// counted is a rule with its counts.
type counted struct {
	Rule
	prefix string
	counts counts
}

// Open reads the rules and follows changes until Close.
func Open(ctx context.Context, st storage.Store, o Options) (*Store, error) {
	s := &Store{st: st, now: o.Now, fail: o.Failed}
	if s.now == nil {
		s.now = time.Now
	}
	if s.fail == nil {
		s.fail = func(error) {}
	}
	if err := s.Reload(ctx); err != nil {
		return nil, err
	}
	s.stop = storage.Follow(st, []byte(keyPrefix), func() error {
		err := s.Reload(context.Background())
		if err != nil {
			s.fail(err)
		}
		return err
	})
	return s, nil
}

// Close stops following changes.
func (s *Store) Close() { s.stop() }

// Reload reads the rules anew. Counts of rules that did not change go on.
func (s *Store) Reload(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var next *snapshot
	err := s.st.View(ctx, func(tx storage.ReadTx) error {
		next = &snapshot{rules: map[string]*counted{}, exact: map[string]*counted{}, leases: map[string]*LeaseRule{}}
		items, err := tx.Scan([]byte(rulePrefix), nil, maxRules)
		if err != nil {
			return err
		}
		for _, it := range items {
			r := Rule{Name: string(it.Key[len(rulePrefix):])}
			if err := json.Unmarshal(it.Value, &r); err != nil {
				return fmt.Errorf("quota: rule %q: %w", r.Name, err)
			}
			next.add(r, s.snap.Load())
		}
		if err := next.loadLeases(tx, s.snap.Load()); err != nil {
			return err
		}
		b, err := tx.Get([]byte(configKey))
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(b, &next.config)
	})
	if err != nil {
		return fmt.Errorf("quota: reading rules: %w", err)
	}
	slices.SortStableFunc(next.prefixes, func(a, b *counted) int { return len(b.prefix) - len(a.prefix) })
	s.snap.Store(next)
	return nil
}

// add compiles one rule; an unchanged one keeps its counts.
func (n *snapshot) add(r Rule, old *snapshot) {
	var c *counted
	if old != nil {
		if c = old.rules[r.Name]; c != nil && c.Rule != r {
			c = nil
		}
	}
	p, glob := strings.CutSuffix(r.Path, "*")
	if c == nil {
		c = &counted{Rule: r, prefix: p}
	}
	n.rules[r.Name] = c
	if r.Path == "" || glob || strings.HasSuffix(p, "/") {
		n.prefixes = append(n.prefixes, c)
	} else {
		n.exact[r.Path] = c
	}
}

// find returns the rule for a path, the most specific one.
func (n *snapshot) find(path string) *counted {
	if c := n.exact[path]; c != nil {
		return c
	}
	for _, c := range n.prefixes {
		if strings.HasPrefix(path, c.prefix) {
			return c
		}
	}
	return nil
}

func (n *snapshot) exempt(path string) bool {
	return slices.ContainsFunc(n.config.Exempt, func(e string) bool {
		p, glob := strings.CutSuffix(e, "*")
		return path == e || glob && strings.HasPrefix(path, p)
	})
}

// Verdict is what became of a request.
type Verdict struct {
	OK        bool
	Limit     int64         // requests per interval; 0 when no rule counts
	Remaining int64         // of them
	Wait      time.Duration // until the next request can pass; 0 when OK
	Headers   bool          // the answer shall say so
}

// Allow counts one request of a client to a path. Addresses of one IPv6 /64 are
// one client.
func (s *Store) Allow(path string, addr netip.Addr) Verdict {
	n := s.snap.Load()
	if len(n.rules) == 0 {
		return Verdict{OK: true}
	}
	c := n.find(path)
	if c == nil || n.exempt(path) {
		return Verdict{OK: true}
	}
	v := c.take(client(addr), s.now())
	v.Headers = n.config.Headers
	return v
}

// Get returns a rule.
func (s *Store) Get(name string) (Rule, bool) {
	c := s.snap.Load().rules[name]
	if c == nil {
		return Rule{}, false
	}
	return c.Rule, true
}

// List returns the names of all rules, sorted.
func (s *Store) List() []string {
	var out []string
	for name := range s.snap.Load().rules {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Put writes a rule. Invalid: its numbers or its path cannot be, or another
// rule has the same path.
func (s *Store) Put(ctx context.Context, r Rule) error {
	if r.Interval == 0 {
		r.Interval = 1
	}
	if err := r.check(); err != nil {
		return err
	}
	n := s.snap.Load()
	for name, other := range n.rules {
		if name != r.Name && other.Path == r.Path {
			return fault.Newf(fault.Invalid, "quota rule already exists with similar properties under the name %q", name)
		}
	}
	if len(n.rules) >= maxRules && n.rules[r.Name] == nil {
		return fault.Newf(fault.Conflict, "there are already %d quota rules", maxRules)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("quota: %w", err)
	}
	return s.write(ctx, rulePrefix+r.Name, b)
}

func (r Rule) check() error {
	switch {
	case r.Name == "" || len(r.Name) > maxName || strings.ContainsFunc(r.Name, unicode.IsControl):
		return fault.New(fault.Invalid, "the name of a quota must have 1 to 256 printable characters")
	case len(r.Path) > 1024 || strings.ContainsFunc(r.Path, unicode.IsControl):
		return fault.New(fault.Invalid, "invalid quota path")
	case !(r.Rate > 0) || r.Rate > 1e9: // not a number fails the first
		return fault.New(fault.Invalid, "'rate' is invalid: it must be greater than 0")
	case r.Interval < 1 || r.Interval > 86400:
		return fault.New(fault.Invalid, "'interval' is invalid: it must be from one second to one day")
	case r.Block < 0 || r.Block > 86400:
		return fault.New(fault.Invalid, "'block_interval' is invalid: it must be at most one day")
	}
	return nil
}

// Delete removes a rule; an absent one is no error.
func (s *Store) Delete(ctx context.Context, name string) error {
	return s.write(ctx, rulePrefix+name, nil)
}

// Config returns what holds for all rules.
func (s *Store) Config() Config { return s.snap.Load().config }

// SetConfig replaces what holds for all rules.
func (s *Store) SetConfig(ctx context.Context, c Config) error {
	if len(c.Exempt) > maxRules {
		return fault.Newf(fault.Invalid, "more than %d exempt paths", maxRules)
	}
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("quota: %w", err)
	}
	return s.write(ctx, configKey, b)
}

// write stores a value, or deletes it when nil, and swaps in the result.
func (s *Store) write(ctx context.Context, key string, value []byte) error {
	err := s.st.Update(ctx, func(tx storage.Tx) error {
		if value == nil {
			return tx.Delete([]byte(key))
		}
		return tx.Put([]byte(key), value, time.Time{})
	})
	if err != nil {
		return err
	}
	return s.Reload(ctx)
}

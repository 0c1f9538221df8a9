package policystore

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy/acl"
	"github.com/jotgate/jotgate/internal/storage"
)

const (
	keyPrefix   = "policy/"
	maxPolicies = 20_000
)

// Identities gives what templates may name of an entity. An entity that is
// gone or disabled has the zero value.
type Identities interface {
	TemplateData(ctx context.Context, entityID string) (acl.TemplateData, error)
}

// Policy is one stored policy.
type Policy struct {
	Name     string
	Text     string
	Version  int       // counts writes, from 1; 0 for built-in texts
	Modified time.Time // zero for built-in texts
}

type record struct {
	Text     string    `json:"text"`
	Version  int       `json:"version"`
	Modified time.Time `json:"modified"`
}

// Store keeps the policies. Build it with Open.
type Store struct {
	st   storage.Store
	ids  Identities
	now  func() time.Time
	fail func(error)
	stop func()
	snap atomic.Pointer[snapshot]
	mu   sync.Mutex // held from reading the stored policies to swapping them in
}

// Options of Open. All may be zero.
type Options struct {
	Identities Identities       // nil: rules with templates are dropped
	Now        func() time.Time // nil: time.Now
	// Failed is told about stored texts that no longer compile, and about
	// reloads that do not work; the last good snapshot stays.
	Failed func(error)
}

// Open reads all policies and follows changes until Close.
func Open(ctx context.Context, st storage.Store, o Options) (*Store, error) {
	s := &Store{st: st, ids: o.Identities, now: o.Now, fail: o.Failed}
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
func (s *Store) Close() {
	if s.stop != nil {
		s.stop()
	}
}

// Reload reads all policies anew.
func (s *Store) Reload(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reload(ctx)
}

func (s *Store) reload(ctx context.Context) error {
	var items []storage.Item
	err := s.st.View(ctx, func(tx storage.ReadTx) (err error) {
		items, err = tx.Scan([]byte(keyPrefix), nil, maxPolicies+1)
		return err
	})
	if err != nil {
		return fmt.Errorf("policystore: reading policies: %w", err)
	}
	snap, old := newSnapshot(), s.snap.Load()
	for _, it := range items {
		name := string(it.Key[len(keyPrefix):])
		if err := snap.load(name, it.Value, old); err != nil {
			// A text that this version no longer takes grants nothing; its
			// holders lose rights rather than gain any.
			s.fail(fmt.Errorf("policystore: policy %q is not in force: %w", name, err))
		}
	}
	s.snap.Store(snap)
	return nil
}

// List returns the names of all policies, sorted. "root" is always there.
func (s *Store) List() []string {
	snap := s.snap.Load()
	out := make([]string, 0, len(snap.texts)+1)
	for name := range snap.texts {
		if name != acl.ResponseWrappingName {
			out = append(out, name)
		}
	}
	out = append(out, acl.RootName)
	sort.Strings(out)
	return out
}

// Has reports whether a policy with this name exists.
func (s *Store) Has(name string) bool {
	_, ok := s.Get(name)
	return ok
}

// Get returns a policy by its name, in any case of letters. "root" has an
// empty text.
func (s *Store) Get(name string) (Policy, bool) {
	n, err := acl.NormalizeName(name)
	if err != nil {
		return Policy{}, false
	}
	if n == acl.RootName {
		return Policy{Name: n}, true
	}
	p, ok := s.snap.Load().texts[n]
	return p, ok
}

// Put writes a policy and returns the name under which it is kept. Invalid is
// returned for a text that does not parse and for names that the server keeps.
func (s *Store) Put(ctx context.Context, name, text string) (string, error) {
	n, err := acl.NormalizeName(name)
	if err != nil {
		return "", err
	}
	if n == acl.RootName || n == acl.ResponseWrappingName {
		return "", fault.Newf(fault.Invalid, "cannot update %q policy", n)
	}
	if _, err := acl.Parse(n, text); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.st.Update(ctx, func(tx storage.Tx) error {
		rec := record{Text: text, Version: 1, Modified: s.now().UTC()}
		old, err := tx.Get([]byte(keyPrefix + n))
		switch {
		case errors.Is(err, storage.ErrNotFound):
			if len(s.snap.Load().texts) >= maxPolicies {
				return fault.Newf(fault.Conflict, "there are already %d policies", maxPolicies)
			}
		case err != nil:
			return err
		default:
			var prev record
			if json.Unmarshal(old, &prev) == nil {
				rec.Version = prev.Version + 1
			}
		}
		b, err := json.Marshal(rec)
		if err != nil {
			return err
		}
		return tx.Put([]byte(keyPrefix+n), b, time.Time{})
	})
	if err != nil {
		return "", err
	}
	return n, s.reload(ctx)
}

// Delete removes a policy; an absent one is no error.
func (s *Store) Delete(ctx context.Context, name string) error {
	n, err := acl.NormalizeName(name)
	if err != nil {
		return nil //nolint:nilerr // no policy can have such a name
	}
	switch n {
	case acl.RootName, acl.ResponseWrappingName:
		return fault.Newf(fault.Invalid, "cannot delete %q policy", n)
	case acl.DefaultName:
		return fault.New(fault.Invalid, "cannot delete default policy")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.st.Update(ctx, func(tx storage.Tx) error { return tx.Delete([]byte(keyPrefix + n)) }); err != nil {
		return err
	}
	return s.reload(ctx)
}

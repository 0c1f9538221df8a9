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
	// CASRequired: a write must say which version it replaces.
	CASRequired bool
	// AllowSlashes: values of templates may hold "/".
	AllowSlashes bool
}

// Write is a new text for a policy.
type Write struct {
	Text string
	// Replaces is the version that the text was made from: nothing is written
	// when another one is stored meanwhile. -1: there must be no policy yet.
	// nil: whatever is there, unless the policy asks for a version.
	Replaces *int
	// CASRequired changes whether later writes must set Replaces; nil leaves it.
	CASRequired *bool
	// AllowSlashes lets values of templates hold "/". It belongs to the text: a
	// write that leaves it out takes it back.
	AllowSlashes bool
}

type record struct {
	Text     string    `json:"text"`
	Version  int       `json:"version"`
	Modified time.Time `json:"modified"`
	CAS      bool      `json:"cas_required,omitzero"`
	Slashes  bool      `json:"allow_slashes,omitzero"`
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

// Put writes a policy, whatever it replaces.
func (s *Store) Put(ctx context.Context, name, text string) (string, error) {
	return s.Write(ctx, name, Write{Text: text})
}

// Write writes a policy and returns the name under which it is kept. Invalid is
// returned for a text that does not parse, for names that the server keeps, and
// when another version is stored than the write replaces.
func (s *Store) Write(ctx context.Context, name string, w Write) (string, error) {
	n, err := acl.NormalizeName(name)
	if err != nil {
		return "", err
	}
	if n == acl.RootName || n == acl.ResponseWrappingName {
		return "", fault.Newf(fault.Invalid, "cannot update %q policy", n)
	}
	if _, err := acl.Parse(n, w.Text); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.st.Update(ctx, func(tx storage.Tx) error {
		prev, err := stored(tx, n)
		switch {
		case err != nil:
			return err
		case prev == nil && len(s.snap.Load().texts) >= maxPolicies:
			return fault.Newf(fault.Conflict, "there are already %d policies", maxPolicies)
		}
		rec, err := w.after(prev)
		if err != nil {
			return err
		}
		rec.Modified = s.now().UTC()
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

// stored returns the record of a policy, nil when there is none. One that
// cannot be read is to be replaced by whatever is written next.
func stored(tx storage.ReadTx, name string) (*record, error) {
	b, err := tx.Get([]byte(keyPrefix + name))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &record{}
	if json.Unmarshal(b, r) != nil {
		r = &record{}
	}
	return r, nil
}

// after is the record that follows prev, which is nil for a new policy.
func (w Write) after(prev *record) (record, error) {
	rec := record{Text: w.Text, Version: 1, Slashes: w.AllowSlashes}
	if prev != nil {
		rec.Version, rec.CAS = prev.Version+1, prev.CAS
	}
	switch {
	case w.Replaces == nil && rec.CAS:
		return rec, fault.New(fault.Invalid, "check-and-set parameter required for this call")
	case w.Replaces == nil:
	case *w.Replaces == -1 && prev != nil:
		return rec, fault.New(fault.Invalid, "check-and-set parameter set to -1 on existing entry")
	case *w.Replaces == -1:
	case *w.Replaces != rec.Version-1:
		return rec, fault.New(fault.Invalid, "check-and-set parameter did not match the current version")
	}
	if w.CASRequired != nil {
		rec.CAS = *w.CASRequired
	}
	return rec, nil
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

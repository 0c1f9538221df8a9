package policystore

import (
	"context"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/policy/acl"
	"github.com/jotgate/jotgate/internal/principal"
)

// Bounds on the caches, so that callers cannot make them grow without end. A
// full cache starts over.
const (
	maxSets   = 4096
	maxFilled = 1024
)

// snapshot is all policies at one moment, compiled, with the caches that hold
// for just these policies. Swapping it drops them.
type snapshot struct {
	texts map[string]Policy
	rules map[string]*acl.Policy

	mu     sync.RWMutex
	sets   map[string]*set
	filled map[string]*filled
}

// set is the merged rules of one combination of policies.
type set struct {
	base      *acl.ACL      // without the rules that have templates
	policies  []*acl.Policy // all of them
	templated []string      // literal heads of the paths with templates
}

// filled is a set with one entity's values in its templates.
type filled struct {
	data acl.TemplateData
	acl  *acl.ACL
}

func newSnapshot() *snapshot {
	d, w := acl.Default(), acl.ResponseWrapping()
	return &snapshot{
		texts: map[string]Policy{
			d.Name(): {Name: d.Name(), Text: d.Text()},
			w.Name(): {Name: w.Name(), Text: w.Text()},
		},
		rules:  map[string]*acl.Policy{d.Name(): d, w.Name(): w},
		sets:   map[string]*set{},
		filled: map[string]*filled{},
	}
}

// load adds one stored policy. A text that does not compile can still be read;
// one that old has compiled is not compiled again.
func (s *snapshot) load(name string, value []byte, old *snapshot) error {
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return fmt.Errorf("stored record: %w", err)
	}
	s.texts[name] = Policy{Name: name, Text: r.Text, Version: r.Version, Modified: r.Modified, CASRequired: r.CAS, AllowSlashes: r.Slashes}
	if old != nil && old.texts[name].Text == r.Text && old.texts[name].AllowSlashes == r.Slashes && old.rules[name] != nil {
		s.rules[name] = old.rules[name]
		return nil
	}
	p, err := acl.Parse(name, r.Text)
	if err != nil {
		delete(s.rules, name)
		return err
	}
	if r.Slashes {
		p = p.WithSlashes()
	}
	s.rules[name] = p
	return nil
}

var rootACL = func() *acl.ACL {
	a, err := acl.Compile([]*acl.Policy{acl.Root()}, acl.TemplateData{})
	if err != nil {
		panic("policystore: " + err.Error())
	}
	return a
}()

// For returns the rules that can decide about path for this caller; with path
// "" all of its rules. A nil or anonymous caller has none.
func (s *Store) For(ctx context.Context, p *principal.Principal, path string) (*acl.ACL, error) {
	a := p.Attrs()
	if slices.Contains(a.TokenPolicies, acl.RootName) {
		return rootACL, nil
	}
	snap := s.snap.Load()
	var buf [256]byte
	key := appendKey(buf[:0], a.TokenPolicies, a.IdentityPolicies)
	set, err := snap.set(key, a.TokenPolicies, a.IdentityPolicies)
	if err != nil {
		return nil, err
	}
	if a.EntityID == "" || s.ids == nil || !set.needsValues(path) {
		return set.base, nil
	}
	data, err := s.ids.TemplateData(ctx, a.EntityID)
	if err != nil {
		return nil, fmt.Errorf("policystore: values of an entity: %w", err)
	}
	return snap.fill(string(key), a.EntityID, set, data)
}

// appendKey makes the cache key of a combination of policies. Lengths stand
// before lists and names, and nothing between them: names may come from a JWT,
// and one that holds any byte must not be taken for two.
func appendKey(b []byte, lists ...[]string) []byte {
	for _, l := range lists {
		b = binary.AppendUvarint(b, uint64(len(l)))
		for _, n := range l {
			b = append(binary.AppendUvarint(b, uint64(len(n))), n...)
		}
	}
	return b
}

func (s *snapshot) set(key []byte, token, identity []string) (*set, error) {
	s.mu.RLock()
	have := s.sets[string(key)]
	s.mu.RUnlock()
	if have != nil {
		return have, nil
	}
	n := &set{}
	for _, name := range mergeNames(token, identity) {
		p := s.rules[name]
		if p == nil {
			continue
		}
		n.policies = append(n.policies, p)
		n.templated = append(n.templated, templateHeads(p.Text())...)
	}
	var err error
	if n.base, err = acl.Compile(n.policies, acl.TemplateData{}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sets) >= maxSets {
		clear(s.sets)
	}
	s.sets[string(key)] = n
	return n, nil
}

// mergeNames returns all names once, sorted, without "root".
func mergeNames(token, identity []string) []string {
	all := slices.Concat(token, identity)
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(all, func(n string) bool { return n == acl.RootName })
}

// needsValues reports whether a rule with a template could match path, seen
// with and without a trailing slash.
func (s *set) needsValues(path string) bool {
	if len(s.templated) == 0 {
		return false
	}
	if path == "" {
		return true
	}
	for _, head := range s.templated {
		if strings.HasPrefix(path, head) || len(path)+1 == len(head) && head[len(path)] == '/' && strings.HasPrefix(head, path) {
			return true
		}
	}
	return false
}

func (s *snapshot) fill(key, entity string, set *set, data acl.TemplateData) (*acl.ACL, error) {
	key += entity
	s.mu.RLock()
	have := s.filled[key]
	s.mu.RUnlock()
	if have != nil && reflect.DeepEqual(have.data, data) {
		return have.acl, nil
	}
	a, err := acl.Compile(set.policies, data)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.filled) >= maxFilled {
		clear(s.filled)
	}
	s.filled[key] = &filled{data: data, acl: a}
	return a, nil
}

// templateHeads returns, for each template in a policy's text, the literal
// path text before it. It may return more than the rules have, never fewer: a
// head that it cannot tell is "", which every path begins with.
func templateHeads(text string) []string {
	if strings.Contains(text, `\`) {
		return []string{""} // an escape may hide a brace or a quote
	}
	var out []string
	for rest := text; ; {
		i := strings.Index(rest, "{{")
		if i < 0 {
			return out
		}
		head := rest[:i]
		q := strings.LastIndexByte(head, '"')
		lit := ""
		if q >= 0 {
			lit = head[q+1:]
		}
		if strings.ContainsAny(lit, "\n+*") {
			lit = ""
		}
		out = append(out, strings.TrimPrefix(lit, "/"))
		end := strings.IndexByte(rest[i:], '"')
		if end < 0 {
			return out
		}
		rest = rest[i+end:]
	}
}

package objects

import (
	"slices"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy"
)

// TokenFilter says which tokens an operation is about: those that fit one item
// of every list that is not empty.
type TokenFilter struct {
	ObjectIDs []string
	TokenIDs  []string
	Tags      []string
	Tenant    string // only uses of this tenant; "" = any
	Archived  bool   // archived uses instead of active ones
}

func (f TokenFilter) empty() bool { return len(f.ObjectIDs)+len(f.TokenIDs)+len(f.Tags) == 0 }

// maxTokens bounds how many tokens one operation touches.
const maxTokens = 1000

// selector finds tokens and those of their uses that the caller may touch.
type selector struct {
	*resolver
	filter TokenFilter
}

// found is a token with the uses that the filter and the caller's claims let
// through.
type found struct {
	token *token
	hash  id    // storage name of the token
	refs  []int // indexes into token.Refs
}

// find returns the tokens that the filter names. A token that is named by its
// id and lies outside the caller's claims refuses the call; one that is found
// in another way is left out.
func (s *selector) find() ([]found, error) {
	if s.filter.empty() {
		return nil, fault.New(fault.Invalid, "Name the tokens by token_ids, object_ids or tags.")
	}
	var out []found
	seen := map[id]bool{}
	err := s.candidates(func(h id) error {
		if seen[h] {
			return nil
		}
		seen[h] = true
		t, err := loadToken(s.tx, s.c, h)
		if err != nil || t == nil {
			return err
		}
		f, err := s.uses(t)
		if err != nil || len(f.refs) == 0 {
			return err
		}
		if len(out) == maxTokens {
			return fault.Newf(fault.Invalid, "The request concerns more than %d tokens; name fewer.", maxTokens)
		}
		f.hash = h
		out = append(out, f)
		s.noteUses(f)
		return nil
	})
	slices.SortFunc(out, func(a, b found) int { return slices.Compare(a.hash[:], b.hash[:]) })
	return out, err
}

// noteUses remembers the objects behind a token for the audit entry.
func (s *selector) noteUses(f found) {
	for _, i := range f.refs {
		s.touch(f.token.Refs[i].Object)
	}
}

// candidates calls do with the storage names of the tokens that may fit, from
// the most selective list. Tokens that others have must not get in the way of a
// caller's own, so their number is not bounded here.
func (s *selector) candidates(do func(id) error) error {
	switch {
	case len(s.filter.TokenIDs) > 0:
		for _, t := range s.filter.TokenIDs {
			if err := do(s.engine.tokenHash(s.c, t)); err != nil {
				return err
			}
		}
	case len(s.filter.ObjectIDs) > 0:
		for _, name := range s.filter.ObjectIDs {
			key, ok := parseID(name)
			if !ok {
				return badValue("object_ids", "must be UUIDs")
			}
			if err := s.scan(slices.Concat(s.c.keyOf("obj/to/", 16), key[:]), do); err != nil {
				return err
			}
		}
	default:
		for _, tag := range s.filter.Tags {
			h := s.engine.nameHash(s.c, "tag", tag)
			if err := s.scan(slices.Concat(s.c.keyOf("obj/tt/", 16), h[:]), do); err != nil {
				return err
			}
		}
	}
	return nil
}

// scanStep is how many keys are read at a time.
const scanStep = 256

// scan calls do with every id that stands after a key prefix.
func (s *selector) scan(prefix []byte, do func(id) error) error {
	var after []byte
	for {
		items, err := s.tx.Scan(prefix, after, scanStep)
		if err != nil {
			return err
		}
		for _, it := range items {
			if err := do(id(it.Key[len(prefix):])); err != nil {
				return err
			}
		}
		if len(items) < scanStep || s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		after = items[len(items)-1].Key
	}
}

// uses picks the uses of a token that fit the filter and the caller's claims.
// The id of a deterministic token follows from its value, so a refusal would
// tell whether others have that value: without a use of the caller's own, there
// is no such token.
func (s *selector) uses(t *token) (found, error) {
	f := found{token: t}
	foreign := false
	for i, r := range t.Refs {
		if !s.fits(t, r) {
			continue
		}
		ok, err := s.mine(t, r)
		if err != nil {
			return f, err
		}
		if !ok {
			foreign = true
			continue
		}
		if s.access.tenants != nil && !slices.Contains(s.access.tenants, r.Tenant) {
			return f, refuse(policy.Check{Name: "tenant", Expected: "X-Tenant-Id", Note: "the token belongs to another tenant"})
		}
		f.refs = append(f.refs, i)
	}
	if foreign && len(f.refs) == 0 && len(s.filter.TokenIDs) > 0 && t.Type != Deterministic {
		return f, refuse(policy.Check{Name: "narrowing", Expected: s.access.expected(), Note: "the data token is outside the caller's restriction"})
	}
	return f, nil
}

func (s *selector) fits(t *token, r ref) bool {
	f := s.filter
	if len(f.TokenIDs) > 0 && !slices.Contains(f.TokenIDs, t.ID) {
		return false
	}
	if len(f.ObjectIDs) > 0 && !slices.ContainsFunc(f.ObjectIDs, func(o string) bool {
		key, ok := parseID(o)
		return ok && key.String() == r.Object
	}) {
		return false
	}
	if len(f.Tags) > 0 && !slices.ContainsFunc(f.Tags, func(tag string) bool { return slices.Contains(r.Tags, tag) }) {
		return false
	}
	return (f.Tenant == "" || f.Tenant == r.Tenant) && r.archived(s.tx.Now()) == f.Archived
}

// mine reports whether the caller's claims let a use through. The object says
// whom it belongs to; a use without a stored object is judged by its values.
func (s *selector) mine(t *token, r ref) (bool, error) {
	if len(s.access.bounds) == 0 {
		return true, nil
	}
	if key, ok := parseID(r.Object); ok {
		o, err := fetch(s.tx, s.c, key)
		if err == nil && r.of(o) {
			return s.access.matches(o), nil
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return false, err
		}
	}
	vs := t.Values
	if t.Type == PCIOneWay {
		vs = nil
	}
	return s.access.matches(&object{tenant: r.Tenant, fields: toFields(vs, r.Owner)}), nil
}

// any reports whether the caller may touch some use of a token.
func (s *selector) any(t *token) (bool, error) {
	for _, r := range t.Refs {
		ok, err := s.mine(t, r)
		if err != nil || ok && (s.access.tenants == nil || slices.Contains(s.access.tenants, r.Tenant)) {
			return ok, err
		}
	}
	return false, nil
}

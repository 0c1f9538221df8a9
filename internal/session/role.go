package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Role is a token role: rules for tokens that are created with its name. The
// zero value of each field means that the role says nothing.
type Role struct {
	Name                   string   `json:"name"`
	AllowedPolicies        []string `json:"allowed_policies,omitzero"`
	DisallowedPolicies     []string `json:"disallowed_policies,omitzero"`
	AllowedPoliciesGlob    []string `json:"allowed_policies_glob,omitzero"`
	DisallowedPoliciesGlob []string `json:"disallowed_policies_glob,omitzero"`
	Orphan                 bool     `json:"orphan,omitzero"`
	Renewable              bool     `json:"renewable"`
	PathSuffix             string   `json:"path_suffix,omitzero"`
	AllowedEntityAliases   []string `json:"allowed_entity_aliases,omitzero"`

	Type            string        `json:"token_type,omitzero"` // service, batch, default-service, default-batch
	BoundCIDRs      []string      `json:"token_bound_cidrs,omitzero"`
	ExplicitMaxTTL  time.Duration `json:"token_explicit_max_ttl,omitzero"`
	Period          time.Duration `json:"token_period,omitzero"`
	NumUses         int           `json:"token_num_uses,omitzero"`
	NoDefaultPolicy bool          `json:"token_no_default_policy,omitzero"`
	StrictlyBindIP  bool          `json:"token_strictly_bind_ip,omitzero"`

	// LegacyPeriod, LegacyExplicitMaxTTL and LegacyBoundCIDRs note that the
	// value was written under its old name, under which it reads back too.
	LegacyPeriod         bool `json:"legacy_period,omitzero"`
	LegacyExplicitMaxTTL bool `json:"legacy_explicit_max_ttl,omitzero"`
	LegacyBoundCIDRs     bool `json:"legacy_bound_cidrs,omitzero"`
}

// NewRole returns a role with the reference's defaults.
func NewRole(name string) Role { return Role{Name: name, Renewable: true, Type: "default-service"} }

const (
	maxRoleName  = 256
	maxRoleLists = 1024
)

// Check refuses a role that contradicts itself.
func (r *Role) Check() error {
	switch {
	case r.Name == "":
		return fault.New(fault.Invalid, "role name cannot be empty")
	case len(r.Name) > maxRoleName || strings.ContainsAny(r.Name, "/\x00"):
		return fault.New(fault.Invalid, "role name is too long or holds a '/'")
	case !pathSuffixOK(r.PathSuffix):
		return fault.New(fault.Invalid, "given role path suffix contains invalid characters; must match ^[a-zA-Z0-9._-]+(/[a-zA-Z0-9._-]+)*$ and be at most 256 bytes long")
	case r.ExplicitMaxTTL < 0:
		return fault.New(fault.Invalid, "'token_explicit_max_ttl' cannot be negative")
	case r.Period < 0:
		return fault.New(fault.Invalid, "'token_period' cannot be negative")
	case r.NumUses < 0:
		return fault.New(fault.Invalid, "'token_num_uses' cannot be negative")
	}
	for _, l := range [][]string{
		r.AllowedPolicies, r.DisallowedPolicies, r.AllowedPoliciesGlob, r.DisallowedPoliciesGlob, r.AllowedEntityAliases,
	} {
		if len(l) > maxRoleLists {
			return fault.Newf(fault.Invalid, "a list of the role has more than %d entries", maxRoleLists)
		}
	}
	return r.checkType()
}

func (r *Role) checkType() error {
	if r.NumUses != 0 && (r.Type == "batch" || r.Type == "default-batch") {
		return fault.New(fault.Invalid, "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count")
	}
	switch r.Type {
	case "service", "default-service", "default-batch":
		return nil
	case "batch":
	default:
		return fault.New(fault.Invalid, "invalid 'token_type' value")
	}
	for _, f := range []struct {
		bad bool
		why string
	}{
		{!r.Orphan, "generate non-orphan tokens"},
		{r.Period != 0, "generate periodic tokens"},
		{r.Renewable, "generate renewable tokens"},
		{r.ExplicitMaxTTL != 0, "generate tokens with an explicit max TTL"},
	} {
		if f.bad {
			return fault.Newf(fault.Invalid, "'token_type' cannot be 'batch' when role is set to %s", f.why)
		}
	}
	return nil
}

func pathSuffixOK(s string) bool {
	if s == "" {
		return true
	}
	if len(s) > 256 {
		return false
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsFunc(part, func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("._-", r)
		}) {
			return false
		}
	}
	return true
}

// durations stores a time.Duration as a number of nanoseconds.
var durations = json.JoinOptions(
	json.WithMarshalers(json.MarshalFunc(func(d time.Duration) ([]byte, error) {
		return strconv.AppendInt(nil, int64(d), 10), nil
	})),
	json.WithUnmarshalers(json.UnmarshalFunc(func(b []byte, d *time.Duration) error {
		n, err := strconv.ParseInt(string(b), 10, 64)
		*d = time.Duration(n)
		return err
	})),
)

func roleKey(name string) []byte { return append([]byte(roleTokenPref), name...) }

// Role returns a token role, or nil if there is none with this name.
func (s *Store) Role(ctx context.Context, name string) (r *Role, err error) {
	err = s.db.View(ctx, func(tx storage.ReadTx) error {
		r, err = s.role(tx, name)
		return err
	})
	return r, err
}

func (s *Store) role(tx storage.ReadTx, name string) (*Role, error) {
	if name == "" || len(name) > maxRoleName {
		return nil, nil
	}
	b, err := tx.Get(roleKey(name))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("session: read token role: %w", err)
	}
	r := new(Role)
	if err := json.Unmarshal(b, r, durations); err != nil {
		return nil, fmt.Errorf("session: token role is damaged: %w", err)
	}
	return r, nil
}

// UpdateRole changes a token role, or makes it, in one transaction. change
// gets the stored role or a new one and may refuse with an error.
func (s *Store) UpdateRole(ctx context.Context, name string, change func(*Role) error) error {
	return s.db.Update(ctx, func(tx storage.Tx) error {
		r, err := s.role(tx, name)
		if err != nil {
			return err
		}
		if r == nil {
			n := NewRole(name)
			r = &n
		}
		if err := change(r); err != nil {
			return err
		}
		if err := r.Check(); err != nil {
			return err
		}
		b, err := json.Marshal(r, durations)
		if err != nil {
			return fmt.Errorf("session: %w", err)
		}
		return tx.Put(roleKey(name), b, time.Time{})
	})
}

// DeleteRole removes a token role. Tokens that were created with it stay.
func (s *Store) DeleteRole(ctx context.Context, name string) error {
	if len(name) > maxRoleName {
		return nil
	}
	return s.db.Update(ctx, func(tx storage.Tx) error { return tx.Delete(roleKey(name)) })
}

// Roles returns the names of all token roles in order.
func (s *Store) Roles(ctx context.Context) (names []string, err error) {
	var after []byte
	for more := true; more; {
		var items []storage.Item
		items, after, more, err = s.page(ctx, []byte(roleTokenPref), after, func(storage.ReadTx, storage.Item) (bool, error) { return true, nil })
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			names = append(names, string(it.Key[len(roleTokenPref):]))
		}
	}
	return names, nil
}

// restricts reports whether the role has policy rules of its own.
func (r *Role) restricts() bool {
	return len(r.AllowedPolicies)+len(r.DisallowedPolicies)+len(r.AllowedPoliciesGlob)+len(r.DisallowedPoliciesGlob) > 0
}

// globMatch reports whether name matches one of the patterns, in which a '*'
// stands for any text.
func globMatch(patterns []string, name string) bool {
	for _, p := range patterns {
		if glob(p, name) {
			return true
		}
	}
	return false
}

// glob matches without going back more than once per '*', so a pattern cannot
// make it slow.
func glob(pattern, s string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, first)
	if !ok {
		return false
	}
	for {
		var part string
		part, rest, star = strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, part)
		}
		_, s, ok = strings.Cut(s, part)
		if !ok {
			return false
		}
	}
}

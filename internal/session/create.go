package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// CreateOptions is a caller's wish for a token of its own making
// (auth/token/create). Pointers are nil when the caller said nothing.
type CreateOptions struct {
	Parent   ID   // the caller's token
	Sudo     bool // the caller has sudo on the path, or root
	RoleName string
	// OrphanPath is set for auth/token/create-orphan, which needs no sudo.
	OrphanPath bool

	ID              string
	Policies        []string
	Meta            map[string]string
	NoParent        bool
	NoDefaultPolicy bool
	Renewable       *bool
	TTL             time.Duration
	ExplicitMaxTTL  time.Duration
	Period          time.Duration
	DisplayName     string
	NumUses         int
	Type            string // "", "service" or "batch"
	EntityAlias     string

	Remote netip.Addr
	// Limits are those of the token mount; only MountDefault and MountMax are
	// read.
	Limits Limits
	// AliasMount is the accessor of the token mount, for entity aliases.
	AliasMount string
	// AliasEntity returns the entity of an alias on the token mount, creating
	// it if needed. It fails with fault.Denied for a disabled entity.
	AliasEntity func(tx storage.Tx, mountAccessor, alias string) (entityID string, err error)
	// PolicyExists tells which policies deserve a warning; nil = none.
	PolicyExists func(name string) bool
}

func invalid(text string) error { return fault.New(fault.Invalid, text) }

// Create makes a token as the child of the caller's, or as an orphan. Its
// refusals are fault.Invalid with the reference's texts.
func (s *Store) Create(ctx context.Context, o CreateOptions) (is Issued, err error) {
	if o.Parent.IsZero() {
		return Issued{}, invalid("batch tokens cannot create more tokens")
	}
	err = s.db.Update(ctx, func(tx storage.Tx) error {
		is, err = s.create(tx, &o)
		return err
	})
	if err != nil {
		return Issued{}, err
	}
	return is, nil
}

// creation is one run of Create.
type creation struct {
	*CreateOptions
	parent   Token
	role     *Role
	t        Token
	warnings []string

	// maxTTL and period are the request's and the role's taken together.
	maxTTL, period time.Duration
}

func (s *Store) create(tx storage.Tx, o *CreateOptions) (Issued, error) {
	c := &creation{CreateOptions: o}
	if err := s.loadParent(tx, c); err != nil {
		return Issued{}, err
	}
	if err := s.loadRole(tx, c); err != nil {
		return Issued{}, err
	}
	c.t = Token{
		Path: c.path(), Mount: "auth/token/", Role: o.RoleName, DisplayName: displayName(o.DisplayName),
		Meta: o.Meta, NumUses: o.NumUses, Renewable: o.Renewable == nil || *o.Renewable,
	}
	steps := []func() error{
		c.setType, c.checkWishes, c.setPolicies, c.setParent,
		func() error { return s.setEntity(tx, c) },
		c.setBounds,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return Issued{}, err
		}
	}
	return s.finish(tx, c)
}

// loadParent reads the caller's own token again within the transaction, so
// that a child never outlives a parent that is revoked at this moment.
func (s *Store) loadParent(tx storage.Tx, c *creation) (err error) {
	if c.parent, err = s.self(tx, c.Parent); err != nil {
		return err
	}
	if c.parent.NumUses > 0 || c.parent.flags&flagSpent != 0 {
		return invalid("restricted use token cannot generate child tokens")
	}
	return nil
}

func (s *Store) loadRole(tx storage.Tx, c *creation) (err error) {
	if c.RoleName == "" {
		return nil
	}
	if c.role, err = s.role(tx, c.RoleName); err == nil && c.role == nil {
		err = fault.Newf(fault.Invalid, "unknown role %s", clip(c.RoleName))
	}
	return err
}

func (c *creation) path() string {
	switch {
	case c.OrphanPath:
		return "auth/token/create-orphan"
	case c.role == nil:
		return "auth/token/create"
	case c.role.PathSuffix != "":
		return "auth/token/create/" + c.role.Name + "/" + c.role.PathSuffix
	}
	return "auth/token/create/" + c.role.Name
}

// displayName makes the name that the reference makes of a caller's wish.
func displayName(wish string) string {
	if wish == "" {
		return "token"
	}
	b := []byte("token-" + wish)
	for i, r := range b {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' {
			b[i] = '-'
		}
	}
	return strings.TrimRight(string(b), "-")
}

func (c *creation) setType() error {
	wish := c.Type
	if c.role != nil {
		switch c.role.Type {
		case "service", "batch":
			wish = c.role.Type
		case "default-batch":
			if wish == "" {
				wish = "batch"
			}
		}
	}
	switch wish {
	case "", "service":
		c.t.Type = Service
	case "batch":
		c.t.Type = Batch
		c.t.Renewable = false
	default:
		return invalid("invalid 'token_type' value")
	}
	return nil
}

// checkWishes refuses what depends on the request and the caller's sudo only.
func (c *creation) checkWishes() error {
	probe := Token{Type: c.t.Type, NumUses: c.NumUses, Period: c.Period, ExplicitMaxTTL: c.ExplicitMaxTTL}
	if err := checkBatch(&probe); err != nil {
		return err
	}
	if c.ID != "" {
		if !c.Sudo {
			return invalid("root or sudo privileges required to specify token id")
		}
		if c.t.Type == Batch {
			return invalid("batch tokens cannot have a chosen ID")
		}
		if err := checkCustomID(c.ID); err != nil {
			return err
		}
	}
	return c.checkAlias()
}

func (c *creation) checkAlias() error {
	if c.EntityAlias == "" {
		return nil
	}
	if c.role == nil {
		return invalid("'entity_alias' is only allowed in combination with token role")
	}
	// The role's list is in lower case, and so must be what it admits: an alias
	// in another case is another subject, which the list does not speak of.
	if c.EntityAlias = strings.ToLower(c.EntityAlias); !globMatch(c.role.AllowedEntityAliases, c.EntityAlias) {
		return invalid("invalid 'entity_alias' value")
	}
	return nil
}

func (c *creation) setPolicies() (err error) {
	switch {
	case c.role != nil && c.role.restricts():
		c.t.Policies, err = c.rolePolicies()
	case len(c.Policies) == 0:
		c.t.Policies = SanitizePolicies(c.parent.Policies, false)
	case !c.Sudo:
		c.t.Policies, err = c.subsetPolicies()
	default:
		c.t.Policies = SanitizePolicies(c.Policies, !c.noDefault())
	}
	if err != nil {
		return err
	}
	if c.noDefault() {
		c.t.Policies = without(c.t.Policies, defaultPolicy)
	}
	if contains(c.t.Policies, wrappingPolicy) {
		return fault.Newf(fault.Invalid, "cannot assign policy %q", wrappingPolicy)
	}
	if c.t.IsRoot() {
		if !c.parent.IsRoot() {
			return invalid("root tokens may not be created without parent token being root")
		}
		if c.t.Type == Batch {
			return invalid("batch tokens cannot be root tokens")
		}
	}
	return nil
}

func (c *creation) noDefault() bool {
	return c.NoDefaultPolicy || (c.role != nil && c.role.NoDefaultPolicy)
}

func without(list []string, s string) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		if v != s {
			out = append(out, v)
		}
	}
	return out
}

// subsetPolicies is the rule for callers without sudo: nothing that the parent
// does not have. The parent's "default" comes along.
func (c *creation) subsetPolicies() ([]string, error) {
	wish := SanitizePolicies(c.Policies, false)
	for _, p := range wish {
		if !contains(c.parent.Policies, p) && !c.parent.IsRoot() {
			return nil, invalid("child policies must be subset of parent")
		}
	}
	return SanitizePolicies(wish, contains(c.parent.Policies, defaultPolicy) && !c.noDefault()), nil
}

// rolePolicies is the rule of a role with lists: they stand in for the rule of
// the subset, so a role may grant what its user does not have.
func (c *creation) rolePolicies() ([]string, error) {
	r := c.role
	addDefault := !c.noDefault() && !contains(r.DisallowedPolicies, defaultPolicy) &&
		!globMatch(r.DisallowedPoliciesGlob, defaultPolicy)
	wish := c.Policies
	if len(r.AllowedPolicies)+len(r.AllowedPoliciesGlob) > 0 {
		allowed := SanitizePolicies(r.AllowedPolicies, addDefault)
		if len(wish) == 0 {
			wish = allowed
		}
		wish = SanitizePolicies(wish, addDefault)
		for _, p := range wish {
			if !contains(allowed, p) && !globMatch(r.AllowedPoliciesGlob, p) {
				return nil, fault.Newf(fault.Invalid, "token policies (%q) must be subset of the role's allowed policies (%q) or glob policies (%q)",
					wish, allowed, r.AllowedPoliciesGlob)
			}
		}
	} else {
		if len(wish) == 0 {
			wish = c.parent.Policies
		}
		wish = SanitizePolicies(wish, addDefault)
	}
	refused := SanitizePolicies(r.DisallowedPolicies, false)
	for _, p := range wish {
		if contains(refused, p) || globMatch(r.DisallowedPoliciesGlob, p) {
			return nil, fault.Newf(fault.Invalid, "token policy %q is disallowed by this role", p)
		}
	}
	return wish, nil
}

// setParent decides whether the token is an orphan.
func (c *creation) setParent() error {
	switch {
	case c.role != nil:
		c.t.Orphan = c.role.Orphan
	case c.NoParent && !c.Sudo:
		return invalid("root or sudo privileges required to create orphan token")
	default:
		c.t.Orphan = c.NoParent || c.OrphanPath
	}
	if !c.t.Orphan {
		c.t.Parent = c.parent.ID
		c.t.Subject = c.parent.Subject
	}
	return nil
}

// setEntity gives the token its entity and address bounds: the role's, else
// the parent's for a child.
func (s *Store) setEntity(tx storage.Tx, c *creation) error {
	if c.role != nil {
		c.t.BoundCIDRs = c.role.BoundCIDRs
		if c.role.StrictlyBindIP {
			if !c.Remote.IsValid() {
				return denied("address")
			}
			c.t.BoundCIDRs = []string{c.Remote.Unmap().WithZone("").String()}
		}
	}
	if c.EntityAlias != "" {
		if c.AliasEntity == nil {
			return invalid("invalid 'entity_alias' value")
		}
		id, err := c.AliasEntity(tx, c.AliasMount, c.EntityAlias)
		if fault.Is(err, fault.Denied) {
			return fault.Wrap(fault.Denied, err, "entity from given entity alias is disabled")
		}
		c.t.EntityID = id
		return err
	}
	if !c.t.Orphan {
		c.t.EntityID = c.parent.EntityID
		if c.role == nil {
			c.t.BoundCIDRs = c.parent.BoundCIDRs
		}
	}
	return nil
}

// setBounds settles period, explicit max and uses between request and role.
func (c *creation) setBounds() error {
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"explicit_max_ttl", c.ExplicitMaxTTL}, {"period", c.Period}, {"ttl", c.TTL}} {
		if f.value < 0 {
			return invalid(f.name + " must be positive")
		}
	}
	if c.Period > 0 && !c.Sudo {
		return invalid("root or sudo privileges required to create periodic token")
	}
	c.maxTTL, c.period = c.ExplicitMaxTTL, c.Period
	if c.role != nil {
		c.lesser("Explicit max TTL", &c.maxTTL, c.role.ExplicitMaxTTL)
		c.lesser("Period", &c.period, c.role.Period)
		if n := c.role.NumUses; n > 0 && (c.t.NumUses == 0 || n < c.t.NumUses) {
			c.t.NumUses = n
		}
		c.t.Renewable = c.t.Renewable && c.role.Renewable
	}
	if c.t.Type != Batch {
		c.t.ExplicitMaxTTL, c.t.Period = c.maxTTL, c.period
	}
	// A batch token carries none of these: the durations of a role still bound
	// its one life, a number of uses could not be kept.
	return checkBatch(&c.t)
}

// lesser lets the role's value stand in for none and bound any other.
func (c *creation) lesser(name string, value *time.Duration, role time.Duration) {
	switch {
	case role == 0:
	case *value == 0:
		*value = role
	default:
		*value = min(*value, role)
		c.warnings = append(c.warnings, fmt.Sprintf("%s specified both during creation call and in role; using the lesser value of %d seconds",
			name, *value/time.Second))
	}
}

// finish settles the life, stores the token and notes on the parent that it
// has a child.
func (s *Store) finish(tx storage.Tx, c *creation) (Issued, error) {
	now := tx.Now().UTC()
	var ttl time.Duration
	if c.period > 0 || c.TTL > 0 || !c.t.IsRoot() {
		l := Limits{Period: c.period, MountDefault: c.Limits.MountDefault, MountMax: c.Limits.MountMax}
		var warnings []string
		var err error
		if ttl, warnings, err = l.lifetime(now, now, c.TTL, c.maxTTL); err != nil {
			return Issued{}, err
		}
		c.warnings = append(c.warnings, warnings...)
	}
	if ttl == 0 && c.maxTTL > 0 {
		ttl = c.maxTTL
	}
	if ttl == 0 {
		if !c.parent.Expires.IsZero() {
			return Issued{}, invalid("expiring root tokens cannot create non-expiring root tokens")
		}
		c.t.Renewable = false
		c.t.BoundCIDRs = nil
	}
	if err := s.checkDepth(tx, &c.t); err != nil {
		return Issued{}, err
	}
	is, err := s.make(tx, &c.t, now, ttl, c.ID)
	if err != nil {
		return Issued{}, err
	}
	is.Warnings = append(c.warnings, c.policyWarnings()...)
	return is, s.noteChild(tx, c)
}

func (c *creation) policyWarnings() (w []string) {
	for _, p := range c.t.Policies {
		if c.PolicyExists != nil && p != rootPolicy && !c.PolicyExists(p) {
			w = append(w, fmt.Sprintf("Policy %q does not exist", p))
		}
	}
	return w
}

// noteChild marks the parent, so that revoking it without its children knows
// whether it has any. Each mark is written once.
func (s *Store) noteChild(tx storage.Tx, c *creation) error {
	mark := uint64(flagParent)
	if c.t.Type == Batch {
		mark |= flagBatchParent
	}
	if c.t.Orphan || c.parent.flags&mark == mark {
		return nil
	}
	c.parent.flags |= mark
	return s.save(tx, &c.parent)
}

// checkDepth refuses a chain that could no longer be walked.
func (s *Store) checkDepth(tx storage.ReadTx, t *Token) error {
	depth := 0
	for id := t.Parent; !id.IsZero(); depth++ {
		if depth >= MaxDepth {
			return fault.Newf(fault.Invalid, "token has %d parents already; create an orphan token instead", MaxDepth)
		}
		b, err := tx.Get(tokenKey(id))
		if errors.Is(err, storage.ErrNotFound) {
			return denied("expired_or_unknown")
		}
		if err != nil {
			return fmt.Errorf("session: %w", err)
		}
		h, err := decodeHead(b)
		if err != nil {
			return fmt.Errorf("session: %w", err)
		}
		id = h.parent
	}
	return nil
}

// TokenLimits is the LimitsOf for tokens of the token mount: the life that the
// token was created with, and the period of its token role as it is now or its
// own.
func (s *Store) TokenLimits(mount Limits) LimitsOf {
	return func(tx storage.ReadTx, t Token) (Limits, error) {
		l := Limits{TTL: t.CreationTTL, Period: t.Period, MountDefault: mount.MountDefault, MountMax: mount.MountMax}
		if t.Role == "" {
			return l, nil
		}
		r, err := s.role(tx, t.Role)
		if err != nil {
			return Limits{}, err
		}
		if r == nil {
			return Limits{}, fault.Newf(fault.Invalid, "original token role %q could not be found, not renewing", t.Role)
		}
		l.Period = r.Period
		return l, nil
	}
}

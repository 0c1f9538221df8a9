package trust

import (
	"errors"
	"slices"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
)

// Style says by which of the two references a token is read.
type Style uint8

// The styles. The zero Style does not compile.
const (
	// Login: the Vault door's JWT method. At least one of iat, nbf and exp;
	// what is missing is derived. The issuer may be left open. A token that
	// names an audience needs one to be bound.
	Login Style = iota + 1
	// Bearer: the pvault door's [idps] tables. exp, one issuer and an audience
	// are required, and the token asks for exactly one role.
	Bearer
)

// Spec is what the operator wrote. Compile turns it into a Rule.
type Spec struct {
	Style Style
	// Name is the role (Login) or the identity provider (Bearer). Login puts
	// it into the metadata as "role".
	Name string

	// Issuer must equal iss byte for byte. Empty: any issuer (Login only).
	Issuer string
	// Issuers, when not nil, are the only issuers whose tokens are admitted,
	// each with bounds of its own. They hold besides the rule's. Login only.
	Issuers []IssuerBounds
	// Audiences: aud must contain one of them, byte for byte. Empty: only
	// tokens without an audience (Login only).
	Audiences []string
	// Subject must equal sub byte for byte. Empty: any.
	Subject string
	// Algorithms is the allow-list; nil means every asymmetric algorithm.
	// HS256, HS384 and HS512 must be spelled out.
	Algorithms []jwt.Algorithm
	// IgnoreConfirmation admits tokens that are bound to a key of their holder
	// (cnf, RFC 7800) as if they were not: possession of the key is never
	// asked for.
	IgnoreConfirmation bool
	// Times sets the time rules.
	Times Times

	// BoundClaims: each named claim must have one of the given values. The key
	// is a literal name, or a JSON pointer when it starts with "/". A value is
	// a string, bool or number, or a list of these; a claim that is a list
	// matches when one of its elements does. Numbers are Go integers, float64
	// or json.Number and compare exactly; use jwt.ParseValue to keep their
	// text.
	BoundClaims map[string]any
	// BoundClaimsGlob: the values are strings in which "*" stands for any run
	// of characters.
	BoundClaimsGlob bool

	// Hidden names claims whose values no Decision shows, as names or as JSON
	// pointers.
	Hidden []string

	// UserClaim names the claim that holds the user's name: a string, not
	// empty. Required for Login; Bearer takes "sub" when it is empty and does
	// not insist on the claim being there.
	UserClaim string
	// UserClaimPointer: a UserClaim with a leading "/" is a JSON pointer.
	UserClaimPointer bool
	// GroupsClaim names the claim that holds the groups; empty: none.
	GroupsClaim string
	// GroupsOptional admits tokens without GroupsClaim, as members of no group.
	// One that is there must still be usable.
	GroupsOptional bool
	// GroupsFilter lists the groups that count; the others are left out. With
	// GroupsFilterGlob "*" in it stands for any run of characters. Nil: all
	// count. GroupsFilter, GroupsMap and MaxGroups need a GroupsClaim.
	GroupsFilter     []string
	GroupsFilterGlob bool
	// GroupsMap translates the groups that count; one that is not in it is left
	// out. Nil: the names stay.
	GroupsMap map[string]string
	// MaxGroups refuses tokens with more groups than this, after filter and map
	// and without repetitions. 0: 1024, which is also the maximum and what the
	// claim itself may hold.
	MaxGroups int
	// ClaimMappings copies claims that are strings into metadata: claim to
	// metadata key.
	ClaimMappings map[string]string

	// Role says how the token asks for a role. Required for Bearer, refused
	// for Login.
	Role *RoleRule
	// NamespaceTopClaim is the claim under which the namespace claims are
	// nested, for issuers that can add one claim only. Bearer only.
	NamespaceTopClaim string
	// ExtraClaims is the JSON text of an object of namespace claims that hold
	// for every token of this issuer. Bearer only.
	ExtraClaims string
}

// IssuerBounds are what the operator says of one issuer, whatever the rule.
type IssuerBounds struct {
	// Issuer must equal iss byte for byte.
	Issuer string
	// Audiences: aud must contain one of them. A rule without audiences then
	// takes tokens that name one. Empty: the rule's audiences alone count.
	Audiences []string
	// Algorithms is the allow-list; nil means that the rule's alone counts.
	Algorithms []jwt.Algorithm
	// MaxAge, when positive, is the greatest age counted from iat, which is
	// then required.
	MaxAge time.Duration
}

// Times are the time rules. For every leeway, zero means the default and a
// negative value means none.
type Times struct {
	// ExpirationLeeway is the life of a token without exp, from the later of
	// its iat and nbf on. Default 150 s. Login only.
	ExpirationLeeway time.Duration
	// NotBeforeLeeway is how long before exp a token without nbf and iat begins
	// to be valid. Default 150 s. It has an effect with DeriveNotBefore only.
	NotBeforeLeeway time.Duration
	// DeriveNotBefore derives nbf from exp as the reference does, which refuses
	// every token that lives longer than NotBeforeLeeway and says nothing but
	// exp. Login only.
	DeriveNotBefore bool
	// ClockSkew is how far the clocks may disagree. Default 60 s; for Bearer
	// also the maximum.
	ClockSkew time.Duration
	// MaxAge, when positive, is the greatest age counted from iat, which is
	// then required.
	MaxAge time.Duration
	// MaxLifetime, when positive, is the greatest span from iat, which is then
	// required, to the end of the token, given or derived.
	MaxLifetime time.Duration
	// RequireExpiration refuses tokens without exp. Bearer always does.
	RequireExpiration bool
}

// The defaults of Times.
const (
	DefaultExpirationLeeway = 150 * time.Second
	DefaultNotBeforeLeeway  = 150 * time.Second
	DefaultClockSkew        = 60 * time.Second
	maxBearerSkew           = 60 * time.Second
)

// RoleRule says how a token asks for a role on the pvault door.
type RoleRule struct {
	// Claim names the claim that holds the one role, as a string or as a list
	// of one string; a leading "/" makes it a JSON pointer. Empty: "roles", or
	// the namespace claim for the role.
	Claim string
	// Map translates the claim's value into a role. Nil: the value is the
	// role. Otherwise a value that is not in the map is refused.
	Map map[string]string
	// Allowed lists the roles that this issuer's tokens may become. Nil: all.
	Allowed []string
	// Known lists every role that exists.
	Known []string
}

// Rule is a compiled Spec. It is immutable; the zero Rule admits nothing.
type Rule struct {
	style    Style
	name     string
	issuer   string
	issuers  map[string]IssuerBounds // nil: any that issuer admits
	auds     []string
	subject  string
	algs     []jwt.Algorithm
	anyCnf   bool // cnf is not looked at
	times    Times
	bound    []boundClaim
	hidden   []string // claims, as JSON pointers
	user     jwt.Path
	userText string
	groups   groupsRule
	mappings []mapping
	role     *roleRule
	top      string
	extra    namespace
}

// Compile checks the whole Spec and returns its Rule, or every problem at once
// (errors.Join of *fault.Error, kind Invalid, with the detail "field").
func Compile(s Spec) (*Rule, error) {
	r := &Rule{
		style: s.Style, name: s.Name, issuer: s.Issuer, auds: slices.Clone(s.Audiences), subject: s.Subject,
		algs: slices.Clone(s.Algorithms), anyCnf: s.IgnoreConfirmation, times: s.Times.effective(), top: s.NamespaceTopClaim,
	}
	var p problems
	p.algorithms(s.Algorithms)
	p.durations(s.Times)
	r.compileUser(s)
	r.bound = p.boundClaims(s.BoundClaims, s.BoundClaimsGlob)
	r.hidden = pointers(s.Hidden)
	r.mappings = p.claimMappings(s.ClaimMappings)
	r.groups = p.groups(s)
	r.issuers = p.issuers(s)
	switch s.Style {
	case Login:
		p.login(s)
	case Bearer:
		p.bearer(s)
		r.role = p.roleRule(s.Role)
		r.extra = p.extraClaims(s.ExtraClaims)
	default:
		p.add("style", "the style of the rule is not set")
	}
	if len(p) > 0 {
		return nil, errors.Join(p...)
	}
	return r, nil
}

type problems []error

func (p *problems) add(field, text string) {
	*p = append(*p, fault.New(fault.Invalid, text).WithDetail("field", field))
}

func (p *problems) addf(field, format string, args ...any) {
	*p = append(*p, fault.Newf(fault.Invalid, format, args...).WithDetail("field", field))
}

func (p *problems) algorithms(list []jwt.Algorithm) {
	for _, a := range list {
		if !a.Known() {
			p.addf("algorithms", "unsupported signing algorithm %q", string(a))
		}
	}
}

func (p *problems) durations(t Times) {
	const limit = 100 * 365 * 24 * time.Hour
	for _, d := range []time.Duration{t.ExpirationLeeway, t.NotBeforeLeeway, t.ClockSkew, t.MaxAge, t.MaxLifetime} {
		if d > limit {
			p.add("times", "a leeway or age must be shorter than 100 years")
			return
		}
	}
}

func (p *problems) login(s Spec) {
	if s.UserClaim == "" {
		p.add("user_claim", "a user claim must be defined on the role")
	}
	if s.Role != nil || s.NamespaceTopClaim != "" || s.ExtraClaims != "" {
		p.add("style", "role rules and namespace claims belong to identity providers, not to login roles")
	}
}

func (p *problems) bearer(s Spec) {
	if s.Issuer == "" {
		p.add("iss", "the issuer (iss) must be set")
	}
	if len(s.Audiences) == 0 || slices.Contains(s.Audiences, "") {
		p.add("aud", "the audience (aud) must be set")
	}
	if s.Times.ClockSkew > maxBearerSkew {
		p.add("clock_skew", "the clock skew must be at most 60 seconds")
	}
	if s.Role == nil {
		p.add("roles", "the role rule must be set")
	}
}

// effective replaces the codes for default and none by durations.
func (t Times) effective() Times {
	t.ExpirationLeeway = leeway(t.ExpirationLeeway, DefaultExpirationLeeway)
	t.NotBeforeLeeway = leeway(t.NotBeforeLeeway, DefaultNotBeforeLeeway)
	t.ClockSkew = leeway(t.ClockSkew, DefaultClockSkew)
	return t
}

func leeway(d, whenZero time.Duration) time.Duration {
	if d == 0 {
		return whenZero
	}
	return max(d, 0)
}

// Name returns the name of the role or identity provider.
func (r *Rule) Name() string { return r.name }

// Issuer returns the bound issuer, or "" when any is admitted.
func (r *Rule) Issuer() string { return r.issuer }

// Audiences returns the bound audiences. The slice is the caller's.
func (r *Rule) Audiences() []string { return slices.Clone(r.auds) }

// Algorithms returns the allow-list for jwt's Verify; nil means every
// asymmetric algorithm. Do not change it.
func (r *Rule) Algorithms() []jwt.Algorithm { return r.algs }

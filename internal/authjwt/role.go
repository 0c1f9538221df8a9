package authjwt

import (
	stdjson "encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/trust"
)

// Role types and bound claims types.
const (
	roleJWT    = "jwt"
	roleOIDC   = "oidc"
	claimsText = "string"
	claimsGlob = "glob"
)

// maxRoleValues bounds each list and map of a role.
const maxRoleValues = 1024

// Role says which tokens may become what. Nil lists and maps were never set.
type Role struct {
	RoleType         string            `json:"role_type"`
	BoundAudiences   []string          `json:"bound_audiences,omitzero"`
	BoundSubject     string            `json:"bound_subject,omitzero"`
	BoundClaims      jsontext.Value    `json:"bound_claims,omitzero"` // an object, numbers as written
	BoundClaimsType  string            `json:"bound_claims_type"`
	UserClaim        string            `json:"user_claim"`
	UserClaimPointer bool              `json:"user_claim_json_pointer,omitzero"`
	GroupsClaim      string            `json:"groups_claim,omitzero"`
	ClaimMappings    map[string]string `json:"claim_mappings,omitzero"`
	Scopes           []string          `json:"oidc_scopes,omitzero"`
	RedirectURIs     []string          `json:"allowed_redirect_uris,omitzero"`
	VerboseLogging   bool              `json:"verbose_oidc_logging,omitzero"`
	MaxAge           time.Duration     `json:"max_age,omitzero"`
	ExpirationLeeway time.Duration     `json:"expiration_leeway,omitzero"`
	NotBeforeLeeway  time.Duration     `json:"not_before_leeway,omitzero"`
	ClockSkewLeeway  time.Duration     `json:"clock_skew_leeway,omitzero"`
	AliasMetadata    map[string]string `json:"alias_metadata,omitzero"`

	Policies        []string      `json:"token_policies,omitzero"`
	TTL             time.Duration `json:"token_ttl,omitzero"`
	MaxTTL          time.Duration `json:"token_max_ttl,omitzero"`
	ExplicitMaxTTL  time.Duration `json:"token_explicit_max_ttl,omitzero"`
	Period          time.Duration `json:"token_period,omitzero"`
	NoDefaultPolicy bool          `json:"token_no_default_policy,omitzero"`
	NumUses         int           `json:"token_num_uses,omitzero"`
	BoundCIDRs      []string      `json:"token_bound_cidrs,omitzero"`
	TokenType       string        `json:"token_type,omitzero"` // "", "service" or "batch"
	StrictlyBindIP  bool          `json:"token_strictly_bind_ip,omitzero"`
	// TemplatePolicies makes each of Policies a Go text template over the claims.
	TemplatePolicies bool `json:"token_policies_template_claims,omitzero"`

	// Settings that the reference does not have. They read back only when set.
	TTLFromExp       bool              `json:"token_ttl_from_exp,omitzero"`    // tokens end with the JWT, whatever renews them
	MaxTokenAge      time.Duration     `json:"max_token_age,omitzero"`         // of the JWT, from iat on
	MaxTokenLifetime time.Duration     `json:"max_token_lifetime,omitzero"`    // of the JWT, from iat to exp
	GroupsOptional   bool              `json:"groups_claim_optional,omitzero"` // the groups claim may be missing
	GroupsFilter     []string          `json:"groups_filter,omitzero"`         // the groups that count
	GroupsFilterType string            `json:"groups_filter_type,omitzero"`    // "", "string" or "glob"
	GroupsMap        map[string]string `json:"groups_map,omitzero"`            // of the identity provider to ours
	MaxGroups        int               `json:"max_groups,omitzero"`            // 0 = the rule's default

	AuditClaims     []string `json:"audit_claims,omitzero"`      // that the audit log shows in clear
	AuditClaimsHMAC []string `json:"audit_claims_hmac,omitzero"` // that it shows as HMACs

	// Legacy lists the old names under which values were last written; they
	// are echoed on read.
	Legacy []string `json:"legacy,omitzero"`

	// Fields of login flows in a browser, kept for clients that read back what
	// they wrote.
	CallbackMode        string   `json:"callback_mode,omitzero"`
	PollInterval        int      `json:"poll_interval,omitzero"`
	OAuth2Metadata      []string `json:"oauth2_metadata,omitzero"`
	DisableConfirmation bool     `json:"oidc_disable_confirmation,omitzero"`
}

// apply writes the given parameters into r. What is not given stays, also the
// role's type and the type of its bound claims; the reference resets those two
// and so turns working roles into broken ones.
func (r *Role) apply(p Params) error {
	r.applyIdentity(p)
	if p.Has("bound_claims") {
		text, err := encodeClaims(p.Object("bound_claims"))
		if err != nil {
			return err
		}
		r.BoundClaims = text
	}
	return r.applyToken(p)
}

func set[T any](p Params, name string, dst *T, get func(string) T) {
	if p.Has(name) {
		*dst = get(name)
	}
}

func (r *Role) applyIdentity(p Params) {
	if t := p.String("role_type"); t != "" { // the reference's "unspecified"
		r.RoleType = t
	}
	set(p, "bound_audiences", &r.BoundAudiences, p.List)
	set(p, "bound_subject", &r.BoundSubject, p.String)
	set(p, "bound_claims_type", &r.BoundClaimsType, p.String)
	set(p, "user_claim", &r.UserClaim, p.String)
	set(p, "user_claim_json_pointer", &r.UserClaimPointer, p.Bool)
	set(p, "groups_claim", &r.GroupsClaim, p.String)
	set(p, "claim_mappings", &r.ClaimMappings, p.KV)
	set(p, "oidc_scopes", &r.Scopes, p.List)
	set(p, "allowed_redirect_uris", &r.RedirectURIs, p.List)
	set(p, "verbose_oidc_logging", &r.VerboseLogging, p.Bool)
	set(p, "max_age", &r.MaxAge, p.Duration)
	set(p, "expiration_leeway", &r.ExpirationLeeway, p.Duration)
	set(p, "not_before_leeway", &r.NotBeforeLeeway, p.Duration)
	set(p, "clock_skew_leeway", &r.ClockSkewLeeway, p.Duration)
	set(p, "alias_metadata", &r.AliasMetadata, p.KV)
	set(p, "callback_mode", &r.CallbackMode, p.String)
	set(p, "oauth2_metadata", &r.OAuth2Metadata, p.List)
	set(p, "oidc_disable_confirmation", &r.DisableConfirmation, p.Bool)
	if p.Has("poll_interval") {
		r.PollInterval = int(p.Int("poll_interval"))
	}
	r.applyGroups(p)
	set(p, "audit_claims", &r.AuditClaims, p.List)
	set(p, "audit_claims_hmac", &r.AuditClaimsHMAC, p.List)
	if r.RoleType == "" {
		r.RoleType = r.guessType()
	}
	if r.BoundClaimsType == "" && !p.Has("bound_claims_type") {
		r.BoundClaimsType = claimsText
	}
}

// applyGroups reads our own settings of the groups claim. An empty list or map
// takes the setting away.
func (r *Role) applyGroups(p Params) {
	set(p, "groups_claim_optional", &r.GroupsOptional, p.Bool)
	set(p, "groups_filter", &r.GroupsFilter, p.List)
	set(p, "groups_filter_type", &r.GroupsFilterType, p.String)
	set(p, "groups_map", &r.GroupsMap, p.KV)
	if len(r.GroupsFilter) == 0 {
		r.GroupsFilter = nil
	}
	if len(r.GroupsMap) == 0 {
		r.GroupsMap = nil
	}
	if p.Has("max_groups") {
		r.MaxGroups = int(max(min(p.Int("max_groups"), 1<<30), -1)) // the rule says what is too much
	}
}

// guessType is the type of a new role that names none. The reference's guides
// leave it out for JWT roles, its server takes it for OIDC: what tells the two
// apart is that only an OIDC role has redirect URIs.
func (r *Role) guessType() string {
	if len(r.RedirectURIs) > 0 {
		return roleOIDC
	}
	return roleJWT
}

// twin reads a parameter under its new or its old name and remembers which
// was used. The new name wins.
func twin[T any](r *Role, p Params, name, old string, dst *T, get func(string) T) {
	hasNew, hasOld := p.Has(name), p.Has(old)
	if !hasNew && !hasOld {
		return
	}
	if hasNew {
		*dst = get(name)
	} else {
		*dst = get(old)
	}
	r.Legacy = slices.DeleteFunc(r.Legacy, func(s string) bool { return s == old })
	if hasOld {
		r.Legacy = append(r.Legacy, old)
		slices.Sort(r.Legacy)
	}
}

func (r *Role) applyToken(p Params) error {
	twin(r, p, "token_policies", "policies", &r.Policies, func(name string) []string {
		if name == "policies" { // the reference tidies the list under the old name only
			return session.SanitizePolicies(p.List(name), false)
		}
		return p.List(name)
	})
	twin(r, p, "token_ttl", "ttl", &r.TTL, p.Duration)
	twin(r, p, "token_max_ttl", "max_ttl", &r.MaxTTL, p.Duration)
	twin(r, p, "token_period", "period", &r.Period, p.Duration)
	uses := int64(r.NumUses)
	twin(r, p, "token_num_uses", "num_uses", &uses, p.Int)
	if uses > 1<<31-1 {
		return invalid("'token_num_uses' is too large")
	}
	r.NumUses = int(uses)
	twin(r, p, "token_bound_cidrs", "bound_cidrs", &r.BoundCIDRs, p.List)
	set(p, "token_explicit_max_ttl", &r.ExplicitMaxTTL, p.Duration)
	set(p, "token_no_default_policy", &r.NoDefaultPolicy, p.Bool)
	set(p, "token_strictly_bind_ip", &r.StrictlyBindIP, p.Bool)
	set(p, "token_policies_template_claims", &r.TemplatePolicies, p.Bool)
	set(p, "token_ttl_from_exp", &r.TTLFromExp, p.Bool)
	set(p, "max_token_age", &r.MaxTokenAge, p.Duration)
	set(p, "max_token_lifetime", &r.MaxTokenLifetime, p.Duration)
	if p.Has("token_type") {
		if r.TokenType = p.String("token_type"); r.TokenType == "default" {
			r.TokenType = ""
		}
	}
	return nil
}

// maxClaimDepth bounds bound claims, which are values and lists of values, well
// above what is compared, so that the message can name what is wrong.
const maxClaimDepth = 64

// encodeClaims keeps an object's text, numbers as they were written; nil stays
// nil.
func encodeClaims(m map[string]any) (jsontext.Value, error) {
	if m == nil {
		return nil, nil
	}
	b, err := stdjson.Marshal(m) // knows json.Number; go-json-experiment does not
	if err != nil {
		return nil, fmt.Errorf("authjwt: %w", err)
	}
	if len(b) > maxText {
		return nil, invalid("bound_claims is longer than %d bytes", maxText)
	}
	if _, err := jwt.ParseValue(b, maxClaimDepth); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "bound_claims is nested too deeply: give values, or lists of values")
	}
	return b, nil
}

// claims returns the bound claims, nil when never set.
func (r *Role) claims() (map[string]any, error) {
	if len(r.BoundClaims) == 0 {
		return nil, nil
	}
	v, err := jwt.ParseValue(r.BoundClaims, maxClaimDepth)
	if err != nil {
		return nil, fmt.Errorf("authjwt: stored bound claims: %w", err)
	}
	m, _ := v.Any().(map[string]any)
	return m, nil
}

// spec is the role and its mount's configuration as a trust rule.
func (r *Role) spec(name string, c *Config, compat Compat) (trust.Spec, error) {
	claims, err := r.claims()
	if err != nil {
		return trust.Spec{}, err
	}
	return trust.Spec{
		Style: trust.Login, Name: name, Issuer: c.issuer(compat), Issuers: c.issuers(), Audiences: r.BoundAudiences,
		Subject: r.BoundSubject, Algorithms: algorithms(c.Algorithms), IgnoreConfirmation: compat.IgnoreCNF,
		Times: trust.Times{
			ExpirationLeeway: r.ExpirationLeeway, NotBeforeLeeway: r.NotBeforeLeeway, ClockSkew: r.ClockSkewLeeway,
			MaxAge: r.MaxTokenAge, MaxLifetime: r.MaxTokenLifetime, DeriveNotBefore: compat.DerivedNotBefore,
		},
		BoundClaims: claims, BoundClaimsGlob: r.BoundClaimsType == claimsGlob,
		Hidden:    r.AuditClaimsHMAC,
		UserClaim: r.UserClaim, UserClaimPointer: r.UserClaimPointer,
		GroupsClaim: r.GroupsClaim, GroupsOptional: r.GroupsOptional, ClaimMappings: r.ClaimMappings,
		GroupsFilter: r.GroupsFilter, GroupsFilterGlob: r.GroupsFilterType == claimsGlob, GroupsMap: r.GroupsMap, MaxGroups: r.MaxGroups,
	}, nil
}

// View is the role as it is read back.
func (r *Role) View() (map[string]any, error) {
	claims, err := r.claims()
	if err != nil {
		return nil, err
	}
	m := map[string]any{
		"role_type": r.RoleType, "expiration_leeway": secs(r.ExpirationLeeway),
		"not_before_leeway": secs(r.NotBeforeLeeway), "clock_skew_leeway": secs(r.ClockSkewLeeway),
		"bound_audiences": r.BoundAudiences, "bound_subject": r.BoundSubject,
		"bound_claims_type": r.BoundClaimsType, "bound_claims": claims,
		"claim_mappings": r.ClaimMappings, "user_claim": r.UserClaim,
		"user_claim_json_pointer": r.UserClaimPointer, "groups_claim": r.GroupsClaim,
		"allowed_redirect_uris": r.RedirectURIs, "oidc_scopes": r.Scopes,
		"verbose_oidc_logging": r.VerboseLogging, "max_age": secs(r.MaxAge),
		"alias_metadata":    kvNotNil(r.AliasMetadata),
		"token_bound_cidrs": notNil(r.BoundCIDRs), "token_explicit_max_ttl": secs(r.ExplicitMaxTTL),
		"token_max_ttl": secs(r.MaxTTL), "token_no_default_policy": r.NoDefaultPolicy,
		"token_num_uses": r.NumUses, "token_period": secs(r.Period),
		"token_policies": notNil(r.Policies), "token_ttl": secs(r.TTL), "token_type": tokenType(r.TokenType),
		"token_strictly_bind_ip": r.StrictlyBindIP, "callback_mode": orDefault(r.CallbackMode, "client"),
		"oauth2_metadata": r.OAuth2Metadata, "oidc_disable_confirmation": r.DisableConfirmation,
		"token_policies_template_claims": r.TemplatePolicies,
	}
	if r.PollInterval > 0 {
		m["poll_interval"] = r.PollInterval
	}
	r.echoLegacy(m)
	r.echoOwn(m)
	return m, nil
}

// echoOwn adds what the reference does not have, where it is set, so that what
// clients of the reference read back is what they know.
func (r *Role) echoOwn(m map[string]any) {
	for _, own := range []struct {
		name  string
		set   bool
		value any
	}{
		{"token_ttl_from_exp", r.TTLFromExp, true},
		{"max_token_age", r.MaxTokenAge > 0, secs(r.MaxTokenAge)},
		{"max_token_lifetime", r.MaxTokenLifetime > 0, secs(r.MaxTokenLifetime)},
		{"groups_claim_optional", r.GroupsOptional, true},
		{"groups_filter", r.GroupsFilter != nil, r.GroupsFilter},
		{"groups_filter_type", r.GroupsFilterType != "", r.GroupsFilterType},
		{"groups_map", r.GroupsMap != nil, r.GroupsMap},
		{"max_groups", r.MaxGroups > 0, r.MaxGroups},
		{"audit_claims", len(r.AuditClaims) > 0, r.AuditClaims},
		{"audit_claims_hmac", len(r.AuditClaimsHMAC) > 0, r.AuditClaimsHMAC},
	} {
		if own.set {
			m[own.name] = own.value
		}
	}
}

// echoLegacy adds the old names that were used, where they hold something.
func (r *Role) echoLegacy(m map[string]any) {
	for _, old := range r.Legacy {
		switch {
		case old == "policies" && len(r.Policies) > 0:
			m[old] = r.Policies
		case old == "ttl" && r.TTL > 0:
			m[old] = secs(r.TTL)
		case old == "max_ttl" && r.MaxTTL > 0:
			m[old] = secs(r.MaxTTL)
		case old == "period" && r.Period > 0:
			m[old] = secs(r.Period)
		case old == "num_uses" && r.NumUses > 0:
			m[old] = r.NumUses
		case old == "bound_cidrs" && len(r.BoundCIDRs) > 0:
			m[old] = r.BoundCIDRs
		}
	}
}

func secs(d time.Duration) int64 { return int64(d / time.Second) }

func tokenType(t string) string { return orDefault(t, "default") }

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

func kvNotNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// fitsName reports whether name can name a role: letters, digits and "_" at
// both ends, "-" and "." allowed inside.
func fitsName(name string) bool {
	if name == "" || len(name) > 256 {
		return false
	}
	word := func(c byte) bool {
		return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	if !word(name[0]) || !word(name[len(name)-1]) {
		return false
	}
	return strings.IndexFunc(name, func(c rune) bool {
		return c > 0x7f || !word(byte(c)) && c != '-' && c != '.'
	}) < 0
}

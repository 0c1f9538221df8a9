package authjwt

import (
	"maps"
	"slices"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/trust"
)

// check makes the write-time checks in the reference's order. p are the
// parameters of the write, for the rules that look at what was given.
func (r *Role) check(name string, p Params, m Mount, c *Config) error {
	if r.RoleType != roleJWT && r.RoleType != roleOIDC {
		return invalid("invalid 'role_type': %s", clip(r.RoleType))
	}
	if err := r.checkToken(p, m); err != nil {
		return err
	}
	if r.BoundClaimsType != claimsText && r.BoundClaimsType != claimsGlob {
		return invalid("invalid 'bound_claims_type': %s", clip(r.BoundClaimsType))
	}
	if t := r.GroupsFilterType; t != "" && t != claimsText && t != claimsGlob {
		return invalid("invalid 'groups_filter_type': %s", clip(t))
	}
	if err := r.checkBrowser(p); err != nil {
		return err
	}
	if err := r.checkSize(); err != nil {
		return err
	}
	if err := r.checkAudited(); err != nil {
		return err
	}
	if err := r.checkPointers(); err != nil {
		return err
	}
	if err := r.compiles(name, c, m.Compat); err != nil {
		return err
	}
	switch {
	case r.UserClaim == "":
		return invalid("a user claim must be defined on the role")
	case r.RoleType == roleOIDC && len(r.RedirectURIs) == 0:
		return invalid("'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.")
	case r.RoleType == roleJWT && !r.bounded():
		return invalid("must have at least one bound constraint when creating/updating a role")
	case r.MaxTTL > 0 && r.TTL > r.MaxTTL:
		return invalid("ttl should not be greater than max ttl")
	}
	return nil
}

// checkBrowser checks the settings of login flows in a browser, which are kept
// only.
func (r *Role) checkBrowser(p Params) error {
	switch mode := r.CallbackMode; {
	case mode == "client", mode == "direct", mode == "device":
	case mode == "" && !p.Has("callback_mode"): // never set
	default:
		return invalid("invalid 'callback_mode': %s", clip(r.CallbackMode))
	}
	for _, name := range r.OAuth2Metadata {
		switch name {
		case "access_token", "id_token", "refresh_token":
		default:
			return invalid("Unrecognized oauth2 metadata name %s", clip(name))
		}
	}
	return nil
}

// checkPointers refuses names of claims that no token can ever have: JSON
// pointers that are none (RFC 6901).
func (r *Role) checkPointers() error {
	leads := func(field, name string) error {
		if jwt.ParsePath(name).Leads() {
			return nil
		}
		return invalid("'%s': %q is not a valid JSON pointer", field, clip(name))
	}
	if r.UserClaimPointer {
		if err := leads("user_claim", r.UserClaim); err != nil {
			return err
		}
	}
	for _, claim := range slices.Sorted(maps.Keys(r.ClaimMappings)) {
		if err := leads("claim_mappings", claim); err != nil {
			return err
		}
	}
	return leads("groups_claim", r.GroupsClaim)
}

func (r *Role) bounded() bool {
	return len(r.BoundAudiences) > 0 || r.BoundSubject != "" || len(r.BoundClaims) > len("{}") || len(r.BoundCIDRs) > 0
}

// checkToken checks what the client tokens will be, in the reference's order.
func (r *Role) checkToken(p Params, m Mount) error {
	cidrs, err := session.ParseCIDRs(r.BoundCIDRs)
	if err != nil {
		return err
	}
	r.BoundCIDRs = cidrs
	if err := r.checkTokenType(p); err != nil {
		return err
	}
	old := p.Has("ttl") || p.Has("max_ttl") // these have a message of their own
	if r.MaxTTL > 0 && r.TTL > r.MaxTTL && !old {
		return invalid("'token_ttl' cannot be greater than 'token_max_ttl'")
	}
	if r.StrictlyBindIP && len(r.BoundCIDRs) > 0 {
		return invalid("'token_strictly_bind_ip' conflicts with 'token_bound_cidrs'; set only one")
	}
	if err := session.CheckLoginPolicies(r.Policies); err != nil {
		return err
	}
	if r.TemplatePolicies {
		if _, err := policyTemplates(r.Policies); err != nil {
			return err
		}
	}
	if r.Period > m.MaxTTL {
		return invalid(`'period' of '"%s"' is greater than the backend's maximum lease TTL of '"%s"'`, r.Period, m.MaxTTL)
	}
	return nil
}

func (r *Role) checkTokenType(p Params) error {
	const batch = "'token_type' cannot be 'batch' or 'default_batch' when set to generate "
	switch {
	case !knownTokenType(r.TokenType):
		return invalid("invalid 'token_type' value %q", clip(p.String("token_type")))
	case r.NumUses < 0:
		return invalid("'token_num_uses' cannot be negative")
	case r.TokenType == "batch" && r.Period != 0:
		return invalid(batch + "periodic tokens")
	case r.TokenType == "batch" && r.NumUses != 0:
		return invalid(batch + "tokens with limited use count")
	}
	return nil
}

func knownTokenType(t string) bool { return t == "" || t == "service" || t == "batch" }

func (r *Role) checkSize() error {
	texts := []string{r.BoundSubject, r.UserClaim, r.GroupsClaim}
	for _, l := range [][]string{r.BoundAudiences, r.Policies, r.Scopes, r.RedirectURIs, r.BoundCIDRs, r.OAuth2Metadata, r.GroupsFilter} {
		if len(l) > maxRoleValues {
			return invalid("a list of the role has more than %d values", maxRoleValues)
		}
		texts = append(texts, l...)
	}
	for _, m := range []map[string]string{r.ClaimMappings, r.AliasMetadata, r.GroupsMap} {
		if len(m) > maxRoleValues {
			return invalid("a map of the role has more than %d entries", maxRoleValues)
		}
		for k, v := range m {
			texts = append(texts, k, v)
		}
	}
	if slices.ContainsFunc(texts, func(s string) bool { return len(s) > maxText }) {
		return invalid("a value of the role is longer than %d bytes", maxText)
	}
	return nil
}

// compiles reports the first problem of the role as a trust rule, apart from a
// missing user claim, which has its own place in the order.
func (r *Role) compiles(name string, c *Config, compat Compat) error {
	if c == nil {
		c = &Config{}
	}
	tmp := *r
	if tmp.UserClaim == "" {
		tmp.UserClaim = "sub"
	}
	spec, err := tmp.spec(name, c, compat)
	if err != nil {
		return err
	}
	if _, err = trust.Compile(spec); err != nil {
		return fault.Wrap(fault.Invalid, err, fault.PublicText(err))
	}
	return nil
}

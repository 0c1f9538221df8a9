package authjwt

import (
	"github.com/jotgate/jotgate/internal/fault"
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
	if err := r.checkBrowser(); err != nil {
		return err
	}
	if err := r.checkSize(); err != nil {
		return err
	}
	if err := r.checkAudited(); err != nil {
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
func (r *Role) checkBrowser() error {
	switch r.CallbackMode {
	case "", "client", "direct", "device":
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

func (r *Role) bounded() bool {
	return len(r.BoundAudiences) > 0 || r.BoundSubject != "" || len(r.BoundClaims) > len("{}") || len(r.BoundCIDRs) > 0
}

func (r *Role) checkToken(p Params, m Mount) error {
	old := p.Has("ttl") || p.Has("max_ttl") // these have a message of their own
	switch {
	case r.MaxTTL > 0 && r.TTL > r.MaxTTL && !old:
		return invalid("'token_ttl' cannot be greater than 'token_max_ttl'")
	case r.NumUses < 0:
		return invalid("'token_num_uses' cannot be negative")
	case r.TokenType == "batch" && r.Period != 0:
		return invalid("'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens")
	case r.TokenType == "batch" && r.NumUses != 0:
		return invalid("'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count")
	case r.StrictlyBindIP && len(r.BoundCIDRs) > 0:
		return invalid("'token_strictly_bind_ip' conflicts with 'token_bound_cidrs'; set only one")
	}
	cidrs, err := session.ParseCIDRs(r.BoundCIDRs)
	if err != nil {
		return err
	}
	r.BoundCIDRs = cidrs
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

func (r *Role) checkSize() error {
	for _, l := range [][]string{r.BoundAudiences, r.Policies, r.Scopes, r.RedirectURIs, r.BoundCIDRs, r.OAuth2Metadata, r.GroupsFilter} {
		if len(l) > maxRoleValues {
			return invalid("a list of the role has more than %d values", maxRoleValues)
		}
		for _, s := range l {
			if len(s) > maxText {
				return invalid("a value of the role is longer than %d bytes", maxText)
			}
		}
	}
	for _, s := range []string{r.BoundSubject, r.UserClaim, r.GroupsClaim} {
		if len(s) > maxText {
			return invalid("a value of the role is longer than %d bytes", maxText)
		}
	}
	if len(r.ClaimMappings) > maxRoleValues || len(r.AliasMetadata) > maxRoleValues || len(r.GroupsMap) > maxRoleValues {
		return invalid("a map of the role has more than %d entries", maxRoleValues)
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

package authjwt

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/session"
)

// Leeways above these are warned of: clocks that are kept by NTP agree within
// seconds, and what is admitted after its end has no end.
const (
	wideSkew     = 5 * time.Minute
	wideLifetime = time.Hour
)

// warnings says what is allowed but rarely meant. c is the mount's
// configuration, nil before there is one.
func (r *Role) warnings(m Mount, c *Config, known func(policy string) bool) []string {
	var out lint
	if r.MaxTTL > m.MaxTTL {
		out.add("token max ttl is greater than the system or backend mount's maximum TTL value; issued tokens' max TTL value will be truncated")
	}
	if r.VerboseLogging {
		out.add("verbose_oidc_logging has no effect: this server never logs tokens or claims")
	}
	if r.RoleType == roleJWT {
		r.lintAudiences(&out, c)
		r.lintIssuer(&out, m, c)
		r.lintTimes(&out, m)
	}
	r.lintClaims(&out)
	r.lintPolicies(&out, known)
	return out
}

type lint []string

func (l *lint) add(format string, args ...any) { *l = append(*l, fmt.Sprintf(format, args...)) }

// lintAudiences warns of audiences that no token has.
func (r *Role) lintAudiences(out *lint, c *Config) {
	byIssuer := c != nil && len(c.Pairs) > 0 && !slices.ContainsFunc(c.Pairs, func(p Pair) bool { return len(p.Audiences) == 0 })
	if len(r.BoundAudiences) == 0 && !byIssuer {
		out.add("the role has no bound_audiences: it refuses every token that names an audience (aud)")
	}
	for _, a := range r.BoundAudiences {
		if strings.Contains(a, "*") {
			out.add("bound_audiences has %q, which is compared literally: there are no patterns for audiences", clip(a))
		}
	}
	if strings.Contains(r.BoundSubject, "*") {
		out.add(`bound_subject contains "*", which is compared literally: bind "sub" in bound_claims with bound_claims_type "glob" if it is meant as a pattern`)
	}
}

// lintIssuer warns of a role that takes tokens of any issuer where the mount
// has the keys of several.
func (r *Role) lintIssuer(out *lint, m Mount, c *Config) {
	claims, err := r.claims()
	if err != nil || c == nil {
		return
	}
	_, bound := claims["iss"]
	if _, pointed := claims["/iss"]; bound || pointed || c.issuer(m.Compat) != "" {
		return
	}
	switch {
	case len(c.Pairs) > 1 && c.Pairs[0].issuer() == "":
		out.add("the mount has several key sets and the role does not say whose tokens it takes: bind \"iss\" in bound_claims, or name the issuer of each of jwks_pairs")
	case c.DiscoveryURL != "":
		out.add("compat=any_issuer is set and the role does not say whose tokens it takes: set bound_issuer, or bind \"iss\" in bound_claims")
	}
}

// lintTimes warns of leeways that make tokens outlive their end, and of
// settings that do nothing.
func (r *Role) lintTimes(out *lint, m Mount) {
	if r.ClockSkewLeeway > wideSkew {
		out.add("clock_skew_leeway is %s: tokens are admitted for so long after their end, and before their beginning", r.ClockSkewLeeway)
	}
	if r.ExpirationLeeway > wideLifetime {
		out.add("expiration_leeway is %s: it is how long tokens without exp live, and has no effect on others", r.ExpirationLeeway)
	}
	if r.NotBeforeLeeway != 0 && !m.Compat.DerivedNotBefore {
		out.add("not_before_leeway has no effect unless the mount keeps compat=derived_not_before: use clock_skew_leeway for clocks that disagree")
	}
	if r.MaxAge != 0 {
		out.add("max_age has no effect on JWT roles: use max_token_age")
	}
}

// lintClaims warns of bound claims that can never hold, bind nothing, or mean
// something else than they look like.
func (r *Role) lintClaims(out *lint) {
	claims, err := r.claims()
	if err != nil {
		return
	}
	glob := r.BoundClaimsType == claimsGlob
	if !glob && strings.Contains(string(r.BoundClaims), "*") {
		out.add(`bound_claims contains "*", which is compared literally: set bound_claims_type to "glob" if it is meant as a pattern`)
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		values := texts(claims[name])
		if glob && slices.ContainsFunc(values, func(v string) bool { return v != "" && strings.Trim(v, "*") == "" }) {
			out.add("bound claim %q admits every value, by %q: it only asks that the claim is there", clip(name), "*")
		}
		if list, ok := claims[name].([]any); ok && len(list) == 0 {
			out.add("bound claim %q admits no value: the role refuses every token", clip(name))
		}
		var wanted []string
		switch strings.TrimPrefix(name, "/") {
		case "aud":
			wanted = r.BoundAudiences
		case "sub":
			wanted = texts(r.BoundSubject)
		}
		if !glob && len(wanted) > 0 && !slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(values, w) }) {
			out.add("bound claim %q and the role's own bound on it have no value in common: no token with one value passes", clip(name))
		}
	}
	if r.GroupsFilterType != claimsGlob && slices.ContainsFunc(r.GroupsFilter, func(f string) bool { return strings.Contains(f, "*") }) {
		out.add(`groups_filter contains "*", which is compared literally: set groups_filter_type to "glob" if it is meant as a pattern`)
	}
}

// texts returns the strings in a value or a list of values; "" is none.
func texts(v any) (out []string) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, e := range list {
		if s, ok := e.(string); ok && s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (r *Role) lintPolicies(out *lint, known func(policy string) bool) {
	if known == nil || r.TemplatePolicies {
		return
	}
	for _, p := range session.SanitizePolicies(r.Policies, false) {
		if !known(p) {
			out.add("Policy %q does not exist", p)
		}
	}
}

package trust

import (
	"maps"
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/jwt"
)

// reservedRole is the built-in administrator's, which no token can become.
const reservedRole = "Admin"

const defaultRolesClaim = "roles"

type roleRule struct {
	claim   jwt.Path
	named   bool // the operator named the claim
	mapping map[string]string
	allowed map[string]bool // nil: all that are known
	known   map[string]bool
}

func (p *problems) roleRule(s *RoleRule) *roleRule {
	if s == nil {
		return nil
	}
	r := &roleRule{claim: jwt.ParsePath(s.Claim), named: s.Claim != "", mapping: maps.Clone(s.Map), known: set(s.Known)}
	if !r.named {
		r.claim = jwt.LiteralPath(defaultRolesClaim)
	}
	if !r.claim.Leads() {
		p.addf("roles_claim", "roles_claim %q is not a valid JSON pointer", s.Claim)
	}
	for _, from := range slices.Sorted(maps.Keys(s.Map)) {
		p.roleExists("roles_map", r.known, s.Map[from])
	}
	if s.Allowed != nil {
		r.allowed = set(s.Allowed)
		for _, name := range s.Allowed {
			p.roleExists("allowed_roles", r.known, name)
		}
	}
	return r
}

func (p *problems) roleExists(field string, known map[string]bool, name string) {
	switch {
	case isReserved(name):
		p.addf(field, "%s names the role %q, which is the built-in administrator's and cannot be reached with a JWT", field, name)
	case !known[name]:
		p.addf(field, "%s names the role %q, which does not exist", field, name)
	}
}

func set(names []string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

func isReserved(role string) bool { return strings.EqualFold(strings.TrimSpace(role), reservedRole) }

// roleName settles the one role that the token asks for. fromNamespace lists
// what the namespace claims ask for.
func (e *evaluation) roleName(fromNamespace []string) {
	r := e.rule.role
	raw, reason, note := r.requested(e.claims, fromNamespace)
	if reason != "" {
		e.fail(checkRole, reason, r.claim.String(), "", note)
		return
	}
	role, mapped := raw, true
	if r.mapping != nil {
		role, mapped = r.mapping[raw]
	}
	switch {
	case !mapped:
		e.fail(checkRole, ReasonRoleUnmapped, "", clip(raw), "the token's role is not in the role map of its identity provider")
	case isReserved(role):
		e.fail(checkRole, ReasonRoleReserved, "", clip(role), "the built-in administrator cannot be reached with a token")
	case !r.known[role]:
		e.fail(checkRole, ReasonRoleUnknown, "", clip(role), "the token's role does not exist")
	case r.allowed != nil && !r.allowed[role]:
		e.fail(checkRole, ReasonRoleNotAllowed, "", clip(role), "the token's role is not allowed for its identity provider")
	default:
		e.grant.Role = role
		e.pass(checkRole, "", role)
	}
}

// requested returns the one value that the token asks for, or why there is
// none. A claim that the operator named is the only source. Otherwise the
// default claim and the namespace claims must agree.
func (r *roleRule) requested(c *jwt.Claims, fromNamespace []string) (role, reason, note string) {
	var asked []string
	if v, found := c.Lookup(r.claim); found {
		one, ok := oneString(v)
		if !ok {
			return "", ReasonRoleAmbiguous, "the token must ask for exactly one role, as a string or a list of one string"
		}
		asked = append(asked, one)
	}
	if !r.named {
		asked = append(asked, fromNamespace...)
	}
	for _, other := range asked {
		if other != asked[0] {
			return "", ReasonRoleAmbiguous, "the token asks for more than one role"
		}
	}
	if len(asked) == 0 || asked[0] == "" {
		return "", ReasonRoleMissing, "the token asks for no role"
	}
	return asked[0], "", ""
}

// oneString returns the only string in v; an empty list holds the empty one.
func oneString(v jwt.Value) (string, bool) {
	if s, ok := v.Text(); ok {
		return s, true
	}
	list, ok := v.List()
	if !ok || len(list) > 1 {
		return "", false
	}
	if len(list) == 0 {
		return "", true
	}
	return list[0].Text()
}

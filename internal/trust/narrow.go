package trust

import (
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/principal"
)

// The namespace claims (reference: namespace claims for JWT).
const (
	namespacePrefix  = "https://app.piiano.io/"
	namespaceRole    = namespacePrefix + "role"
	namespaceProp    = namespacePrefix + "prop/"
	namespacePropRef = namespacePrefix + "prop-claim-ref/"
)

const maxExtraDepth = 16

// namespace is what a set of namespace claims says.
type namespace struct {
	roles  []string
	bounds []principal.Narrowing
	refs   []reference
}

// reference bounds a property to the value of another claim of the token.
type reference struct {
	property string
	claim    jwt.Path
}

// read takes in one namespace claim and returns what is wrong with it, or "".
// A claim that this server does not know is refused: it may be a bound.
func (n *namespace) read(name string, v jwt.Value) string {
	if prop, ok := strings.CutPrefix(name, namespaceProp); ok {
		values, ok := stringsOf(v)
		if !ok || prop == "" {
			return "a namespace claim for a property must hold a string or a list of strings"
		}
		n.bounds = append(n.bounds, principal.Narrowing{Property: prop, Values: values})
		return ""
	}
	s, isString := v.Text()
	if prop, ok := strings.CutPrefix(name, namespacePropRef); ok {
		ref := reference{prop, jwt.ParsePath(s)}
		if !isString || s == "" || prop == "" || !ref.claim.Leads() {
			return "a namespace claim for a claim reference must hold the name of a claim"
		}
		n.refs = append(n.refs, ref)
		return ""
	}
	if name != namespaceRole {
		return "a namespace claim is unknown, and it may be a restriction"
	}
	if !isString || s == "" {
		return "the namespace claim for the role must hold a string"
	}
	n.roles = append(n.roles, s)
	return ""
}

// stringsOf returns a string as a list of one, and a list of strings as it is.
// An empty list admits nothing, which no issuer can mean, so it is refused.
func stringsOf(v jwt.Value) ([]string, bool) {
	if s, ok := v.Text(); ok {
		return []string{s}, true
	}
	list, _ := v.List()
	out := make([]string, 0, len(list))
	for _, e := range list {
		s, ok := e.Text()
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, len(out) > 0
}

// extraClaims compiles the operator's namespace claims.
func (p *problems) extraClaims(text string) namespace {
	var n namespace
	if text == "" {
		return n
	}
	v, err := jwt.ParseValue([]byte(text), maxExtraDepth)
	if err != nil || v.Kind() != jwt.KindObject {
		p.add("extra_claims", "extra_claims must be the JSON text of one object")
		return n
	}
	for _, name := range v.Names() {
		if wrong := n.read(name, v.Member(name)); wrong != "" {
			p.addf("extra_claims", "extra_claims: %s (claim %q); it may hold %s, %s<property> and %s<property>",
				wrong, clip(name), namespaceRole, namespaceProp, namespacePropRef)
		}
	}
	return n
}

// namespaceClaims gathers the operator's bounds and the token's. They are all
// kept, and all hold: what the operator wrote cannot be lifted by the token,
// and the token can only add to it. It returns the roles asked for.
func (e *evaluation) namespaceClaims() (roles []string) {
	n := namespace{roles: slices.Clone(e.rule.extra.roles), bounds: slices.Clone(e.rule.extra.bounds), refs: slices.Clone(e.rule.extra.refs)}
	wrong := ""
	for _, name := range e.claims.Names() {
		if strings.HasPrefix(name, namespacePrefix) {
			wrong = first(wrong, n.read(name, e.claims.Get(name)))
		}
	}
	if e.rule.top != "" {
		wrong = first(wrong, n.readNested(e.claims.Get(e.rule.top)))
	}
	if wrong != "" {
		e.fail(checkNamespace, ReasonNamespaceClaim, "", "", wrong)
		return n.roles
	}
	for _, ref := range n.refs {
		v, _ := e.claims.Lookup(ref.claim)
		values, ok := stringsOf(v)
		if !ok {
			e.fail(checkNamespace, ReasonClaimMissing, ref.claim.String(), v.Kind().String(),
				"a claim that a property is bound to is missing, or is not a string or a list of strings")
			return n.roles
		}
		n.bounds = append(n.bounds, principal.Narrowing{Property: ref.property, Values: values})
	}
	e.grant.Narrowing = n.bounds
	e.pass(checkNamespace, "", "")
	return n.roles
}

// readNested reads the namespace claims inside the top claim.
func (n *namespace) readNested(top jwt.Value) (wrong string) {
	switch top.Kind() {
	case jwt.KindAbsent:
		return ""
	case jwt.KindObject:
	default:
		return "the claim that holds the namespace claims is not an object"
	}
	for _, name := range top.Names() {
		if strings.HasPrefix(name, namespacePrefix) {
			wrong = first(wrong, n.read(name, top.Member(name)))
		}
	}
	return wrong
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

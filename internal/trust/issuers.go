package trust

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/jwt"
)

// issuers compiles the issuers of a rule that has several.
func (p *problems) issuers(s Spec) map[string]IssuerBounds {
	if s.Issuers == nil {
		return nil
	}
	if s.Style == Bearer || s.Issuer != "" {
		p.add("issuers", "a rule has one issuer or a list of them")
	}
	out := make(map[string]IssuerBounds, len(s.Issuers))
	for _, b := range s.Issuers {
		p.algorithms(b.Algorithms)
		p.durations(Times{MaxAge: b.MaxAge})
		if _, twice := out[b.Issuer]; twice || b.Issuer == "" {
			p.addf("issuers", "issuer %q is listed twice or has no name", b.Issuer)
		}
		b.Audiences, b.Algorithms = slices.Clone(b.Audiences), slices.Clone(b.Algorithms)
		out[b.Issuer] = b
	}
	return out
}

// bounds returns what holds for the token's issuer besides the rule, and
// whether its tokens are admitted at all.
func (e *evaluation) bounds() (b IssuerBounds, known bool) {
	if e.rule.issuers == nil {
		return IssuerBounds{}, true
	}
	iss, _ := e.claims.Issuer()
	b, known = e.rule.issuers[iss]
	return b, known
}

// admitted names the issuers whose tokens the rule takes, for whoever reads a
// refusal.
func (r *Rule) admitted() string {
	if r.issuers == nil {
		return r.issuer
	}
	return clip(strings.Join(slices.Sorted(maps.Keys(r.issuers)), ", "))
}

// admitsAlgorithm asks the rule and the issuer.
func (e *evaluation) admitsAlgorithm(a jwt.Algorithm) bool {
	b, _ := e.bounds()
	return jwt.Allows(e.rule.algs, a) && (b.Algorithms == nil || jwt.Allows(b.Algorithms, a))
}

// algorithms names those that are admitted, for whoever reads a refusal.
func (e *evaluation) algorithms() string {
	b, _ := e.bounds()
	var sets []string
	for _, l := range [][]jwt.Algorithm{e.rule.algs, b.Algorithms} {
		if l == nil {
			continue
		}
		names := make([]string, len(l))
		for i, a := range l {
			names[i] = string(a)
		}
		sets = append(sets, strings.Join(names, ", "))
	}
	if len(sets) == 0 {
		return "any with a public key"
	}
	return clip(strings.Join(sets, " and "))
}

// issuerAudience checks the audiences of the issuer, and reports whether the
// rule has none to add.
func (e *evaluation) issuerAudience(aud []string) (settled bool) {
	b, _ := e.bounds()
	if len(b.Audiences) == 0 {
		return false
	}
	expected, received := strings.Join(b.Audiences, ", "), clip(strings.Join(aud, ", "))
	if !slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(b.Audiences, a) }) {
		e.fail(checkIssuerAudience, ReasonAudience, expected, received,
			"error validating token: invalid audience (aud) claim: audience claim does not match any expected audience of the issuer")
		return true
	}
	e.pass(checkIssuerAudience, expected, received)
	return len(e.rule.auds) == 0
}

// maxAge is the smaller of the rule's and the issuer's; 0 = none.
func (e *evaluation) maxAge() time.Duration {
	b, _ := e.bounds()
	most := max(e.rule.times.MaxAge, 0)
	if b.MaxAge > 0 && (most == 0 || b.MaxAge < most) {
		return b.MaxAge
	}
	return most
}

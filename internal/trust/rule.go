package trust

import (
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/principal"
)

// Grant is what an admitted token may become. The zero Grant is nobody.
type Grant struct {
	Subject   string                // sub, or ""
	User      string                // value of the user claim
	Groups    []string              // values of the groups claim, unique, in the token's order
	Metadata  map[string]string     // mapped claims, and "role" for Login
	Role      string                // role that the token asked for (Bearer), or the Rule's name (Login)
	Narrowing []principal.Narrowing // bounds on the data; all of them hold
	// Expires is the last instant at which the token is admitted: its own end,
	// given or derived, or its greatest age if that is earlier, plus the clock
	// skew.
	Expires time.Time
}

// CheckSignature is the name of the check that the token is genuine, which
// those add who verify it.
const CheckSignature = checkSignature

// Names of the checks, in the order in which they appear.
const (
	checkSignature = "signature"
	checkAlgorithm = "algorithm"
	checkTimes     = "time_claims"
	checkIssuer    = "issuer"
	checkSubject   = "subject"
	checkAudience  = "audience"

	checkIssuerAudience = "issuer_audience"
	checkConfirmation   = "confirmation"

	checkNotBefore  = "not_before"
	checkExpiration = "expiration"
	checkIssuedAt   = "issued_at"
	checkMaxAge     = "max_age"
	checkLifetime   = "max_lifetime"
	checkUser       = "user_claim"
	checkMetadata   = "claim_mappings"
	checkGroups     = "groups_claim"
	checkBound      = "bound_claims"
	checkRole       = "role"
	checkNamespace  = "namespace_claims"
)

// Admit judges a verified token at now. Every check is made and listed, also
// after one has failed. The Grant is zero unless all of them passed.
func (r *Rule) Admit(v *jwt.Verified, now time.Time) (Grant, policy.Decision) {
	if r == nil || r.style == 0 || v == nil || v.Token() == nil {
		return Grant{}, policy.Deny(policy.Check{Name: checkSignature, Reason: ReasonRefused, Note: "nothing was verified"})
	}
	e := &evaluation{rule: r, claims: v.Claims(), now: now, checks: make([]policy.Check, 0, 12)}
	e.algorithm(v.Token().Algorithm())
	e.run()
	if e.failed {
		return Grant{}, policy.Decision{Rule: r.name, Checks: e.checks}
	}
	return e.grant, policy.Decision{Allowed: true, Rule: r.name, Checks: e.checks}
}

// Explain judges a token whose signature nobody has verified, such as an
// expired one or one whose key is gone, so that a person can see every check.
// The Decision never allows.
func (r *Rule) Explain(t *jwt.Token, now time.Time) policy.Decision {
	unproven := policy.Check{Name: checkSignature, Reason: ReasonSignatureUnproven, Note: "the signature was not verified"}
	if r == nil || r.style == 0 || t == nil {
		return policy.Deny(unproven)
	}
	e := &evaluation{rule: r, claims: t.Unverified(), now: now, checks: []policy.Check{unproven}}
	e.algorithm(t.Algorithm())
	e.run()
	return policy.Decision{Rule: r.name, Checks: e.checks}
}

// Precheck makes the cheap checks under which the token can never be admitted
// by this rule at now: algorithm, times, issuer, audience and cnf. It comes before
// any fetch and any signature. Passing it proves nothing. Its errors are those
// of Refusal.
func (r *Rule) Precheck(t *jwt.Token, now time.Time) error {
	if r == nil || r.style == 0 || t == nil {
		return fault.New(fault.Unauthenticated, "the token is refused").WithReason(ReasonRefused)
	}
	e := &evaluation{rule: r, claims: t.Unverified(), now: now, terse: true}
	e.algorithm(t.Algorithm())
	e.issuer()
	e.usable()
	if !e.failed {
		return nil
	}
	return r.Refusal(policy.Decision{Checks: e.checks})
}

// evaluation is one token being judged.
type evaluation struct {
	rule   *Rule
	claims *jwt.Claims
	now    time.Time
	checks []policy.Check
	terse  bool // only what fails is written down
	grant  Grant
	failed bool
}

// run makes the checks of the rule's style, in the reference's order: the
// first that fails is the one whose text the caller gets.
func (e *evaluation) run() {
	e.issuer()
	e.subject()
	e.usable()
	e.grant.Subject, _ = e.claims.Subject()
	e.userName()
	e.metadata()
	e.groupNames()
	e.boundClaims()
	if e.rule.style == Login {
		e.grant.Role = e.rule.name
		return
	}
	found := e.namespaceClaims()
	e.roleName(found)
}

// usable makes the checks of where, when and by whom the token may be used, in
// the reference's order.
func (e *evaluation) usable() {
	if len(e.rule.auds) > 0 {
		e.audience()
	}
	e.validity()
	if len(e.rule.auds) == 0 {
		e.audience()
	}
	e.confirmation()
}

// pass and fail add one check.
func (e *evaluation) pass(name, expected, received string) {
	if e.terse {
		return
	}
	e.checks = append(e.checks, policy.Check{Name: name, OK: true, Expected: expected, Received: received})
}

func (e *evaluation) fail(name, reason, expected, received, note string) {
	e.failed = true
	e.checks = append(e.checks, policy.Check{Name: name, Reason: reason, Expected: expected, Received: received, Note: note})
}

func (e *evaluation) algorithm(a jwt.Algorithm) {
	if !e.admitsAlgorithm(a) {
		e.fail(checkAlgorithm, ReasonAlgorithm, e.algorithms(), clip(string(a)), e.text(
			"error validating token: invalid algorithm (alg) header parameter: token signed with unexpected algorithm",
			"the token's signature algorithm is not allowed"))
		return
	}
	e.pass(checkAlgorithm, "", string(a))
}

func (e *evaluation) issuer() {
	iss, has := e.claims.Issuer()
	if _, known := e.bounds(); !known || e.rule.issuer != "" && (!has || iss != e.rule.issuer) {
		e.fail(checkIssuer, ReasonIssuer, e.rule.admitted(), clip(iss), e.text(
			"error validating token: invalid issuer (iss) claim",
			"the token's issuer is not the one of this identity provider"))
		return
	}
	e.pass(checkIssuer, e.rule.issuer, clip(iss))
}

func (e *evaluation) subject() {
	sub, has := e.claims.Subject()
	if e.rule.subject != "" && (!has || sub != e.rule.subject) {
		e.fail(checkSubject, ReasonSubject, e.rule.subject, e.shown("sub", sub), e.text(
			"error validating token: invalid subject (sub) claim",
			"the token's subject is not the one that is bound"))
		return
	}
	e.pass(checkSubject, e.rule.subject, "")
}

// audience follows the matrix of the reference, read strictly: without a bound
// audience only a token that names none passes, and "" is a name.
func (e *evaluation) audience() {
	aud, _ := e.claims.Audience()
	if e.issuerAudience(aud) {
		return
	}
	match := slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(e.rule.auds, a) })
	if match && e.terse {
		return
	}
	expected, received := strings.Join(e.rule.auds, ", "), clip(strings.Join(aud, ", "))
	if match {
		e.pass(checkAudience, expected, received)
		return
	}
	switch {
	case len(e.rule.auds) > 0:
		e.fail(checkAudience, ReasonAudience, expected, received, e.text(
			"error validating token: invalid audience (aud) claim: audience claim does not match any expected audience",
			"the token was made for another audience"))
	case len(aud) > 0:
		e.fail(checkAudience, ReasonAudienceUnbound, "", received, "audience claim found in JWT but no audiences bound to the role")
	default:
		e.pass(checkAudience, "", "")
	}
}

// confirmation refuses a token whose issuer bound it to a key of its holder
// (RFC 7800): neither door can see that the caller has the key, and without
// that a stolen token would do what its issuer said it must not. Whatever cnf
// holds counts, also what nobody here can read.
func (e *evaluation) confirmation() {
	if e.rule.anyCnf || e.claims.Get("cnf").Kind() == jwt.KindAbsent {
		return
	}
	e.fail(checkConfirmation, ReasonConfirmation, "", "cnf", e.text(
		"error validating token: the token is bound to a key (cnf claim), which a login cannot prove to hold",
		"the token is bound to a key (cnf) and cannot be used as a bearer token"))
}

// text picks the reference's own message for the Vault door.
func (e *evaluation) text(login, bearer string) string {
	if e.rule.style == Login {
		return login
	}
	return bearer
}

// Refusal turns a Decision of this rule into the error for the caller: kind
// Unauthenticated, the reason of the first check that failed and its text. It
// is nil for a Decision that allows.
func (r *Rule) Refusal(d policy.Decision) error {
	if d.Allowed {
		return nil
	}
	first, ok := d.Failed()
	if !ok {
		return fault.New(fault.Unauthenticated, "the token is refused").WithReason(ReasonRefused)
	}
	text := first.Note
	if first.Name == checkBound {
		// All bound claims that fail are named, in sorted order: which one is
		// named must not depend on chance.
		var notes []string
		for _, c := range d.Checks {
			if c.Name == checkBound && !c.OK {
				notes = append(notes, c.Note)
			}
		}
		text = strings.Join(notes, "; ")
		if r != nil && r.style == Login {
			text = "error validating claims: " + text
		}
	}
	return fault.New(fault.Unauthenticated, text).WithReason(first.Reason)
}

// VerifyRefusal gives an error of package jwt or jwks the text that the Vault
// door's reference has for it, keeping kind, reason and cause. static says
// that the keys stand in the configuration.
func VerifyRefusal(err error, static bool) error {
	if err == nil {
		return nil
	}
	reason := fault.ReasonOf(err)
	text := "error validating token: error verifying token signature: "
	switch {
	case reason == jwt.ErrAlgorithm.Reason():
		text = "error validating token: invalid algorithm (alg) header parameter: token signed with unexpected algorithm"
	case reason != jwt.ErrSignature.Reason() && reason != jwt.ErrUnknownKey.Reason():
		text += fault.PublicText(err)
	case static:
		text += "no known key successfully validated the token signature"
	default:
		text += "failed to verify id token signature"
	}
	return fault.Wrap(fault.Of(err), err, text).WithReason(reason)
}

// clip bounds what a token can put into a decision, and keeps control
// characters out of it.
func clip(s string) string {
	const limit = 256
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return strings.Map(func(c rune) rune {
		if isControl(c) {
			return '\uFFFD'
		}
		return c
	}, s)
}

// shown is what a decision shows of a claim's value.
func (e *evaluation) shown(claim, value string) string {
	if slices.Contains(e.rule.hidden, pointer(claim)) {
		return "(hidden)"
	}
	return clip(value)
}

// pointer spells a claim in one way, however the operator did.
func pointer(claim string) string {
	if strings.HasPrefix(claim, "/") {
		return claim
	}
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(claim)
}

func pointers(claims []string) []string {
	out := make([]string, len(claims))
	for i, c := range claims {
		out[i] = pointer(c)
	}
	return out
}

func isControl(c rune) bool {
	return c < 0x20 || 0x7f <= c && c < 0xa0 || c == '\u2028' || c == '\u2029'
}

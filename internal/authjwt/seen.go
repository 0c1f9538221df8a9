package authjwt

import (
	"errors"
	"slices"

	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/trust"
)

// Seen is what the audit log shows of a JWT that logged in or tried to: the
// claims that its role lists and no others.
type Seen struct {
	Role string
	// Verified says that the JWT is genuine. Otherwise its claims are what
	// somebody sent.
	Verified bool
	Clear    map[string]string // by audit_claims
	Hashed   map[string]string // by audit_claims_hmac: for the log as HMACs only
}

// maxAudited bounds the claims that one role lists for the audit log.
const maxAudited = 64

// checkAudited checks the lists of claims for the audit log.
func (r *Role) checkAudited() error {
	all := slices.Concat(r.AuditClaims, r.AuditClaimsHMAC)
	if len(all) > maxAudited {
		return invalid("'audit_claims' and 'audit_claims_hmac' name more than %d claims", maxAudited)
	}
	for i, name := range all {
		switch {
		case !jwt.ParsePath(name).Leads() || len(name) > maxText:
			return invalid("'audit_claims' and 'audit_claims_hmac': %q names no claim", clip(name))
		case slices.Contains(all[:i], name):
			return invalid("'audit_claims' and 'audit_claims_hmac': claim %q is listed twice", clip(name))
		}
	}
	return nil
}

// see picks the listed claims. Those that are not there, or null, are left out.
func (r *compiledRole) see(c *jwt.Claims, verified bool) *Seen {
	return &Seen{
		Role: r.name, Verified: verified, Clear: pick(c, r.AuditClaims, clip),
		Hashed: pick(c, r.AuditClaimsHMAC, func(s string) string { return s }),
	}
}

// pick returns strings as they are and other values as their JSON text.
func pick(c *jwt.Claims, names []string, shown func(string) string) map[string]string {
	if len(names) == 0 {
		return nil
	}
	out := make(map[string]string, len(names))
	for _, name := range names {
		v, found := c.Lookup(jwt.ParsePath(name))
		if !found || v.Kind() == jwt.KindNull {
			continue
		}
		text, ok := v.Text()
		if !ok {
			text = string(v.JSON())
		}
		out[name] = shown(text)
	}
	return out
}

// seeRefused is see for a JWT that was refused: nil when there was no role, and
// without claims when it could not be read.
func (r *compiledRole) seeRefused(raw string, err error) *Seen {
	if r == nil {
		return nil
	}
	s := &Seen{Role: r.name}
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return s
	}
	s.Verified = refusal.genuine()
	if len(r.AuditClaims)+len(r.AuditClaimsHMAC) == 0 {
		return s
	}
	tok, perr := r.compat.parse(raw)
	if perr != nil {
		return s
	}
	return r.see(tok.Unverified(), s.Verified)
}

// genuine reports whether the JWT was refused for what it says, and not for
// what it is: no refusal before the signature was checked counts.
func (r *Refusal) genuine() bool {
	return len(r.checks) > 0 && !slices.ContainsFunc(r.checks, func(c policy.Check) bool {
		return !c.OK && slices.Contains([]string{trust.CheckSignature, "key", "token", checkAddress}, c.Name)
	})
}

// checkAddress is the check that comes before the token is looked at.
const checkAddress = "address"

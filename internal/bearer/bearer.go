package bearer

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/tokencache"
	"github.com/jotgate/jotgate/internal/trust"
)

// Options are the parts and settings of a Verifier.
type Options struct {
	// Snapshot returns the configuration in force; required. It is asked once
	// per request.
	Snapshot func() *iam.Snapshot
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// CacheSize bounds how many verified tokens are remembered; zero means
	// DefaultCacheSize, a negative number none.
	CacheSize int
}

// DefaultCacheSize is how many verified tokens are remembered, from the second
// time on that each is seen: about 16 MiB.
const DefaultCacheSize = 32768

// Verifier authenticates bearer tokens. It is safe for concurrent use.
type Verifier struct {
	snapshot func() *iam.Snapshot
	now      func() time.Time
	size     int
	memory   atomic.Pointer[memory]
}

// New returns a verifier.
func New(o Options) (*Verifier, error) {
	if o.Snapshot == nil {
		return nil, errors.New("bearer: Snapshot is required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CacheSize == 0 {
		o.CacheSize = DefaultCacheSize
	}
	return &Verifier{snapshot: o.Snapshot, now: o.Now, size: o.CacheSize}, nil
}

// memory is who the callers were that were verified under one configuration.
type memory struct {
	snapshot *iam.Snapshot
	callers  *tokencache.Cache[*principal.Principal]
}

type entry = tokencache.Entry[*principal.Principal]

// remembered returns the memory of one configuration. A new configuration
// starts with an empty one; what was verified under the old one is let go whole.
func (v *Verifier) remembered(snap *iam.Snapshot) *tokencache.Cache[*principal.Principal] {
	if v.size < 0 {
		return nil
	}
	for {
		m := v.memory.Load()
		if m != nil && m.snapshot == snap {
			return m.callers
		}
		fresh := &memory{snap, tokencache.New[*principal.Principal](v.size)}
		if v.memory.CompareAndSwap(m, fresh) {
			return fresh.callers
		}
	}
}

// Reasons of refusals, beside those of packages jwt, jwks and trust.
const (
	// ReasonAmbiguous: the token names the audiences of several identity
	// providers.
	ReasonAmbiguous = "issuer_ambiguous"
)

var (
	errIssuer    = fault.New(fault.Unauthenticated, "no identity provider is configured for the token's issuer").WithReason(trust.ReasonIssuer)
	errAudience  = fault.New(fault.Unauthenticated, "the token was made for another audience").WithReason(trust.ReasonAudience)
	errAmbiguous = fault.New(fault.Unauthenticated, "the token names the audiences of several identity providers; issue one with a single audience").WithReason(ReasonAmbiguous)
	errNotLoaded = fault.New(fault.Unavailable, "the IAM configuration is not loaded yet").WithReason("iam_not_loaded")
)

// Authenticate returns the caller whom the token proves. Its refusals are of
// kind Unauthenticated, TooLarge for an oversized token, or Unavailable if the
// issuer's keys cannot be had; each carries a stable reason (fault.ReasonOf),
// and those of the provider's rule carry every check (errors.As with an
// interface{ Checks() []policy.Check }).
func (v *Verifier) Authenticate(ctx context.Context, raw string) (*principal.Principal, error) {
	snap := v.snapshot()
	if snap == nil {
		return nil, errNotLoaded
	}
	if len(raw) > jwt.BearerLimits.MaxBytes {
		return nil, jwt.ErrTooLarge
	}
	now := v.now()
	sum := sha256.Sum256([]byte(raw))
	c := v.remembered(snap)
	if caller, ok := c.Get(sum, now); ok {
		return caller, nil
	}
	e, err := verify(ctx, snap, raw, now)
	if err != nil {
		return nil, err
	}
	if c.Met(sum) { // most tokens that come once never come again
		c.Put(sum, e, now)
	}
	return e.Value, nil
}

// verify judges a token that is not remembered.
func verify(ctx context.Context, snap *iam.Snapshot, raw string, now time.Time) (entry, error) {
	t, err := jwt.Parse(raw, jwt.BearerLimits)
	if err != nil {
		return entry{}, err
	}
	p, err := choose(snap, t)
	if err != nil {
		return entry{}, err
	}
	e, err := verifyFor(ctx, p, t, now)
	if err != nil {
		return entry{}, &fromProvider{error: err, name: p.Name}
	}
	return e, nil
}

// fromProvider is a refusal that names whose rules refused, for the metrics.
type fromProvider struct {
	error
	name string
}

// Issuer returns the identity provider's name.
func (f *fromProvider) Issuer() string { return f.name }

// Unwrap returns the refusal itself.
func (f *fromProvider) Unwrap() error { return f.error }

// verifyFor judges a token by the rules of one provider.
func verifyFor(ctx context.Context, p *iam.Provider, t *jwt.Token, now time.Time) (entry, error) {
	if err := p.Rule.Precheck(t, now); err != nil {
		return entry{}, err
	}
	generation := p.Keys.Generation() // before the keys: a change in between voids the entry
	kid, hasKID := t.KeyID()
	keys, err := p.Keys.Keys(ctx, kid, hasKID)
	if err != nil {
		return entry{}, err
	}
	verified, err := t.Verify(keys, p.Rule.Algorithms())
	if err != nil {
		return entry{}, err
	}
	grant, d := p.Rule.Admit(verified, now)
	if !d.Allowed {
		return entry{}, &refusal{error: p.Rule.Refusal(d), checks: d.Checks}
	}
	return entry{Value: principal.New(attrs(p, grant)), Keys: p.Keys, Generation: generation, Since: now, Until: grant.Expires}, nil
}

// Explain makes every check on a token, also after one has failed, and returns
// which identity provider it was judged by ("" if none) and the decision. It
// uses no memory of earlier tokens and admits nobody; show it to operators only.
func (v *Verifier) Explain(ctx context.Context, raw string) (provider string, d policy.Decision) {
	snap := v.snapshot()
	if snap == nil {
		return "", failed("token", errNotLoaded)
	}
	t, err := jwt.Parse(raw, jwt.BearerLimits)
	if err != nil {
		return "", failed("token", err)
	}
	p, err := choose(snap, t)
	if err != nil {
		return "", failed("identity_provider", err)
	}
	now := v.now()
	kid, hasKID := t.KeyID()
	keys, err := p.Keys.Keys(ctx, kid, hasKID)
	var verified *jwt.Verified
	if err == nil {
		verified, err = t.Verify(keys, p.Rule.Algorithms())
	}
	if err != nil {
		d = p.Rule.Explain(t, now)
		d.Checks = append(failed("signature", err).Checks, d.Checks[1:]...) // the first says that nothing was verified
		return p.Name, d
	}
	_, d = p.Rule.Admit(verified, now)
	return p.Name, d
}

// failed is a decision that a check which is not the rule's has made.
func failed(check string, err error) policy.Decision {
	return policy.Deny(policy.Check{Name: check, Reason: fault.ReasonOf(err), Note: fault.PublicText(err)})
}

// choose returns the one provider to which the token can belong. What the
// token says is not proved yet: it only picks who must prove it.
func choose(snap *iam.Snapshot, t *jwt.Token) (*iam.Provider, error) {
	claims := t.Unverified()
	issuer, _ := claims.Issuer()
	audiences, _ := claims.Audience()
	found, issuerKnown := snap.Match(issuer, audiences)
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, errAmbiguous
	case issuerKnown:
		return nil, errAudience
	}
	return nil, errIssuer
}

func attrs(p *iam.Provider, g trust.Grant) principal.Attrs {
	name := g.User
	if name == "" {
		name = p.Name
	}
	return principal.Attrs{
		Kind: principal.BearerJWT, Name: name, Subject: g.Subject, Issuer: p.Name, Role: g.Role,
		Metadata: g.Metadata, Narrowing: g.Narrowing, Expires: g.Expires,
	}
}

// refusal is the rule's refusal with the checks that led to it.
type refusal struct {
	error
	checks []policy.Check
}

// Checks returns every check of the rule, for the audit entry.
func (r *refusal) Checks() []policy.Check { return r.checks }

// Unwrap returns the refusal as a *fault.Error.
func (r *refusal) Unwrap() error { return r.error }

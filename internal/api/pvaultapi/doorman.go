package pvaultapi

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"slices"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/principal"
)

// call is the doorman of its own request.
var _ gate.Doorman = (*call)(nil)

// Authenticate reads the credential from its header and asks who presents it.
// A request that no row serves is refused here, so that it leaves an entry.
func (c *call) Authenticate(ctx context.Context, r *gate.Request) (*principal.Principal, error) {
	if c.row == nil {
		return nil, c.bad
	}
	if c.row.Auth == route.Public {
		return nil, nil
	}
	cred, err := bearerOf(c.http.Header)
	if err != nil {
		return nil, err
	}
	r.Credential = audit.Secret(cred)
	who, err := c.door.identify(ctx, cred)
	if err != nil {
		return nil, err
	}
	who, err = c.delegate(ctx, who)
	if err != nil {
		return nil, err
	}
	c.who = who
	return who, nil
}

// identify asks the IAM configuration or the identity provider.
func (d *Door) identify(ctx context.Context, cred string) (*principal.Principal, error) {
	if looksLikeJWT(cred) {
		return d.bearer(ctx, cred)
	}
	return d.o.IAM.Authenticate(cred)
}

// bearer asks for a JWT's caller. A key source that the operator set up wrong
// is a refusal too: its state is none of the caller's business.
func (d *Door) bearer(ctx context.Context, cred string) (*principal.Principal, error) {
	p, err := d.o.Bearer.Authenticate(ctx, cred)
	switch fault.Of(err) {
	case fault.Invalid, fault.NotFound, fault.Conflict, fault.Gone:
		return nil, fault.Wrap(fault.Unauthenticated, err, "The request is unauthorized.").WithReason(fault.ReasonOf(err))
	}
	return p, err
}

// delegate resolves X-Pvault-Delegation: the caller acts in the role of the
// delegated token, if that role trusts the caller's. A role that trusts others
// cannot be used without delegation, so that a stolen user token is useless
// alone.
func (c *call) delegate(ctx context.Context, caller *principal.Principal) (*principal.Principal, error) {
	raw, err := delegationOf(c.http.Header)
	if err != nil {
		return nil, err
	}
	own, _ := c.door.o.IAM.Role(caller.Role())
	if raw == "" {
		if len(own.TrustedRoles()) > 0 {
			return nil, errNoCredential.WithReason("delegation_required")
		}
		return caller, nil
	}
	if caller.Kind() == principal.Admin || len(own.TrustedRoles()) > 0 {
		return nil, errNoCredential.WithReason("delegation_not_allowed")
	}
	user, err := c.door.bearer(ctx, raw)
	if err != nil {
		return nil, err
	}
	lent, _ := c.door.o.IAM.Role(user.Role())
	if !slices.Contains(lent.TrustedRoles(), caller.Role()) {
		return nil, errNoCredential.WithReason("delegation_not_allowed")
	}
	a := user.Attrs()
	a.Delegate, a.DelegateIssuer = caller.Role()+"/"+caller.Name(), caller.Attrs().Issuer
	a.Narrowing = slices.Concat(a.Narrowing, caller.Narrowing()) // what restricts either credential restricts both together
	if end := caller.Attrs().Expires; !end.IsZero() && (a.Expires.IsZero() || end.Before(a.Expires)) {
		a.Expires = end
	}
	return principal.New(a), nil
}

// Authorise decides whether the caller's role has the operation's capability.
// What is wrong with the request itself is told only after that.
func (c *call) Authorise(_ context.Context, r *gate.Request, p *principal.Principal) (policy.Decision, gate.Asker, error) {
	if c.row.Auth == route.Public {
		return policy.Decision{Allowed: true, Rule: "public"}, nil, c.bad
	}
	role, ok := c.door.o.IAM.Role(p.Role())
	if !ok {
		return policy.Deny(policy.Check{Name: "capability", Expected: "a role of the IAM configuration", Received: p.Role()}), nil, nil
	}
	d := role.Capability(string(r.Operation))
	if !d.Allowed {
		return d, nil, nil
	}
	if c.row.Handler.adminJob && p.Kind() != principal.Admin {
		return policy.Deny(policy.Check{Name: "capability", Expected: "the built-in user Admin"}), nil, nil
	}
	if c.bad != nil {
		return policy.Decision{}, nil, c.bad
	}
	c.role = role
	return d, asker{c}, nil
}

// asker answers the engine's questions about single resources.
type asker struct{ c *call }

// Ask lets the policies of the caller's role vote.
func (a asker) Ask(op gate.Operation, resource string) policy.Decision {
	if a.c.who.Kind() == principal.Admin {
		return a.c.door.adminVote()
	}
	return a.c.role.Vote(string(op), resource, a.c.reason)
}

// adminVote is the policy of the built-in administrator: whole or nothing, as
// the server's setting says.
func (d *Door) adminVote() policy.Decision {
	if d.o.AdminMayReadData {
		return policy.Decision{Allowed: true, Rule: "admin_may_read_data"}
	}
	return policy.Deny(policy.Check{
		Name: "policy", Expected: "service.admin_may_read_data", Received: "Admin",
		Note: "the administrator may not touch data on this server",
	})
}

func tooLarge(err error) bool {
	var m *http.MaxBytesError
	return errors.As(err, &m)
}

func stack() string { return string(debug.Stack()) }

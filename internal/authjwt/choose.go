package authjwt

import (
	"context"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/trust"
)

// Refusals of a login that leaves the choice of the role to the server.
var (
	errNoRole    = fault.New(fault.Invalid, "no role of this mount admits the token").WithReason(trust.ReasonRoleMissing)
	errManyRoles = fault.New(fault.Invalid, "more than one role of this mount admits the token; name the one that is meant").
			WithReason(trust.ReasonRoleAmbiguous)
)

// choose finds the one role that admits the token. It never picks between two:
// which rights a login gets must not depend on an order that nobody wrote
// down. The signature is checked once, and only if some role could admit the
// token.
func (m *Method) choose(ctx context.Context, c *compiledConfig, rq *Request) (*compiledRole, admitted, []policy.Check, error) {
	if rq.JWT == "" {
		return nil, admitted{}, nil, invalid("missing token")
	}
	tok, err := rq.Mount.Compat.parse(rq.JWT)
	if err != nil {
		return nil, admitted{}, nil, refuse(trust.VerifyRefusal(err, c.source.static),
			[]policy.Check{{Name: "token", Reason: fault.ReasonOf(err), Note: fault.PublicText(err)}})
	}
	now := m.now()
	var checks []policy.Check
	refused := func(name string, reason error) {
		checks = append(checks, policy.Check{
			Name: "role", Expected: name, Reason: fault.ReasonOf(reason), Note: fault.PublicText(reason),
		})
	}
	roles, err := m.openRoles(ctx, c, rq.Mount)
	if err != nil {
		return nil, admitted{}, nil, err
	}
	var v *jwt.Verified
	var found *compiledRole
	var grant admitted
	for _, r := range roles {
		if err := r.rule.Precheck(tok, now); err != nil {
			refused(r.name, err)
			continue
		}
		if v == nil {
			if v, err = c.source.verify(ctx, tok, r.rule.Algorithms()); err != nil {
				return nil, admitted{}, nil, refuse(err,
					append(checks, policy.Check{Name: "key", Reason: fault.ReasonOf(err), Note: fault.PublicText(err)}))
			}
		}
		g, _, err := r.accept(v, now)
		switch {
		case err != nil:
			refused(r.name, err)
		case !session.Admits(r.BoundCIDRs, rq.Remote):
			refused(r.name, fault.New(fault.Denied, "permission denied").WithReason("address"))
		case found != nil:
			checks = append(checks, policy.Check{Name: "role", OK: true, Received: found.name}, policy.Check{Name: "role", OK: true, Received: r.name})
			return nil, admitted{}, nil, refuse(errManyRoles, checks)
		default:
			found, grant = r, g
		}
	}
	if found == nil {
		return nil, admitted{}, nil, refuse(errNoRole, checks)
	}
	rq.Role = found.name
	return found, grant, append(checks, policy.Check{Name: "role", OK: true, Received: found.name}), nil
}

// openRoles returns the mount's JWT roles in order of their names.
func (m *Method) openRoles(ctx context.Context, c *compiledConfig, mt Mount) ([]*compiledRole, error) {
	names, err := m.Roles(ctx, mt, "", maxExplained+1)
	if err != nil {
		return nil, err
	}
	if len(names) > maxExplained {
		return nil, invalid("this mount has more than %d roles; name the one that is meant", maxExplained)
	}
	var out []*compiledRole
	for _, n := range names {
		r, err := m.role(ctx, mt, n, c)
		if err != nil {
			return nil, err
		}
		if r != nil && r.rule != nil {
			out = append(out, r)
		}
	}
	return out, nil
}

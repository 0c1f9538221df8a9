package authjwt

import (
	"context"
	"time"

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

// choose finds the role of a login that names none: with selectByClaims the
// one role that admits the token, with selectFirst the first of the operator's
// list that does. It never picks between two by itself: which rights a login
// gets must not depend on an order that nobody wrote down. The signature is
// checked once, and only if some role could admit the token.
func (m *Method) choose(ctx context.Context, c *compiledConfig, rq *Request) (*compiledRole, admitted, []policy.Check, error) {
	if rq.JWT == "" {
		return nil, admitted{}, nil, invalid("missing token")
	}
	now := m.now()
	tok, v, err := m.read(c, rq.Mount.Compat, rq.JWT, now)
	if err != nil {
		return nil, admitted{}, nil, err
	}
	roles, err := m.candidates(ctx, c, rq.Mount)
	if err != nil {
		return nil, admitted{}, nil, err
	}
	s := selection{m: m, c: c, rq: rq, tok: tok, v: v, now: now}
	var found *compiledRole
	var grant admitted
	for _, r := range roles {
		g, ok, err := s.try(ctx, r)
		switch {
		case err != nil:
			return nil, admitted{}, nil, err
		case !ok:
			continue
		case found != nil:
			return nil, admitted{}, nil, refuse(errManyRoles, append(s.checks, took(found.name), took(r.name)))
		}
		if found, grant = r, g; c.RoleSelection == selectFirst {
			break
		}
	}
	if found == nil {
		return nil, admitted{}, nil, refuse(errNoRole, s.checks)
	}
	rq.Role = found.name
	return found, grant, append(s.checks, took(found.name)), nil
}

func took(role string) policy.Check { return policy.Check{Name: "role", OK: true, Received: role} }

// selection is one token for which a role is looked for.
type selection struct {
	m      *Method
	c      *compiledConfig
	rq     *Request
	tok    *jwt.Token
	now    time.Time
	v      *jwt.Verified  // nil before the token is proved: once some role could admit it
	checks []policy.Check // why roles do not
}

// try judges the token by one role. An error ends the search: the token is not
// genuine, whatever the role.
func (s *selection) try(ctx context.Context, r *compiledRole) (g admitted, ok bool, err error) {
	if err := r.rule.Precheck(s.tok, s.now); err != nil {
		s.refused(r.name, err)
		return admitted{}, false, nil
	}
	if s.v == nil {
		if s.v, err = s.m.verify(ctx, s.c.source, s.tok, r.rule.Algorithms(), s.now); err != nil {
			return admitted{}, false, refuse(err, append(s.checks, failed("key", err)))
		}
	}
	g, _, err = r.accept(s.v, s.now)
	if err == nil && !session.Admits(r.BoundCIDRs, s.rq.Remote) {
		err = errAddress
	}
	if err != nil {
		s.refused(r.name, err)
		return admitted{}, false, nil
	}
	return g, true, nil
}

func (s *selection) refused(role string, reason error) {
	s.checks = append(s.checks, policy.Check{
		Name: "role", Expected: role, Reason: fault.ReasonOf(reason), Note: fault.PublicText(reason),
	})
}

// candidates returns the roles to try, in their order.
func (m *Method) candidates(ctx context.Context, c *compiledConfig, mt Mount) ([]*compiledRole, error) {
	if c.RoleSelection == selectFirst {
		return m.rolesNamed(ctx, c, mt, c.RoleOrder)
	}
	return m.openRoles(ctx, c, mt)
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
	return m.rolesNamed(ctx, c, mt, names)
}

// rolesNamed returns the JWT roles among names. One that is gone lets nobody
// in, so that the next one is asked.
func (m *Method) rolesNamed(ctx context.Context, c *compiledConfig, mt Mount, names []string) ([]*compiledRole, error) {
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

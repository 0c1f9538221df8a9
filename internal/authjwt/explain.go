package authjwt

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/trust"
)

// maxExplained bounds the roles that one explanation looks at.
const maxExplained = 100

// Explanation is what a login with a role would come to, and why. It holds
// what the token says and what the role wants, so it is for operators only.
type Explanation struct {
	Role    string `json:"role"`
	Allowed bool   `json:"allowed"`
	Error   string `json:"error,omitzero"`  // what the caller of the login would read
	Reason  string `json:"reason,omitzero"` // stable code of the refusal
	// Chosen: a login that names no role would get this one.
	Chosen bool           `json:"chosen,omitzero"`
	Checks []policy.Check `json:"checks"`
	Grant  *Granted       `json:"grant,omitzero"` // nil when refused
}

// Granted is what an allowed login would give.
type Granted struct {
	User        string            `json:"user"`
	DisplayName string            `json:"display_name"`
	Groups      []string          `json:"groups"`
	Metadata    map[string]string `json:"metadata"`
	Policies    []string          `json:"token_policies"` // without those of the entity and its groups
	TokenType   string            `json:"token_type"`
	JWTUntil    time.Time         `json:"jwt_admitted_until"`
}

// Explain tells what a login would come to, with every check that it makes. It
// issues nothing, writes nothing and makes no entity. Without a role it looks
// at the roles that the mount's configuration names and at others, a hundred in
// all; those that allow come first. An error of
// kind fault.Invalid says that there is nothing to explain: no configuration,
// no such role, no token.
func (m *Method) Explain(ctx context.Context, rq Request) ([]Explanation, error) {
	c, err := m.compiled(ctx, rq.Mount.UUID)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return nil, invalid("could not load configuration")
	}
	defer c.source.release()
	if rq.Role != "" {
		r, err := m.find(ctx, c, &rq)
		if err != nil {
			return nil, err
		}
		return []Explanation{m.explainRole(ctx, c, r, rq)}, nil
	}
	if rq.JWT == "" {
		return nil, invalid("missing token")
	}
	names, err := m.Roles(ctx, rq.Mount, "", maxExplained+1)
	if err != nil {
		return nil, err
	}
	var out []Explanation
	for _, name := range c.withNamed(names) {
		r, err := m.role(ctx, rq.Mount, name, c)
		if err != nil {
			return nil, err
		}
		if r != nil && r.rule != nil {
			out = append(out, m.explainRole(ctx, c, r, rq))
		}
	}
	if c.RoleSelection != selectByClaims || len(names) <= maxExplained { // else a login must name its role
		c.choice(out)
	}
	slices.SortStableFunc(out, func(a, b Explanation) int {
		switch {
		case a.Allowed == b.Allowed:
			return strings.Compare(a.Role, b.Role)
		case a.Allowed:
			return -1
		}
		return 1
	})
	return out, nil
}

// withNamed puts the roles that the configuration names before the others.
func (c *Config) withNamed(names []string) []string {
	out := slices.Clone(c.RoleOrder)
	if c.DefaultRole != "" {
		out = append(out, c.DefaultRole)
	}
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out[:min(len(out), maxExplained)]
}

// choice marks the role that a login without one would get.
func (c *Config) choice(found []Explanation) {
	only := -1
	for i := range found {
		x := &found[i]
		if !x.Allowed {
			continue
		}
		switch {
		case c.RoleSelection == selectFirst && slices.Contains(c.RoleOrder, x.Role), c.RoleSelection == "" && x.Role == c.DefaultRole:
			x.Chosen = true
			return // found is in the order of the configuration
		case c.RoleSelection == selectByClaims && only >= 0:
			return // two fit: none is chosen
		}
		only = i
	}
	if c.RoleSelection == selectByClaims && only >= 0 {
		found[only].Chosen = true
	}
}

func (m *Method) explainRole(ctx context.Context, c *compiledConfig, r *compiledRole, rq Request) Explanation {
	x := Explanation{Role: r.name, Checks: m.allChecks(ctx, c, r, rq.JWT)}
	g, _, err := m.admit(ctx, c, r, rq.JWT)
	if err == nil && rq.Remote.IsValid() && !session.Admits(r.BoundCIDRs, rq.Remote) {
		err = errAddress
		x.Checks = append(x.Checks, r.wrongAddress(rq.Remote))
	}
	if err != nil {
		x.Error, x.Reason = fault.PublicText(err), fault.ReasonOf(err)
		return x
	}
	kind, err := session.ChooseType(rq.Mount.TokenType, r.TokenType)
	if err != nil {
		x.Error = fault.PublicText(err)
		return x
	}
	x.Allowed = true
	x.Grant = &Granted{
		User: g.User, DisplayName: session.DisplayName(rq.Mount.Path, g.User), Groups: g.Groups, Metadata: g.Metadata,
		Policies: session.SanitizePolicies(g.policies, !r.NoDefaultPolicy), TokenType: kind.String(), JWTUntil: g.Expires.UTC(),
	}
	return x
}

// allChecks makes every check, also those that a login would no longer come
// to.
func (m *Method) allChecks(ctx context.Context, c *compiledConfig, r *compiledRole, raw string) []policy.Check {
	tok, err := r.compat.parse(raw)
	if err != nil {
		return []policy.Check{failed("token", err)}
	}
	v, err := c.source.verify(ctx, tok, r.rule.Algorithms())
	if err == nil {
		_, checks, _ := r.accept(v, m.now()) // the checks say why not
		return append([]policy.Check{{Name: trust.CheckSignature, OK: true}}, withoutCheck(checks, trust.CheckSignature)...)
	}
	signature := failed(trust.CheckSignature, err)
	return append([]policy.Check{signature}, withoutCheck(r.rule.Explain(tok, m.now()).Checks, trust.CheckSignature)...)
}

func withoutCheck(checks []policy.Check, name string) []policy.Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c policy.Check) bool { return c.Name == name })
}

package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/policy/acl"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/session"
)

// doorman answers the gate's questions for one call.
type doorman struct{ c *Call }

// Authenticate finds out who is calling, and only then reads the body: a
// caller without a token never makes the server hold more than a login's size.
func (d doorman) Authenticate(ctx context.Context, r *gate.Request) (*principal.Principal, error) {
	c := d.c
	if c.spoiled != nil {
		return nil, c.spoiled
	}
	if c.public() {
		return nil, c.readData()
	}
	if c.Token == "" {
		return nil, errDenied
	}
	r.Credential = audit.Secret(c.Token)
	p, own, err := c.Runtime.Sessions.Present(ctx, c.Token, r.Remote.Addr().Unmap())
	if err != nil {
		return nil, c.spent(err)
	}
	c.authed, c.caller, c.own = true, p, own
	return p, c.readData()
}

// spent tells a caller that it was the parameter of the request which is not
// valid any more, where the caller's own token is that parameter.
func (c *Call) spent(refusal error) error {
	if c.row == nil || c.row.Handler.Spent == nil || fault.ReasonOf(refusal) != session.ReasonUnknown {
		return refusal
	}
	if err := c.readData(); err != nil {
		return refusal
	}
	if text, ok := c.Data.Map()["token"]; ok && text != "" && text != c.Token {
		return refusal
	}
	return c.row.Handler.Spent
}

// public reports whether the path answers callers without a token. A verb that
// a public path does not have is refused there without a token, too.
func (c *Call) public() bool {
	if c.row != nil {
		return c.row.Auth == route.Public || c.row.Handler.Emergency && c.Door.emergency
	}
	if c.Mount == nil {
		return false
	}
	b := backendOf(c.Mount)
	if b == nil {
		return false
	}
	for _, verb := range b.table.Verbs(c.Rel) {
		if r, _, o := b.table.Find(verb, c.Rel); o == route.Found && r.Auth == route.Public {
			return true
		}
	}
	return false
}

func (c *Call) readData() (err error) {
	if c.row != nil && c.row.Handler.Unread {
		return nil
	}
	c.Data, err = readData(c.w, c.http, c.Op, c.limit)
	c.Request.Data = c.Data.Map()
	return err
}

// Authorise asks the caller's policies. Public rows are open by their nature,
// and help is open to every token, as in the reference.
func (d doorman) Authorise(ctx context.Context, r *gate.Request, p *principal.Principal) (policy.Decision, gate.Asker, error) {
	c := d.c
	if c.public() {
		return policy.Decision{Allowed: true, Rule: "public endpoint"}, nil, nil
	}
	if c.Op == help {
		return policy.Decision{Allowed: true, Rule: "help is open to every token"}, nil, nil
	}
	rules, err := c.Runtime.Policies.For(ctx, p, c.Path)
	if err != nil {
		return policy.Decision{}, nil, err
	}
	q := acl.Question{Operation: acl.Operation(c.Op), Path: c.Path, Data: c.Request.Data, WrapTTL: c.WrapTTL}
	if c.row != nil {
		q.Sudo = c.row.Sudo
	}
	dec := rules.Decide(q)
	if c.Op != Update || c.row == nil || c.row.Handler.Exists == nil {
		return dec, nil, nil
	}
	q.Operation = acl.Create
	created := rules.Decide(q)
	if created.Allowed == dec.Allowed {
		return dec, nil, nil
	}
	if err := c.parseFields(); err != nil {
		return policy.Decision{}, nil, err
	}
	exists, err := c.row.Handler.Exists(ctx, c)
	if err != nil {
		return policy.Decision{}, nil, err
	}
	if exists {
		return dec, nil, nil
	}
	c.Op, r.Operation = Create, Create
	return created, nil, nil
}

package vaultapi

import (
	"context"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy/acl"
	"github.com/jotgate/jotgate/internal/session"
)

// ownID returns the storage name of the caller's token; zero if it has none,
// as a batch token's.
func ownID(pass gate.Pass) session.ID {
	id, _ := session.ParseID(pass.Principal().Attrs().TokenID)
	return id
}

// hasSudo reports whether the caller's policies grant sudo on the path of the
// request, beyond what the request itself needed.
func hasSudo(ctx context.Context, c *Call, pass gate.Pass) (bool, error) {
	rules, err := c.Runtime.Policies.For(ctx, pass.Principal(), c.Path)
	if err != nil {
		return false, err
	}
	q := acl.Question{Operation: acl.Operation(c.Op), Path: c.Path, Data: c.Request.Data, WrapTTL: c.WrapTTL, Sudo: true}
	return rules.Decide(q).Allowed, nil
}

// mountLimits are what the mount of the request says about lives.
func mountLimits(c *Call) session.Limits {
	return session.Limits{MountDefault: c.Mount.DefaultTTL(), MountMax: c.Mount.MaxTTL()}
}

// errRoleInBody refuses a role that is named beside the path: policies speak of
// auth/token/create/<role_name>, and a role may give what its caller has not.
var errRoleInBody = fault.New(fault.Invalid, "a token role is named by the path: create the token at auth/token/create/<role_name>")

func tokenCreate(orphan bool) Handler {
	return func(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
		sudo, err := hasSudo(ctx, c, pass)
		if err != nil {
			return nil, err
		}
		if err := c.withinLeases(ctx); err != nil {
			return nil, err
		}
		if c.Param("role_name") == "" && c.String("role_name") != "" {
			return nil, errRoleInBody
		}
		if c.Duration("lease") < 0 {
			return nil, fault.New(fault.Invalid, "lease must be positive")
		}
		o := createOptions(c, pass)
		o.Sudo, o.OrphanPath = sudo, orphan
		is, err := c.Runtime.Sessions.Create(ctx, o)
		if err != nil {
			return nil, err
		}
		identity, err := c.Runtime.Sessions.IdentityPolicies(ctx, is.Token)
		if err != nil {
			return nil, err
		}
		c.leaseMade()
		return &Reply{Auth: authOf(is, identity), Warnings: is.Warnings}, nil
	}
}

func createOptions(c *Call, pass gate.Pass) session.CreateOptions {
	o := session.CreateOptions{
		Parent: ownID(pass), RoleName: c.Param("role_name"), ID: c.String("id"), Policies: c.List("policies"), Meta: c.KV("meta"),
		NoParent: c.Bool("no_parent"), NoDefaultPolicy: c.Bool("no_default_policy"),
		TTL: c.Duration("ttl"), ExplicitMaxTTL: c.Duration("explicit_max_ttl"), Period: c.Duration("period"),
		DisplayName: c.String("display_name"), NumUses: int(c.Int("num_uses")), Type: c.String("type"),
		EntityAlias: c.String("entity_alias"), Remote: c.Request.Remote.Addr().Unmap(),
		Limits: mountLimits(c), AliasMount: c.Mount.Accessor, AliasEntity: c.Runtime.Identity.EnsureAlias,
		PolicyExists: c.Runtime.Policies.Has,
	}
	if o.TTL == 0 {
		o.TTL = c.Duration("lease")
	}
	if c.Has("renewable") {
		r := c.Bool("renewable")
		o.Renewable = &r
	}
	return o
}

// stamp is an instant as answers show it; null for none.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}

package vaultapi

import (
	"context"
	"net/http"

	"github.com/jotgate/jotgate/internal/authjwt"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/mount"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/storage"
)

func tokenLookup(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	text := c.String("token")
	if text == "" || text == c.Token {
		return tokenLookupSelf(ctx, c, pass)
	}
	t, err := c.Runtime.Sessions.Lookup(ctx, text)
	if err != nil {
		return nil, err
	}
	return otherToken(ctx, c, &t, text)
}

// tokenLookupSelf tells of the token that the gate has just looked at.
func tokenLookupSelf(_ context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return tokenReply(c, &c.own, c.Token, pass.Principal().Attrs().IdentityPolicies), nil
}

func tokenLookupAccessor(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	t, err := c.Runtime.Sessions.LookupAccessor(ctx, c.String("accessor"))
	if err != nil {
		return nil, err
	}
	return otherToken(ctx, c, &t, "")
}

// otherToken is what a lookup tells of a token that need not be the caller's.
// That its entity is disabled says nothing about the caller.
func otherToken(ctx context.Context, c *Call, t *session.Token, id string) (*Reply, error) {
	identity, err := c.Runtime.Sessions.IdentityPolicies(ctx, *t)
	if err != nil && !fault.Is(err, fault.Denied) {
		return nil, err
	}
	return tokenReply(c, t, id, identity), nil
}

// tokenReply is what a lookup tells of a token. id is its text, or "".
func tokenReply(c *Call, t *session.Token, id string, identity []string) *Reply {
	d := map[string]any{
		"id": id, "accessor": t.Accessor, "policies": t.Policies, "path": t.Path, "meta": t.Meta,
		"display_name": t.DisplayName, "num_uses": t.NumUses, "orphan": t.Orphan,
		"creation_time": t.Created.Unix(), "creation_ttl": Secs(t.CreationTTL), "expire_time": stamp(t.Expires),
		"ttl": Secs(t.TTL(c.Runtime.now())), "explicit_max_ttl": Secs(t.ExplicitMaxTTL),
		"entity_id": t.EntityID, "type": t.Type.String(),
	}
	if !t.Expires.IsZero() {
		d["renewable"], d["issue_time"] = t.Renewable, stamp(t.Created)
	}
	if !t.LastRenewal.IsZero() {
		d["last_renewal"], d["last_renewal_time"] = stamp(t.LastRenewal), t.LastRenewal.Unix()
	}
	if t.Role != "" && t.Mount == "auth/token/" {
		d["role"] = t.Role
	}
	if t.Period > 0 {
		d["period"] = Secs(t.Period)
	}
	if len(t.BoundCIDRs) > 0 {
		d["bound_cidrs"] = t.BoundCIDRs
	}
	if extra := without(identity, t.Policies); len(extra) > 0 {
		d["identity_policies"] = extra
	}
	return &Reply{Data: d}
}

// lifeOf tells what role and mount say now about a token's life.
func lifeOf(c *Call) session.LimitsOf {
	return func(tx storage.ReadTx, t session.Token) (session.Limits, error) {
		table := c.Runtime.Mounts.Table()
		if t.MountAccessor == "" {
			l := session.Limits{}
			if e, ok := table.Get("auth/token/"); ok {
				l = session.Limits{MountDefault: e.DefaultTTL(), MountMax: e.MaxTTL()}
			}
			return c.Runtime.Sessions.TokenLimits(l)(tx, t)
		}
		e, ok := table.ByAccessor(t.MountAccessor)
		if !ok || (e.Type != mount.TypeJWT && e.Type != mount.TypeOIDC) {
			return session.Limits{}, fault.New(fault.Invalid, "lease is not renewable")
		}
		l, err := c.Runtime.JWT.Limits(tx, jwtMount(e), t.Role)
		if fault.Is(err, fault.Invalid) {
			return l, fault.Wrap(fault.Invalid, err, multi("failed to renew entry: "+fault.PublicText(err)))
		}
		return l, err
	}
}

// renew renews a token and answers as a login does. text is the token's text,
// or "" if the caller did not show it.
func renew(ctx context.Context, c *Call, id session.ID, text string) (*Reply, error) {
	r, err := c.Runtime.Sessions.Renew(ctx, id, c.Duration("increment"), lifeOf(c))
	return renewed(ctx, c, r, text, err)
}

// renewWithJWT is renew for the holder of a token who shows a new JWT.
func renewWithJWT(ctx context.Context, c *Call, t session.Token, text string) (*Reply, error) {
	e, ok := c.Runtime.Mounts.Table().ByAccessor(t.MountAccessor)
	switch {
	case t.Type == session.Batch:
		return nil, fault.New(fault.Invalid, "batch tokens cannot be renewed")
	case !ok || (e.Type != mount.TypeJWT && e.Type != mount.TypeOIDC):
		return nil, fault.New(fault.Invalid, "the token was not issued for a JWT: renew it without 'jwt'")
	}
	r, err := c.Runtime.JWT.Renew(ctx, authjwt.Renewal{
		Mount: jwtMount(e), Token: t, JWT: c.String("jwt"), Increment: c.Duration("increment"),
		Remote: c.Request.Remote.Addr().Unmap(), ID: c.Request.ID,
	})
	reply, err := renewed(ctx, c, r.Renewed, text, err)
	if err != nil {
		return nil, seen(err, r.Seen)
	}
	reply.login = loginOf(r.Seen)
	return reply, nil
}

// renewed is the answer to a renewal that ended with err.
func renewed(ctx context.Context, c *Call, r session.Renewed, text string, err error) (*Reply, error) {
	if err != nil {
		return nil, err
	}
	identity, err := c.Runtime.Sessions.IdentityPolicies(ctx, r.Token)
	if err != nil {
		return nil, err
	}
	auth := authOf(session.Issued{ClientToken: text, Token: r.Token}, identity)
	auth.TTL = r.TTL
	return &Reply{Auth: auth, Warnings: r.Warnings}, nil
}

func tokenRenew(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	text := c.String("token")
	if text == c.Token {
		return tokenRenewSelf(ctx, c, pass)
	}
	t, err := c.Runtime.Sessions.Lookup(ctx, text)
	if fault.Is(err, fault.Denied) {
		return nil, fault.Wrap(fault.Invalid, err, "token not found")
	}
	if err != nil {
		return nil, err
	}
	if c.String("jwt") != "" {
		return renewWithJWT(ctx, c, t, text)
	}
	return renew(ctx, c, t.ID, text)
}

func tokenRenewSelf(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	if c.String("jwt") == "" {
		return renew(ctx, c, ownID(pass), c.Token)
	}
	return renewWithJWT(ctx, c, c.own, c.Token)
}

func tokenRenewAccessor(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	t, err := c.Runtime.Sessions.LookupAccessor(ctx, c.String("accessor"))
	if err != nil {
		return nil, err
	}
	return renew(ctx, c, t.ID, "")
}

func tokenRevoke(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Sessions.Revoke(ctx, c.String("token"))
}

func tokenRevokeSelf(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Sessions.RevokeID(ctx, ownID(pass))
}

func tokenRevokeAccessor(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	found, err := c.Runtime.Sessions.RevokeAccessor(ctx, c.String("accessor"))
	if err != nil || found {
		return nil, err
	}
	return &Reply{Warnings: []string{"No token found with this accessor"}}, nil
}

func tokenRevokeOrphan(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Sessions.RevokeOrphan(ctx, c.String("token"))
}

// maxListed bounds lists that grow with the number of users.
const maxListed = 100_000

func cutWarning(n int) []string {
	if n < maxListed {
		return nil
	}
	return []string{"the list is cut after 100000 entries"}
}

func tokenAccessors(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	var keys []string
	err := c.Runtime.Sessions.Accessors(ctx, func(a string) bool {
		keys = append(keys, a)
		return len(keys) < maxListed
	})
	reply, err := listed(keys, err)
	if err == nil {
		reply.Warnings = cutWarning(len(keys))
	}
	return reply, err
}

func tokenTidy(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	log := c.Door.log
	started := c.Runtime.Sessions.TidyLater(func(done session.Tidied, err error) {
		log.Info("token tidy is over", "tokens", done.Tokens, "ghosts", done.Ghosts, "error", err)
	})
	text := "Tidy operation successfully started. Any information from the operation will be printed to the server logs."
	if !started {
		text = "Tidy operation already in progress."
	}
	return &Reply{Status: http.StatusAccepted, Warnings: []string{text}}, nil
}

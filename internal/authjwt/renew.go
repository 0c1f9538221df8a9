package authjwt

import (
	"context"
	"net/netip"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/identity"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/storage"
)

// Renewal is one renewal of a client token with a new JWT.
type Renewal struct {
	Mount     Mount
	Token     session.Token // the one to renew; its text was shown by the caller
	JWT       string
	Increment time.Duration
	Remote    netip.Addr
	ID        string // of the request, for the operator's log
}

// Renewed is a renewal that worked.
type Renewed struct {
	session.Renewed
	// Seen is what the audit log shows of the JWT, as in Result.
	Seen *Seen
}

// errOtherUser refuses a JWT that is genuine and admitted, but somebody else's.
var errOtherUser = fault.New(fault.Invalid, "the JWT names another user than the token that it is to renew").WithReason("other_user")

// Renew gives a client token of this method a new life, after the role has
// judged a new JWT as at a login: signature, every check of the role, networks.
// The JWT must lead to the alias, the entity and the subject that the token was
// issued to.
//
// A token that ends with its JWT may then live as long as the new one carries,
// within the bounds of role and mount. It keeps those of its policies that the
// new JWT gives as well, and gains none; metadata and group memberships of the
// alias become those of the new JWT, as at each login.
//
// Refusals are Invalid with the texts of a login, or "past the max TTL, cannot
// renew"; a caller from a wrong address, or whose entity is disabled, is
// Denied.
func (m *Method) Renew(ctx context.Context, rq Renewal) (Renewed, error) {
	c, err := m.compiled(ctx, rq.Mount.UUID)
	switch {
	case err != nil:
		return Renewed{}, err
	case c == nil:
		return Renewed{}, invalid("could not load configuration")
	}
	defer c.source.release()
	login := Request{Mount: rq.Mount, Role: rq.Token.Role, JWT: rq.JWT, Remote: rq.Remote, ID: rq.ID}
	r, grant, checks, err := m.named(ctx, c, &login)
	if err == nil && !sameUser(rq, grant) {
		err = refuse(errOtherUser, append(checks, otherUser("subject")))
	}
	if err != nil {
		m.explain("renewal refused", login, err)
		return Renewed{Seen: r.seeRefused(rq.JWT, err)}, err
	}
	renewed, err := m.sessions.RenewProven(ctx, rq.Token.ID, rq.Increment, func(tx storage.Tx, t session.Token) (session.Proof, error) {
		who, err := m.ids.Resolve(tx, identity.Login{
			MountAccessor: rq.Mount.Accessor, AliasName: grant.User, Metadata: r.aliasMetadata(grant), Groups: grant.Groups,
		})
		if err != nil {
			return session.Proof{}, err
		}
		if !who.Is(t.EntityID) { // also where the alias has just been made: nothing of it stays
			return session.Proof{}, refuse(errOtherUser, append(checks, otherUser("entity")))
		}
		return r.proof(rq.Mount, t, grant), nil
	})
	if err != nil {
		m.explain("renewal refused", login, err)
	}
	return Renewed{renewed, grant.seen}, err
}

// sameUser reports whether the JWT speaks for whom the token was issued to. The
// entity is compared later, in the transaction.
func sameUser(rq Renewal, g admitted) bool {
	return g.Subject == rq.Token.Subject && session.DisplayName(rq.Token.Mount, g.User) == rq.Token.DisplayName
}

func otherUser(what string) policy.Check {
	return policy.Check{Name: "same_user", Reason: errOtherUser.Reason(), Note: "the " + what + " is not the token's"}
}

// proof is what an admitted JWT does for the token.
func (r *compiledRole) proof(mt Mount, t session.Token, g admitted) session.Proof {
	p := session.Proof{Limits: r.limits(mt), Proven: true, Policies: session.SanitizePolicies(g.policies, !r.NoDefaultPolicy)}
	if r.TTLFromExp || !t.NotAfter.IsZero() {
		p.NotAfter = g.Expires
	}
	return p
}

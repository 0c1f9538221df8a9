package gate

import (
	"errors"
	"time"
)

// Outcome tells how one request ended, and nothing of what was in it.
type Outcome struct {
	Door      string
	Operation Operation // "" when the request was not understood
	// Issuer is who vouched, or should have, for the caller: an auth mount's
	// path at its login, an identity provider's name on the pvault door, or ""
	// where none was found. Only configured names stand here.
	Issuer  string
	Failure error // nil for success
	Took    time.Duration
}

// FromIssuer is implemented by refusals that know which identity provider's
// rules refused.
type FromIssuer interface {
	error
	Issuer() string
}

// Observe has fn called with the outcome of each request, after its audit
// entry. fn must be quick and must not block. Call it before the first Do.
func (g *Gate) Observe(fn func(Outcome)) { g.observe = fn }

func (g *Gate) observed(v *visit, failure error) {
	o := Outcome{Door: v.req.Door, Operation: v.req.Operation, Failure: failure, Took: g.now().Sub(v.start)}
	var from FromIssuer
	switch {
	case v.req.Mount.Type == "jwt" || v.req.Mount.Type == "oidc":
		o.Issuer = v.req.Mount.Path
	case failure != nil && errors.As(failure, &from):
		o.Issuer = from.Issuer()
	case v.who != nil && v.req.Door != "vault":
		o.Issuer = v.who.Attrs().Issuer
	}
	g.observe(o)
}

package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/principal"
)

// open records the request before the act.
func (g *Gate) open(ctx context.Context, v *visit) error {
	v.repeat = repeats.Get().(*audit.Repeat)
	e := g.entry(v, audit.Request)
	v.recorded = true
	return g.record(ctx, e)
}

// close records the answer, and the request too if it never came to the act.
func (g *Gate) close(ctx context.Context, v *visit, failure error) error {
	// A caller that hangs up must still leave its line in the log.
	ctx = context.WithoutCancel(ctx)
	e := g.answer(v, failure)
	e.Resp = v.result
	if e.Resp == nil || failure != nil {
		e.Resp = &audit.ResponsePart{}
	}
	if failure != nil && v.req.Status != nil {
		e.Resp.Status = v.req.Status(failure)
	}
	var login Attempted
	if failure != nil && errors.As(failure, &login) {
		e.Resp.Login = login.Login()
	}
	e.Req.Objects, e.Req.Properties = v.objects, v.properties
	if v.recorded {
		defer v.repeatNoMore()
	}
	if v.recorded || v.req.Recording == RecordOnce {
		return g.record(ctx, e)
	}
	request := *e
	request.Time, request.Type, request.Resp = v.start, audit.Request, nil
	if v.acted { // what came of the act is the answer's
		request.Error, request.Diagnosis, request.Checks = "", "", v.decision.Checks
	}
	return g.recorded(g.rec.RecordPair(ctx, &request, e))
}

// repeats are kept for the next requests.
var repeats = sync.Pool{New: func() any { return new(audit.Repeat) }}

func (v *visit) repeatNoMore() {
	v.repeat.Reset()
	repeats.Put(v.repeat)
	v.repeat = nil
}

// answer is the entry of what came of the request, without what it shows.
func (g *Gate) answer(v *visit, failure error) *audit.Entry {
	e := g.entry(v, audit.Response)
	if failure == nil {
		return e
	}
	e.Error = failure.Error()
	e.Diagnosis = v.req.ID
	var c Checked
	if errors.As(failure, &c) {
		e.Checks = c.Checks()
	}
	return e
}

func (g *Gate) record(ctx context.Context, e *audit.Entry) error {
	return g.recorded(g.rec.Record(ctx, e))
}

// recorded words the failure of every device.
func (g *Gate) recorded(err error) error {
	if err != nil {
		return fault.Wrap(fault.Internal, fmt.Errorf("%w: %w", ErrAudit, err), "")
	}
	return nil
}

func (g *Gate) entry(v *visit, t audit.Type) *audit.Entry {
	r := v.req
	e := &audit.Entry{
		Time: g.now(), Type: t, Door: r.Door,
		Auth: authPart(v.who),
		Req: audit.RequestPart{
			ID: r.ID, Operation: string(r.Operation), Path: r.Path, Method: r.Method,
			MountPoint: r.Mount.Path, MountType: r.Mount.Type, MountAccessor: r.Mount.Accessor,
			WrapTTL: r.WrapTTL, Data: r.Data, ClearKeys: r.ClearKeys, Headers: r.Headers, HashHeaders: r.HashHeaders,
			Reason: r.Reason, Collection: r.Collection,
		},
		Checks: v.decision.Checks,
		Repeat: v.repeat,
	}
	if r.Remote.IsValid() {
		e.Req.RemoteAddr, e.Req.RemotePort = r.Remote.Addr().Unmap().String(), int(r.Remote.Port())
	}
	e.Auth.ClientToken = r.Credential
	e.Auth.Allowed = v.decision.Allowed
	e.Auth.Rule, e.Auth.Granting = v.decision.Rule, v.decision.Granting
	return e
}

func authPart(p *principal.Principal) audit.Auth {
	a := p.Attrs()
	return audit.Auth{
		Kind: p.Kind().String(), Accessor: audit.Secret(a.Accessor), DisplayName: a.Name,
		Issuer: a.Issuer, Subject: a.Subject, Role: a.Role, Delegate: a.Delegate, DelegateIssuer: a.DelegateIssuer,
		Policies: p.Policies(), TokenPolicies: a.TokenPolicies, IdentityPolicies: a.IdentityPolicies,
		Metadata: a.Metadata, EntityID: a.EntityID, TokenType: p.Kind().String(),
		RemainingUses: a.NumUses, TokenTTL: a.TTL, TokenIssueTime: a.IssuedAt,
	}
}

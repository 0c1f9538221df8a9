package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/mount"
	"github.com/jotgate/jotgate/internal/policy/acl"
)

// sysInternalRows are what user interfaces and the CLI ask before they act,
// and the seal, which passes the gate like everything that changes something.
var sysInternalRows = []Row{
	{Verbs: []string{Read}, Pattern: "internal/ui/mounts", Auth: route.Public, Action: "internal-ui-list-enabled-visible-mounts", Help: "List the mounts that the caller may know of.",
		Handler: Action{Do: visibleMounts}},
	{Verbs: []string{Read}, Pattern: "internal/ui/mounts/{path...}", Auth: route.Public, Action: "internal-ui-read-mount-information", Help: "Read which mount serves a path.",
		Handler: Action{Do: mountOfPath}},
	{Verbs: []string{Update}, Pattern: "seal", Auth: route.Authenticated, Sudo: true, Action: "seal", Body: SmallBody, Help: "Seal this node.",
		Handler: Action{Do: sealNow}},
	{Verbs: []string{Update}, Pattern: "step-down", Auth: route.Authenticated, Sudo: true, Action: "step-down", Body: SmallBody, Help: "Does nothing: every node is active.",
		Handler: Action{Do: func(context.Context, *Call, gate.Pass) (*Reply, error) { return nil, nil }}},
}

// callerRules returns the rules of the token that came along with a request
// to a public endpoint. No token: nil, nil.
func (c *Call) callerRules(ctx context.Context) (*acl.ACL, error) {
	if c.Token == "" {
		return nil, nil
	}
	c.Request.Credential = audit.Secret(c.Token)
	p, err := c.Runtime.Sessions.Authenticate(ctx, c.Token, c.Request.Remote.Addr().Unmap())
	if err != nil {
		return nil, err
	}
	return c.Runtime.Policies.For(ctx, p, "")
}

// visibleMounts lists mounts that say so to everybody, and those that the
// caller's token can touch. A token that is not good counts as none.
func visibleMounts(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	rules, err := c.callerRules(ctx)
	if err != nil && !fault.Is(err, fault.Denied) {
		return nil, err
	}
	visible := func(list []*mount.Entry) map[string]any {
		out := map[string]any{}
		for _, e := range list {
			if e.Config.ListingVisibility == mount.ListingUnauth || rules != nil && rules.AnyUnder(e.Logical()) {
				out[e.Path] = shortView(e, rules != nil)
			}
		}
		return out
	}
	t := c.Runtime.Mounts.Table()
	return &Reply{Data: map[string]any{"auth": visible(t.Auth()), "secret": visible(t.Secrets())}}, nil
}

// shortView is a mount as somebody who may only know of it sees it; with a
// token the whole of it.
func shortView(e *mount.Entry, whole bool) map[string]any {
	if whole {
		return mountView(e)
	}
	return map[string]any{"type": e.Type, "description": e.Description, "options": e.Options}
}

// mountOfPath tells which mount serves a path, to callers that can do anything
// below that mount. The answer for a path without a mount is the same as for
// one without rights.
func mountOfPath(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	rules, err := c.callerRules(ctx)
	if err != nil {
		return nil, err
	}
	if rules == nil {
		return nil, errDenied
	}
	path := c.Param("path")
	e, _, ok := c.Runtime.Mounts.Table().Route(path)
	if !ok {
		e, _, ok = c.Runtime.Mounts.Table().Route(mount.AuthPrefix + path)
	}
	if !ok || !rules.AnyUnder(e.Logical()) {
		return nil, fault.Newf(fault.Denied, "preflight capability check returned 403, please ensure client's policies grant access to path %q", clip(path+"/"))
	}
	v := mountView(e)
	v["path"] = e.Path
	return &Reply{Data: v}, nil
}

func sealNow(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	s, err := c.Door.seal()
	if err != nil {
		return nil, err
	}
	return nil, s.Seal(ctx)
}

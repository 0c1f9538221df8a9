package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/session"
)

const maxCapabilityPaths = 1024

var pathsFields = []Field{
	{Name: "paths", Type: CommaList, Help: "Paths to ask about."},
	{Name: "path", Type: CommaList, Deprecated: true, Help: "Use paths."},
}

// sysCapabilityRows tell what a token may do.
var sysCapabilityRows = []Row{
	{Verbs: []string{Update}, Pattern: "capabilities", Auth: route.Authenticated, Action: "query-token-capabilities", Body: SmallBody, Help: "Tell what a token may do with paths.",
		Handler: Action{Do: capabilities, Fields: append([]Field{tokenField}, pathsFields...)}},
	{Verbs: []string{Update}, Pattern: "capabilities-self", Auth: route.Authenticated, Action: "query-token-self-capabilities", Body: SmallBody, Help: "Tell what the caller may do with paths.",
		Handler: Action{Do: capabilitiesSelf, Fields: append([]Field{tokenField}, pathsFields...)}},
	{Verbs: []string{Update}, Pattern: "capabilities-accessor", Auth: route.Authenticated, Action: "query-token-accessor-capabilities", Body: SmallBody, Help: "Tell what a token may do with paths, by its accessor.",
		Handler: Action{Do: capabilitiesAccessor, Fields: append([]Field{accessorField}, pathsFields...)}},
	{Verbs: []string{Read}, Pattern: "internal/ui/resultant-acl", Auth: route.Authenticated, Action: "internal-ui-read-resultant-acl", Help: "Read the caller's merged rules.",
		Handler: Action{Do: resultantACL}},
}

func capabilitiesSelf(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return capabilitiesOf(ctx, c, pass.Principal())
}

func capabilities(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	text := c.String("token")
	if text == "" {
		return nil, fault.New(fault.Invalid, "missing token")
	}
	t, err := c.Runtime.Sessions.Lookup(ctx, text)
	if fault.Is(err, fault.Denied) {
		return nil, fault.Wrap(fault.Invalid, err, "invalid token")
	}
	return capabilitiesOfToken(ctx, c, t, err)
}

func capabilitiesAccessor(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	t, err := c.Runtime.Sessions.LookupAccessor(ctx, c.String("accessor"))
	return capabilitiesOfToken(ctx, c, t, err)
}

func capabilitiesOfToken(ctx context.Context, c *Call, t session.Token, err error) (*Reply, error) {
	if err != nil {
		return nil, err
	}
	p, err := c.Runtime.Sessions.Principal(ctx, t)
	if fault.Is(err, fault.Denied) {
		p, err = principal.New(principal.Attrs{}), nil // a disabled entity may do nothing
	}
	if err != nil {
		return nil, err
	}
	return capabilitiesOf(ctx, c, p)
}

func capabilitiesOf(ctx context.Context, c *Call, p *principal.Principal) (*Reply, error) {
	paths := c.List("paths")
	if len(paths) == 0 {
		paths = c.List("path")
	}
	switch {
	case len(paths) == 0:
		return nil, fault.New(fault.Invalid, "paths must be supplied")
	case len(paths) > maxCapabilityPaths:
		return nil, fault.Newf(fault.Invalid, "more than %d paths", maxCapabilityPaths)
	}
	d := make(map[string]any, len(paths)+1)
	for _, path := range paths {
		rules, err := c.Runtime.Policies.For(ctx, p, path)
		if err != nil {
			return nil, err
		}
		caps := rules.Capabilities(path)
		d[path] = caps
		if len(paths) == 1 {
			d["capabilities"] = caps
		}
	}
	return &Reply{Data: d, Doubled: true}, nil
}

func resultantACL(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	rules, err := c.Runtime.Policies.For(ctx, pass.Principal(), "")
	if err != nil {
		return nil, err
	}
	r := rules.Resultant()
	d := map[string]any{"root": r.Root}
	if !r.Root {
		d["exact_paths"], d["glob_paths"] = r.ExactPaths, r.GlobPaths
	}
	return &Reply{Data: d}, nil
}

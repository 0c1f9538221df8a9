package vaultapi

import (
	"context"
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policystore"
)

var policyFields = []Field{
	{Name: "name", Help: "Name of the policy; stored in lower case."},
	{Name: "policy", Help: "Rules in HCL or JSON, plain or in base64."},
	{Name: "rules", Deprecated: true, Help: "Use policy."},
	{Name: "cas", Type: Int, Help: "Version that this text replaces; -1: there must be none yet."},
	{Name: "cas_required", Type: Bool, Help: "Whether later writes must set cas."},
	{Name: "allow_slashes_in_identity_templates", Type: Bool, Help: "Let values of templates hold \"/\"."},
	{Name: "allow_wildcards_in_identity_templates", Type: Bool, Help: "Refused when true: no value may widen a path."},
	{Name: "expiration", Help: "Refused: policies do not end by themselves."},
	{Name: "ttl", Help: "Refused: policies do not end by themselves."},
}

// sysPolicyRows are the endpoints about policies, in their two generations.
var sysPolicyRows = []Row{
	{Verbs: []string{List, Read}, Pattern: "policies/acl", Auth: route.Authenticated, Action: "policies-list-acl-policies", Help: "List the policies.",
		Handler: Action{Do: listPolicies}},
	{Verbs: []string{Read}, Pattern: "policies/acl/{name...}", Auth: route.Authenticated, Action: "policies-read-acl-policy", Help: "Read a policy.",
		Handler: Action{Do: readPolicy("policy")}},
	{Verbs: []string{Update}, Pattern: "policies/acl/{name...}", Auth: route.Authenticated, Action: "policies-write-acl-policy", Body: 1 << 20, Help: "Write a policy.",
		Handler: Action{Do: writePolicy, Fields: policyFields}},
	{Verbs: []string{Delete}, Pattern: "policies/acl/{name...}", Auth: route.Authenticated, Action: "policies-delete-acl-policy", Help: "Delete a policy.",
		Handler: Action{Do: deletePolicy}},
	{Verbs: []string{List, Read}, Pattern: "policy", Auth: route.Authenticated, Action: "policies-list", Help: "List the policies, as old clients do.",
		Handler: Action{Do: listOldPolicies}},
	{Verbs: []string{Read}, Pattern: "policy/{name...}", Auth: route.Authenticated, Action: "policies-read", Help: "Read a policy, as old clients do.",
		Handler: Action{Do: readPolicy("rules")}},
	{Verbs: []string{Update}, Pattern: "policy/{name...}", Auth: route.Authenticated, Action: "policies-write", Body: 1 << 20, Help: "Write a policy, as old clients do.",
		Handler: Action{Do: writePolicy, Fields: policyFields}},
	{Verbs: []string{Delete}, Pattern: "policy/{name...}", Auth: route.Authenticated, Action: "policies-delete", Help: "Delete a policy, as old clients do.",
		Handler: Action{Do: deletePolicy}},
}

func listPolicies(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	names := c.Runtime.Policies.List()
	return &Reply{Data: map[string]any{"keys": names}}, nil
}

func listOldPolicies(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	names := c.Runtime.Policies.List()
	return &Reply{Data: map[string]any{"keys": names, "policies": names}, Doubled: true}, nil
}

// readPolicy reads a policy whose text stands under key.
func readPolicy(key string) Handler {
	return func(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
		p, ok := c.Runtime.Policies.Get(c.Param("name"))
		if !ok {
			return nil, errNotFound
		}
		if key == "rules" {
			return &Reply{Data: map[string]any{"name": p.Name, "rules": p.Text}, Doubled: true}, nil
		}
		d := map[string]any{"name": p.Name, "policy": p.Text}
		if p.Version > 0 {
			d["version"], d["cas_required"] = p.Version, p.CASRequired
			d["allow_slashes_in_identity_templates"], d["allow_wildcards_in_identity_templates"] = p.AllowSlashes, false
			d["modified"] = p.Modified.UTC().Format(time.RFC3339Nano)
		}
		return &Reply{Data: d}, nil
	}
}

func writePolicy(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	text := c.String("policy")
	if text == "" {
		text = c.String("rules")
	}
	if text == "" {
		return nil, fault.New(fault.Invalid, "'policy' parameter not supplied or empty")
	}
	if b, err := base64.StdEncoding.DecodeString(text); err == nil && utf8.Valid(b) {
		text = string(b)
	}
	w := policystore.Write{Text: text, AllowSlashes: c.Bool("allow_slashes_in_identity_templates")}
	switch {
	case c.Bool("allow_wildcards_in_identity_templates"):
		return nil, fault.New(fault.Invalid, "'allow_wildcards_in_identity_templates' is not offered: whoever names a user or a claim would widen the path; "+
			"'allow_slashes_in_identity_templates' is")
	case c.Has("expiration") && c.Has("ttl"):
		return nil, fault.New(fault.Invalid, "cannot supply both 'expiration' and 'ttl' for policies")
	case c.Has("expiration") || c.Has("ttl"):
		// To leave it out silently would keep rights alive that were meant to end.
		return nil, fault.New(fault.Invalid, "policies do not end by themselves: leave out 'expiration' and 'ttl'")
	case c.Has("cas"):
		v := int(c.Int("cas"))
		w.Replaces = &v
	}
	if c.Has("cas_required") {
		v := c.Bool("cas_required")
		w.CASRequired = &v
	}
	name := c.Param("name")
	kept, err := c.Runtime.Policies.Write(ctx, name, w)
	if err != nil {
		return nil, err
	}
	if kept != name {
		return &Reply{Warnings: []string{"policy name was converted to " + strings.ToLower(name)}}, nil
	}
	return nil, nil
}

func deletePolicy(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Policies.Delete(ctx, c.Param("name"))
}

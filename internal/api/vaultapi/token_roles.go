package vaultapi

import (
	"context"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/session"
)

func tokenListRoles(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return listed(c.Runtime.Sessions.Roles(ctx))
}

func tokenReadRole(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	r, err := c.Runtime.Sessions.Role(ctx, c.Param("role_name"))
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, errNotFound
	}
	return &Reply{Data: roleView(r)}, nil
}

// list is a list as answers show it: never null.
func list(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

func roleView(r *session.Role) map[string]any {
	old := func(legacy bool, d time.Duration) int64 {
		if legacy {
			return Secs(d)
		}
		return 0
	}
	d := map[string]any{
		"name": r.Name, "orphan": r.Orphan, "renewable": r.Renewable, "path_suffix": r.PathSuffix, "token_type": r.Type,
		"allowed_policies": list(r.AllowedPolicies), "disallowed_policies": list(r.DisallowedPolicies),
		"allowed_policies_glob": list(r.AllowedPoliciesGlob), "disallowed_policies_glob": list(r.DisallowedPoliciesGlob),
		"allowed_entity_aliases": list(r.AllowedEntityAliases), "token_no_default_policy": r.NoDefaultPolicy,
		"token_explicit_max_ttl": Secs(r.ExplicitMaxTTL), "explicit_max_ttl": old(r.LegacyExplicitMaxTTL, r.ExplicitMaxTTL),
		"token_period": Secs(r.Period), "period": old(r.LegacyPeriod, r.Period),
	}
	if len(r.BoundCIDRs) > 0 {
		d["token_bound_cidrs"] = r.BoundCIDRs
		if r.LegacyBoundCIDRs {
			d["bound_cidrs"] = r.BoundCIDRs
		}
	}
	if r.NumUses > 0 {
		d["token_num_uses"] = r.NumUses
	}
	if r.StrictlyBindIP {
		d["token_strictly_bind_ip"] = true
	}
	return d
}

func tokenRoleExists(ctx context.Context, c *Call) (bool, error) {
	r, err := c.Runtime.Sessions.Role(ctx, c.Param("role_name"))
	return r != nil, err
}

func tokenWriteRole(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	var warnings []string
	err := c.Runtime.Sessions.UpdateRole(ctx, c.Param("role_name"), func(r *session.Role) (err error) {
		warnings, err = changeRole(c, r)
		return err
	})
	return written(warnings, err)
}

// changeRole takes over the parameters that the caller gave.
func changeRole(c *Call, r *session.Role) (warnings []string, err error) {
	setList := func(name string, to *[]string) {
		if c.Has(name) {
			*to = c.List(name)
		}
	}
	setBool := func(name string, to *bool) {
		if c.Has(name) {
			*to = c.Bool(name)
		}
	}
	setList("allowed_policies", &r.AllowedPolicies)
	setList("disallowed_policies", &r.DisallowedPolicies)
	setList("allowed_policies_glob", &r.AllowedPoliciesGlob)
	setList("disallowed_policies_glob", &r.DisallowedPoliciesGlob)
	setBool("orphan", &r.Orphan)
	setBool("renewable", &r.Renewable)
	setBool("token_no_default_policy", &r.NoDefaultPolicy)
	setBool("token_strictly_bind_ip", &r.StrictlyBindIP)
	if c.Has("path_suffix") {
		r.PathSuffix = c.String("path_suffix")
	}
	if c.Has("token_type") {
		r.Type = c.String("token_type")
	}
	if c.Has("token_num_uses") {
		r.NumUses = int(c.Int("token_num_uses"))
	}
	if c.Has("allowed_entity_aliases") {
		r.AllowedEntityAliases = nil
		for _, a := range c.List("allowed_entity_aliases") {
			r.AllowedEntityAliases = append(r.AllowedEntityAliases, strings.ToLower(a))
		}
	}
	return changeRoleTwins(c, r)
}

// changeRoleTwins takes over the parameters that have an old name as well.
func changeRoleTwins(c *Call, r *session.Role) (warnings []string, err error) {
	pick := func(name string, legacy *bool) (from string, ok bool) {
		now := "token_" + name
		switch {
		case c.Has(now) && c.Has(name):
			warnings = append(warnings, "Both '"+now+"' and deprecated '"+name+"' value supplied, ignoring the deprecated value")
			*legacy = false
			return now, true
		case c.Has(now):
			*legacy = false
			return now, true
		case c.Has(name):
			*legacy = true
			return name, true
		}
		return "", false
	}
	if from, ok := pick("period", &r.LegacyPeriod); ok {
		r.Period = c.Duration(from)
	}
	if from, ok := pick("explicit_max_ttl", &r.LegacyExplicitMaxTTL); ok {
		r.ExplicitMaxTTL = c.Duration(from)
	}
	if from, ok := pick("bound_cidrs", &r.LegacyBoundCIDRs); ok {
		r.BoundCIDRs, err = session.ParseCIDRs(c.List(from))
	}
	return warnings, err
}

func tokenDeleteRole(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Sessions.DeleteRole(ctx, c.Param("role_name"))
}

package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/quota"
)

// sysLeaseCountRows are the endpoints about how many leases may live.
var sysLeaseCountRows = []Row{
	{Verbs: []string{List}, Pattern: "quotas/lease-count", Auth: route.Authenticated, Action: "lease-count-quotas-list", Help: "List the rules about leases.",
		Handler: Action{Do: listLeaseCounts}},
	{Verbs: []string{Read}, Pattern: "quotas/lease-count/{name}", Auth: route.Authenticated, Action: "lease-count-quotas-read", Help: "Read a rule about leases.",
		Handler: Action{Do: readLeaseCount}},
	{Verbs: []string{Update}, Pattern: "quotas/lease-count/{name}", Auth: route.Authenticated, Action: "lease-count-quotas-write", Body: SmallBody, Help: "Write a rule about leases.",
		Handler: Action{Do: writeLeaseCount, Fields: []Field{
			{Name: "name", Help: "Name of the rule."},
			{Name: "type", Help: "Must be \"lease-count\" or empty."},
			{Name: "path", Help: "Where it holds: empty for everywhere, a mount or a path."},
			{Name: "max_leases", Type: Int, Help: "How many leases may live below the path."},
			inheritableField,
			{Name: "role", Help: "Must be empty."},
		}}},
	{Verbs: []string{Delete}, Pattern: "quotas/lease-count/{name}", Auth: route.Authenticated, Action: "lease-count-quotas-delete", Help: "Delete a rule about leases.",
		Handler: Action{Do: deleteLeaseCount}},
}

func listLeaseCounts(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	q, err := c.quotas()
	if err != nil {
		return nil, err
	}
	return listed(q.Leases(), nil)
}

func readLeaseCount(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	q, err := c.quotas()
	if err != nil {
		return nil, err
	}
	r, ok := q.Lease(c.Param("name"))
	if !ok {
		return nil, errNotFound
	}
	n, err := c.Runtime.Sessions.CountLeases(ctx, r.Path, r.Max)
	if err != nil {
		return nil, err
	}
	return &Reply{Data: map[string]any{
		"name": r.Name, "type": "lease-count", "path": r.Path, "role": "", "max_leases": r.Max, "counter": n, "inheritable": r.Path == "",
	}}, nil
}

func writeLeaseCount(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	q, err := c.quotas()
	if err != nil {
		return nil, err
	}
	if c.String("role") != "" {
		return nil, fault.New(fault.Invalid, "quotas by role are not offered")
	}
	if t := c.String("type"); t != "" && t != "lease-count" {
		return nil, fault.New(fault.Invalid, "'type' must be \"lease-count\"")
	}
	path, err := c.quotaPath()
	if err != nil {
		return nil, err
	}
	return nil, q.PutLease(ctx, quota.LeaseRule{Name: c.Param("name"), Path: path, Max: int(c.Int("max_leases"))})
}

func deleteLeaseCount(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	q, err := c.quotas()
	if err != nil {
		return nil, err
	}
	return nil, q.DeleteLease(ctx, c.Param("name"))
}

// withinLeases reports that one more lease may be made by this request.
func (c *Call) withinLeases(ctx context.Context) error {
	q := c.Runtime.Quotas
	if q == nil {
		return nil
	}
	ok, err := q.AllowLease(ctx, c.Path, c.Runtime.Sessions.CountLeases)
	if err != nil || ok {
		return err
	}
	return fault.Newf(fault.TooMany, "request path %q: lease count quota exceeded", clip(c.Path)).WithReason("lease_count")
}

// leaseMade counts the lease that this request has made.
func (c *Call) leaseMade() {
	if c.Runtime.Quotas != nil {
		c.Runtime.Quotas.LeaseMade(c.Path)
	}
}

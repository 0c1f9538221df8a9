package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

var leaseFields = []Field{
	{Name: "lease_id", Help: "Id of the lease."},
	{Name: "increment", Type: Seconds, Default: 0, Help: "Life that is wished for, in seconds from now."},
	{Name: "sync", Type: Bool, Default: true, Help: "Accepted; leases are always revoked before the answer."},
}

// sysLeaseRows are the endpoints for leases. Every lease of this server is a
// client token's.
var sysLeaseRows = []Row{
	{Verbs: []string{Update}, Pattern: "leases/lookup", Auth: route.Authenticated, Action: "leases-read-lease", Body: SmallBody, Help: "Read a lease.",
		Handler: Action{Do: leaseLookup, Fields: leaseFields[:1]}},
	{Verbs: []string{List}, Pattern: "leases/lookup", Auth: route.Authenticated, Sudo: true, Action: "leases-list", Help: "List leases from the top.",
		Handler: Action{Do: leaseList}},
	{Verbs: []string{List}, Pattern: "leases/lookup/{prefix...}", Auth: route.Authenticated, Sudo: true, Action: "leases-look-up", Help: "List leases below a path.",
		Handler: Action{Do: leaseList}},
	{Verbs: []string{Update}, Pattern: "leases/renew", Auth: route.Authenticated, Action: "leases-renew-lease", Body: SmallBody, Help: "Renew a lease.",
		Handler: Action{Do: leaseRenew, Fields: leaseFields[:2]}},
	{Verbs: []string{Update}, Pattern: "leases/renew/{url_lease_id...}", Auth: route.Authenticated, Action: "leases-renew-lease-with-id", Body: SmallBody, Help: "Renew a lease.",
		Handler: Action{Do: leaseRenew, Fields: leaseFields[:2]}},
	{Verbs: []string{Update}, Pattern: "renew", Auth: route.Authenticated, Action: "renew-lease", Body: SmallBody, Help: "Renew a lease, as old clients do.",
		Handler: Action{Do: leaseRenew, Fields: leaseFields[:2]}},
	{Verbs: []string{Update}, Pattern: "renew/{url_lease_id...}", Auth: route.Authenticated, Action: "renew-lease-with-id", Body: SmallBody, Help: "Renew a lease, as old clients do.",
		Handler: Action{Do: leaseRenew, Fields: leaseFields[:2]}},
	{Verbs: []string{Update}, Pattern: "leases/revoke", Auth: route.Authenticated, Action: "leases-revoke-lease", Body: SmallBody, Help: "Revoke a lease.",
		Handler: Action{Do: leaseRevoke, Fields: leaseFields}},
	{Verbs: []string{Update}, Pattern: "leases/revoke/{url_lease_id...}", Auth: route.Authenticated, Action: "leases-revoke-lease-with-id", Body: SmallBody, Help: "Revoke a lease.",
		Handler: Action{Do: leaseRevoke, Fields: leaseFields}},
	{Verbs: []string{Update}, Pattern: "revoke", Auth: route.Authenticated, Action: "revoke-lease", Body: SmallBody, Help: "Revoke a lease, as old clients do.",
		Handler: Action{Do: leaseRevoke, Fields: leaseFields}},
	{Verbs: []string{Update}, Pattern: "revoke/{url_lease_id...}", Auth: route.Authenticated, Action: "revoke-lease-with-id", Body: SmallBody, Help: "Revoke a lease, as old clients do.",
		Handler: Action{Do: leaseRevoke, Fields: leaseFields}},
	{Verbs: []string{Update}, Pattern: "leases/revoke-prefix/{prefix...}", Auth: route.Authenticated, Sudo: true, Action: "leases-revoke-lease-with-prefix", Body: SmallBody, Help: "Revoke all leases below a path.",
		Handler: Action{Do: leaseRevokePrefix, Fields: leaseFields}},
	{Verbs: []string{Update}, Pattern: "revoke-prefix/{prefix...}", Auth: route.Authenticated, Sudo: true, Action: "revoke-prefix", Body: SmallBody, Help: "Revoke all leases below a path, as old clients do.",
		Handler: Action{Do: leaseRevokePrefix, Fields: leaseFields}},
	{Verbs: []string{Update}, Pattern: "leases/revoke-force/{prefix...}", Auth: route.Authenticated, Sudo: true, Action: "leases-force-revoke-lease-with-prefix", Body: SmallBody, Help: "Revoke all leases below a path, whatever fails.",
		Handler: Action{Do: leaseRevokePrefix, Fields: leaseFields}},
	{Verbs: []string{Update}, Pattern: "revoke-force/{prefix...}", Auth: route.Authenticated, Sudo: true, Action: "revoke-force", Body: SmallBody, Help: "Revoke all leases below a path, as old clients do.",
		Handler: Action{Do: leaseRevokePrefix, Fields: leaseFields}},
	{Verbs: []string{Update}, Pattern: "leases/tidy", Auth: route.Authenticated, Action: "leases-tidy", Body: SmallBody, Help: "Remove what is left of leases that are over.",
		Handler: Action{Do: tokenTidy}},
}

// leaseID returns the lease that is meant, from the path or the parameters.
func leaseID(c *Call) string {
	if id := c.Param("url_lease_id"); id != "" {
		return id
	}
	return c.String("lease_id")
}

func leaseLookup(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	l, err := c.Runtime.Sessions.Lease(ctx, leaseID(c))
	if err != nil {
		return nil, err
	}
	return &Reply{Data: map[string]any{
		"id": l.ID, "path": l.Path, "issue_time": stamp(l.Issued), "expire_time": stamp(l.Expires),
		"last_renewal": stamp(l.LastRenewal), "renewable": l.Renewable, "ttl": Secs(l.TTL),
	}}, nil
}

func leaseList(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	keys, err := c.Runtime.Sessions.Leases(ctx, c.Param("prefix"), maxListed)
	reply, err := listed(keys, err)
	if err == nil {
		reply.Warnings = cutWarning(len(keys))
	}
	return reply, err
}

func leaseRenew(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Sessions.RenewLease(ctx, leaseID(c))
}

func leaseRevoke(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Sessions.RevokeLease(ctx, leaseID(c))
}

func leaseRevokePrefix(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	prefix := c.Param("prefix")
	if prefix == "" {
		return nil, fault.New(fault.Invalid, "prefix must be specified")
	}
	return nil, c.Runtime.Sessions.RevokePrefix(ctx, prefix)
}

package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/identity"
)

// maxCounted ends a count that would otherwise read for minutes.
const maxCounted = 1_000_000

var leaseTypeFields = []Field{{Name: "type", Help: "\"irrevocable\", the only type that can be asked for."}}

// sysCounterRows are numbers and facts that user interfaces and operators ask
// for.
var sysCounterRows = []Row{
	{Verbs: []string{Read}, Pattern: "internal/counters/tokens", Auth: route.Authenticated, Action: "internal-client-activity-tokens", Help: "Count the service tokens.",
		Handler: Action{Do: countTokens}},
	{Verbs: []string{Read}, Pattern: "internal/counters/entities", Auth: route.Authenticated, Action: "internal-count-entities", Help: "Count the entities.",
		Handler: Action{Do: countEntities}},
	{Verbs: []string{Read}, Pattern: "internal/counters/config", Auth: route.Authenticated, Action: "internal-client-activity-read-configuration", Help: "Say that client activity is not recorded.",
		Handler: Action{Do: activityConfig}},
	{Verbs: []string{Read}, Pattern: "internal/counters/activity", Auth: route.Authenticated, Action: "internal-client-activity-report-counts", Help: "Answer that there is no record of client activity.",
		Handler: Action{Do: nothingKnown, Fields: []Field{{Name: "start_time", Help: "Not used."}, {Name: "end_time", Help: "Not used."}}}},
	{Verbs: []string{Read}, Pattern: "internal/counters/activity/monthly", Auth: route.Authenticated, Action: "internal-client-activity-report-counts-this-month", Help: "Answer that there is no record of client activity.",
		Handler: Action{Do: nothingKnown}},
	{Verbs: []string{Read}, Pattern: "leases", Auth: route.Authenticated, Sudo: true, Action: "leases-list-irrevocable", Help: "List leases that could not be revoked; there are none.",
		Handler: Action{Do: irrevocable("leases", []any{}), Fields: leaseTypeFields}},
	{Verbs: []string{Read}, Pattern: "leases/count", Auth: route.Authenticated, Action: "leases-count", Help: "Count leases that could not be revoked; there are none.",
		Handler: Action{Do: irrevocable("counts", map[string]any{}), Fields: leaseTypeFields}},
	{Verbs: []string{Read}, Pattern: "ha-status", Auth: route.Authenticated, Action: "ha-status", Help: "List the nodes as far as this one knows: itself.",
		Handler: Action{Do: haStatus}},
	{Verbs: []string{Read}, Pattern: "replication/status", Auth: route.Public, Action: "read-replication-status", Help: "Say that nothing is replicated to other clusters.",
		Handler: Action{Do: func(context.Context, *Call, gate.Pass) (*Reply, error) {
			return &Reply{Data: map[string]any{"mode": "disabled"}}, nil
		}}},
	{Verbs: []string{Read}, Pattern: "config/state/sanitized", Auth: route.Authenticated, Action: "read-sanitized-configuration-state", Help: "Read the settings that this node started with, without secrets.",
		Handler: Action{Do: readSettings}},
	{Verbs: []string{Read}, Pattern: "internal/ui/feature-flags", Auth: route.Public, Action: "internal-ui-list-enabled-feature-flags", Help: "List the switched-on features of the web interface: none.",
		Handler: Action{Do: featureFlags}},
	{Verbs: []string{Read}, Pattern: "internal/ui/namespaces", Auth: route.Authenticated, Action: "internal-ui-list-namespaces", Help: "List the namespaces below the root: none.",
		Handler: Action{Do: func(context.Context, *Call, gate.Pass) (*Reply, error) {
			return &Reply{Data: map[string]any{"keys": []string{}}}, nil
		}}},
	{Verbs: []string{List}, Pattern: "namespaces", Auth: route.Authenticated, Action: "namespaces-list-namespaces", Help: "List the namespaces below the root: none.",
		Handler: Action{Do: func(context.Context, *Call, gate.Pass) (*Reply, error) { return nil, errNotFound }}},
}

// sysStatusRows describe the endpoints that Door.serveStatus answers before
// anything else, so that help and OpenAPI know them. Requests do not get here.
var sysStatusRows = []Row{
	{Verbs: []string{Read}, Pattern: "health", Auth: route.Public, Action: "read-health-status", Help: "Say by the status whether this node serves.",
		Handler: Action{Do: noHandler, Fields: []Field{
			{Name: "standbyok", Help: "Accepted; no node is on standby."}, {Name: "perfstandbyok", Help: "Accepted; no node is on standby."},
			{Name: "activecode", Type: Int, Default: 200, Help: "Status of a node that serves."}, {Name: "standbycode", Type: Int, Default: 429, Help: "Accepted; no node is on standby."},
			{Name: "sealedcode", Type: Int, Default: 503, Help: "Status of a sealed node."}, {Name: "uninitcode", Type: Int, Default: 501, Help: "Status of a node without a root key."},
		}}},
	{Verbs: []string{Read}, Pattern: "seal-status", Auth: route.Public, Action: "seal-status", Help: "Tell whether this node is sealed, and how many shares are missing.",
		Handler: Action{Do: noHandler}},
	{Verbs: []string{Read}, Pattern: "leader", Auth: route.Public, Action: "leader-status", Help: "Say that no node leads.",
		Handler: Action{Do: noHandler}},
	{Verbs: []string{Read}, Pattern: "init", Auth: route.Public, Action: "read-initialization-status", Help: "Tell whether there is a root key.",
		Handler: Action{Do: noHandler}},
	{Verbs: []string{Update}, Pattern: "init", Auth: route.Public, Action: "initialize", Body: SmallBody, Help: "Make a root key, its shares and a root token.",
		Handler: Action{Do: noHandler, Fields: []Field{
			{Name: "secret_shares", Type: Int, Help: "How many shares to make."}, {Name: "secret_threshold", Type: Int, Help: "How many shares unseal."},
			{Name: "pgp_keys", Type: CommaList, Help: "A public key for each share, as the base64 of its binary form."}, {Name: "root_token_pgp_key", Help: "A public key for the root token."},
		}}},
	{Verbs: []string{Update}, Pattern: "unseal", Auth: route.Public, Action: "unseal", Body: SmallBody, Help: "Give one share of the unseal key.",
		Handler: Action{Do: noHandler, Fields: []Field{
			{Name: "key", Help: "The share, in hex or base64."}, {Name: "reset", Type: Bool, Help: "Forget the shares that were given."}, {Name: "migrate", Type: Bool, Help: "Accepted; there is one kind of seal."},
		}}},
}

func noHandler(context.Context, *Call, gate.Pass) (*Reply, error) { return nil, errNoPath }

// nothingKnown is success with nothing to say.
func nothingKnown(context.Context, *Call, gate.Pass) (*Reply, error) { return nil, nil }

func counted(name string, n int) *Reply {
	return &Reply{Data: map[string]any{"counters": map[string]any{name: map[string]any{"total": n}}}}
}

func countTokens(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	n, err := c.Runtime.Sessions.CountLeases(ctx, "auth/", maxCounted)
	if err != nil {
		return nil, err
	}
	return counted("service_tokens", n), nil
}

func countEntities(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	n := 0
	err := c.Runtime.Identity.Entities(ctx, "", func(*identity.Entity) bool { n++; return n < maxCounted })
	if err != nil {
		return nil, err
	}
	return counted("entities", n), nil
}

func activityConfig(context.Context, *Call, gate.Pass) (*Reply, error) {
	return &Reply{Data: map[string]any{
		"enabled": "default-disabled", "queries_available": false, "retention_months": 0, "default_report_months": 12,
		"minimum_retention_months": 0, "reporting_enabled": false,
	}}, nil
}

// irrevocable answers for leases whose revocation failed for good. A
// revocation here is one write to the store, so there are none.
func irrevocable(name string, empty any) Handler {
	return func(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
		if c.String("type") != "irrevocable" {
			return nil, fault.New(fault.Invalid, "'type' must be \"irrevocable\"")
		}
		return &Reply{Data: map[string]any{"lease_count": 0, name: empty}}, nil
	}
}

// haStatus lists this node: every node is active, and none keeps count of the
// others.
func haStatus(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	node := map[string]any{
		"hostname": "", "api_address": "", "cluster_address": "", "active_node": true, "last_echo": nil,
		"version": c.Door.info.wireVersion(), "upgrade_version": "", "redundancy_zone": "",
	}
	return &Reply{Doubled: true, Data: map[string]any{"nodes": []any{node}}}, nil
}

func readSettings(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	if c.Door.settings == nil {
		return nil, fault.New(fault.NotImplemented, "this server does not show its settings")
	}
	return &Reply{Data: c.Door.settings}, nil
}

func featureFlags(context.Context, *Call, gate.Pass) (*Reply, error) {
	return &Reply{Raw: []byte(`{"feature_flags":[]}` + "\n")}, nil
}

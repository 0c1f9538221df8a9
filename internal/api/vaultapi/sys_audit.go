package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

var auditFields = []Field{
	{Name: "path", Help: "Name of the device."},
	{Name: "type", Help: "\"file\", \"socket\" or \"syslog\"."},
	{Name: "description", Help: "A sentence for people."},
	{Name: "options", Type: KVPairs, Help: "Options of the type, such as file_path."},
	{Name: "local", Type: Bool, Help: "Kept for compatibility."},
}

// sysAuditRows are the endpoints about the audit log.
var sysAuditRows = []Row{
	{Verbs: []string{Read}, Pattern: "audit", Auth: route.Authenticated, Sudo: true, Action: "auditing-list-enabled-devices", Help: "List the audit devices.",
		Handler: Action{Do: listAudit}},
	{Verbs: []string{Update}, Pattern: "audit/{path...}", Auth: route.Authenticated, Sudo: true, Action: "auditing-enable-device", Body: SmallBody, Help: "Enable an audit device.",
		Handler: Action{Do: enableAudit, Fields: auditFields, ClearKeys: []string{"type", "file_path", "address"}}},
	{Verbs: []string{Delete}, Pattern: "audit/{path...}", Auth: route.Authenticated, Sudo: true, Action: "auditing-disable-device", Help: "Disable an audit device.",
		Handler: Action{Do: disableAudit, Fields: auditFields}},
	{Verbs: []string{Update}, Pattern: "audit-hash/{path...}", Auth: route.Authenticated, Action: "auditing-calculate-hash", Body: 1 << 20, Help: "Tell what an audit device writes in place of a text.",
		Handler: Action{Do: hashAudit, Fields: []Field{{Name: "path", Help: "Name of the device."}, {Name: "input", Help: "The text."}}}},

	{Verbs: []string{Read, List}, Pattern: "config/auditing/request-headers", Auth: route.Authenticated, Sudo: true, Action: "auditing-list-request-headers", Help: "List the request headers that the audit log shows.",
		Handler: Action{Do: listAuditHeaders}},
	{Verbs: []string{Read}, Pattern: "config/auditing/request-headers/{header}", Auth: route.Authenticated, Sudo: true, Action: "auditing-read-request-header-information", Help: "Read how the audit log shows a request header.",
		Handler: Action{Do: readAuditHeader, Fields: auditHeaderFields}},
	{Verbs: []string{Update}, Pattern: "config/auditing/request-headers/{header}", Auth: route.Authenticated, Sudo: true, Action: "auditing-enable-request-header", Body: SmallBody, Help: "Have the audit log show a request header.",
		Handler: Action{Do: writeAuditHeader, Fields: auditHeaderFields}},
	{Verbs: []string{Delete}, Pattern: "config/auditing/request-headers/{header}", Auth: route.Authenticated, Sudo: true, Action: "auditing-disable-request-header", Help: "Have the audit log no longer show a request header.",
		Handler: Action{Do: deleteAuditHeader, Fields: auditHeaderFields}},
}

var auditHeaderFields = []Field{
	{Name: "header", Help: "Name of the header."},
	{Name: "hmac", Type: Bool, Help: "Show the HMAC of its values only."},
}

func listAudit(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	devices := c.Runtime.Audit.Devices()
	data := make(map[string]any, len(devices))
	for _, d := range devices {
		options := d.Options
		if options == nil {
			options = map[string]string{}
		}
		data[d.Path] = map[string]any{
			"path": d.Path, "type": d.Type, "description": d.Description, "options": options, "local": d.Local,
		}
	}
	return &Reply{Data: data, Doubled: true}, nil
}

func enableAudit(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Audit.Enable(ctx, audit.Device{
		Path: c.Param("path"), Type: c.String("type"), Description: c.String("description"),
		Local: c.Bool("local"), Options: c.KV("options"),
	})
}

func disableAudit(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Audit.Disable(ctx, c.Param("path"))
}

func hashAudit(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	if c.String("input") == "" {
		return nil, fault.New(fault.Invalid, "the \"input\" parameter is empty")
	}
	h, err := c.Runtime.Audit.Hash(c.Param("path"), c.String("input"))
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.Invalid, fault.PublicText(err))
	}
	if err != nil {
		return nil, err
	}
	return &Reply{Data: map[string]any{"hash": h}, Doubled: true, ClearKeys: []string{"hash"}}, nil
}

func headerView(hmac bool) map[string]any { return map[string]any{"hmac": hmac} }

func listAuditHeaders(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	headers := map[string]any{}
	for name, hmac := range c.Runtime.Audit.Headers().All() {
		headers[name] = headerView(hmac)
	}
	return &Reply{Data: map[string]any{"headers": headers}, Doubled: true}, nil
}

func readAuditHeader(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	hmac, ok := c.Runtime.Audit.Headers().Get(c.Param("header"))
	if !ok {
		return nil, fault.New(fault.Invalid, "Could not find header in config")
	}
	return &Reply{Data: map[string]any{c.Param("header"): headerView(hmac)}, Doubled: true}, nil
}

func writeAuditHeader(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Audit.SetHeader(ctx, c.Param("header"), c.Bool("hmac"))
}

func deleteAuditHeader(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Audit.DeleteHeader(ctx, c.Param("header"))
}

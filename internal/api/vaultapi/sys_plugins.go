package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/mount"
)

// builtIn are the types that can be mounted, by kind. Nothing can be added:
// what is in the catalog is in the program.
var builtIn = []struct {
	kind  string
	names []string
}{
	{"auth", []string{mount.TypeJWT, mount.TypeOIDC}},
	{"database", []string{}},
	{"secret", []string{mount.TypeKV}},
}

// sysPluginRows show which types there are, for clients that look before they
// mount.
var sysPluginRows = []Row{
	{Verbs: []string{Read}, Pattern: "plugins/catalog", Auth: route.Authenticated, Action: "plugins-catalog-list-plugins", Help: "List the types that can be mounted. All are built in.",
		Handler: Action{Do: catalog}},
	{Verbs: []string{Read, List}, Pattern: "plugins/catalog/{type}", Auth: route.Authenticated, Sudo: true, Action: "plugins-catalog-list-plugins-with-type", Help: "List the types of one kind: auth, database or secret.",
		Handler: Action{Do: catalogOfKind}},
	{Verbs: []string{Read}, Pattern: "plugins/catalog/{type}/{name}", Auth: route.Authenticated, Sudo: true, Action: "plugins-catalog-read-plugin-configuration-with-type", Help: "Read what is known of a type.",
		Handler: Action{Do: catalogEntry}},
}

func catalog(context.Context, *Call, gate.Pass) (*Reply, error) {
	data, detailed := map[string]any{}, []any{}
	for _, b := range builtIn {
		data[b.kind] = b.names
		for _, n := range b.names {
			detailed = append(detailed, map[string]any{
				"type": b.kind, "name": n, "version": "", "builtin": true, "deprecation_status": "supported",
			})
		}
	}
	data["detailed"] = detailed
	return &Reply{Data: data}, nil
}

// ofKind returns the names of one kind, nil for none.
func ofKind(kind string) []string {
	for _, b := range builtIn {
		if b.kind == kind {
			return b.names
		}
	}
	return nil
}

func catalogOfKind(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	names := ofKind(c.Param("type"))
	if names == nil {
		return nil, errNoPath
	}
	return &Reply{Data: map[string]any{"keys": names}}, nil
}

func catalogEntry(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	for _, n := range ofKind(c.Param("type")) {
		if n == c.Param("name") {
			return &Reply{Data: map[string]any{
				"name": n, "builtin": true, "deprecation_status": "supported",
				"args": []string{}, "command": "", "sha256": "", "version": "",
			}}, nil
		}
	}
	return nil, errNoPath
}

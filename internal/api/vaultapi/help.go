package vaultapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/mount"
)

// help answers ?help=1: a text for people and an OpenAPI document for tools,
// both made from the rows, so that they cannot differ from what is served.
func (c *Call) help() (*Reply, error) {
	if c.Mount == nil {
		return nil, errNoPath
	}
	b := backendOf(c.Mount)
	if b == nil {
		return nil, errNoPath
	}
	rows, text := b.table.Rows(), ""
	if c.Rel == "" {
		text = overview(b, rows)
	} else {
		if rows = b.serving(c.Rel); len(rows) == 0 {
			return nil, errNoPath
		}
		text = describe(c.Rel, rows)
	}
	paths, schemas := map[string]any{}, map[string]any{}
	describeRows("/", tag(c.Mount), rows, paths, schemas)
	body, err := appendJSON(nil, map[string]any{
		"help": text, "see_also": nil, "openapi": openAPI(c, paths, schemas),
	})
	if err != nil {
		return nil, err
	}
	return &Reply{Raw: append(body, '\n')}, nil
}

// serving returns the rows that serve path, one per verb.
func (b *Backend) serving(path string) []*Row {
	var out []*Row
	for _, verb := range b.table.Verbs(path) {
		if r, _, o := b.table.Find(verb, path); o == route.Found && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

func overview(b *Backend, rows []*Row) string {
	var s strings.Builder
	fmt.Fprintf(&s, "## DESCRIPTION\n\n%s\n\n## PATHS\n\n", b.about)
	for i, r := range rows {
		same := func(o *Row) bool { return o.Pattern == r.Pattern }
		if slices.ContainsFunc(rows[:i], same) {
			continue
		}
		pattern := r.Pattern
		if pattern == "" {
			pattern = "(the mount itself)"
		}
		fmt.Fprintf(&s, "    %s\n", pattern)
		for _, o := range rows[i:] {
			if same(o) {
				fmt.Fprintf(&s, "        %s: %s\n", strings.Join(o.Verbs, ", "), o.Help)
			}
		}
		s.WriteByte('\n')
	}
	return s.String()
}

func describe(path string, rows []*Row) string {
	var s strings.Builder
	fmt.Fprintf(&s, "Request:        %s\nMatching Route: %s\n\n", path, rows[0].Pattern)
	var fields []Field
	for _, r := range rows {
		fmt.Fprintf(&s, "%s: %s\n", strings.Join(r.Verbs, ", "), r.Help)
		for _, f := range r.Handler.Fields {
			if !slices.ContainsFunc(fields, func(g Field) bool { return g.Name == f.Name }) {
				fields = append(fields, f)
			}
		}
	}
	if len(fields) == 0 {
		return s.String()
	}
	s.WriteString("\n## PARAMETERS\n\n")
	for _, f := range fields {
		note := ""
		if f.Deprecated {
			note = ", deprecated"
		}
		fmt.Fprintf(&s, "    %s (%s%s)\n        %s\n\n", f.Name, f.Type, note, f.Help)
	}
	return s.String()
}

var typeNames = [...]string{
	"string", "lowercase string", "bool", "int", "duration (sec)", "signed duration (sec)",
	"comma-separated list", "list", "keypair", "map", "any",
}

// String returns the type's name in help texts.
func (t FieldType) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "unknown"
}

// schema returns the type as OpenAPI names it.
func (f *Field) schema() map[string]any {
	m := map[string]any{"type": "string"}
	switch f.Type {
	case LowerString:
		m["format"] = "lowercase"
	case Bool:
		m["type"] = "boolean"
	case Int:
		m["type"] = "integer"
	case Seconds, SignedSecs:
		m["type"], m["format"] = "integer", "seconds"
	case CommaList, StringList:
		m["type"], m["items"] = "array", map[string]any{"type": "string"}
	case KVPairs, Object:
		m["type"] = "object"
	case Any:
		delete(m, "type")
	}
	if f.Help != "" {
		m["description"] = f.Help
	}
	if f.Default != nil {
		m["default"] = f.Default
	}
	if f.Deprecated {
		m["deprecated"] = true
	}
	return m
}

// tag is the group in which OpenAPI documents show the endpoints of a mount.
func tag(e *mount.Entry) string {
	switch {
	case e.Auth:
		return "auth"
	case e.Type == mount.TypeSystem, e.Type == mount.TypeIdentity:
		return e.Type
	}
	return "secrets"
}

// describeRows adds rows to the paths and schemas of an OpenAPI document.
func describeRows(prefix, tag string, rows []*Row, paths, schemas map[string]any) {
	for _, r := range rows {
		p := prefix + strings.ReplaceAll(r.Pattern, "...}", "}")
		for _, v := range r.Verbs {
			at := p
			if v == Scan {
				continue // OpenAPI has no such verb
			}
			if v == List {
				// A list is a get, too: the slash keeps it apart from a read.
				at = strings.TrimSuffix(p, "/") + "/"
			}
			doc := operationDoc(r, v, schemas)
			doc["tags"] = []string{tag}
			pathDoc(paths, at, r)[httpVerb(v)] = doc
		}
	}
}

// pathDoc returns what paths says about the path p that r serves.
func pathDoc(paths map[string]any, p string, r *Row) map[string]any {
	item, _ := paths[p].(map[string]any)
	if item == nil {
		item = map[string]any{"description": r.Help}
		if params := pathParams(r); len(params) > 0 {
			item["parameters"] = params
		}
		paths[p] = item
	}
	if r.Auth == route.Public {
		item["x-vault-unauthenticated"] = true
	}
	if r.Sudo {
		item["x-vault-sudo"] = true
	}
	if r.Handler.Exists != nil {
		item["x-vault-createSupported"] = true
	}
	return item
}

// openAPI is an OpenAPI 3.0 document of these paths.
func openAPI(c *Call, paths, schemas map[string]any) map[string]any {
	return map[string]any{
		"openapi": "3.0.2",
		"info": map[string]any{
			"title":       "jotgate Vault door",
			"description": "HTTP API that gives you full access to jotgate. All API routes are prefixed with `/v1/`.",
			"version":     c.Door.info.wireVersion(),
			"license":     map[string]any{"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
		},
		"paths":      paths,
		"components": map[string]any{"schemas": schemas},
	}
}

func httpVerb(op string) string {
	switch op {
	case Read, List:
		return "get"
	case Delete:
		return "delete"
	case Patch:
		return "patch"
	}
	return "post"
}

func operationDoc(r *Row, op string, schemas map[string]any) map[string]any {
	doc := map[string]any{
		"operationId": r.Action, "summary": r.Help,
		"responses": map[string]any{"200": map[string]any{"description": "OK"}},
	}
	if op == List {
		doc["parameters"] = []any{map[string]any{
			"name": "list", "in": "query", "required": true,
			"schema": map[string]any{"type": "string", "enum": []string{"true"}},
		}}
	}
	if op != Update && op != Patch || len(r.Handler.Fields) == 0 {
		return doc
	}
	props := map[string]any{}
	for i := range r.Handler.Fields {
		f := &r.Handler.Fields[i]
		if !strings.Contains(r.Pattern, "{"+f.Name+"}") {
			props[f.Name] = f.schema()
		}
	}
	name := camel(r.Action) + "Request"
	schemas[name] = map[string]any{"type": "object", "properties": props}
	doc["requestBody"] = map[string]any{
		"required": true,
		"content": map[string]any{"application/json": map[string]any{
			"schema": map[string]any{"$ref": "#/components/schemas/" + name},
		}},
	}
	return doc
}

func pathParams(r *Row) []any {
	var out []any
	for seg := range strings.SplitSeq(r.Pattern, "/") {
		name, ok := strings.CutPrefix(seg, "{")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(strings.TrimSuffix(name, "}"), "...")
		out = append(out, map[string]any{
			"name": name, "in": "path", "required": true, "schema": map[string]any{"type": "string"},
		})
	}
	return out
}

func camel(action string) string {
	var s strings.Builder
	for w := range strings.SplitSeq(action, "-") {
		if w != "" {
			s.WriteString(strings.ToUpper(w[:1]) + w[1:])
		}
	}
	return s.String()
}

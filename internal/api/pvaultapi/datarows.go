package pvaultapi

import (
	"github.com/jotgate/jotgate/internal/api/route"
)

// Body limits of data operations, in bytes.
const (
	objectBody = 4 << 20
	bulkBody   = 16 << 20
	schemaBody = 1 << 20
)

// Query parameters that several operations share.
var (
	qFormat   = queryParam{name: "format", enum: []string{"json", "pvschema"}}
	qBuiltins = queryParam{name: "options", kind: list, enum: []string{"show_builtins"}}
	qShow     = queryParam{name: "options", kind: list, enum: []string{"unsafe", "show_builtins", "archived"}}
	qArchived = queryParam{name: "options", kind: list, enum: []string{"archived"}}
	qProps    = queryParam{name: "props", kind: list}
	qExpiry   = queryParam{name: "expiration_secs", kind: number}
	qSize     = queryParam{name: "page_size", kind: number}
	qCursor   = queryParam{name: "cursor"}
	qImport   = queryParam{name: "import", kind: boolean}
	qExport   = queryParam{name: "export", kind: boolean}
	qKey      = queryParam{name: "export_key", maxSize: 4096}
)

func schemaRows() []row {
	reads := func(do doFunc, q ...queryParam) endpoint {
		return endpoint{do: do, query: with(anyCall, q...), readOnly: true}
	}
	writes := func(do doFunc, q ...queryParam) endpoint {
		return endpoint{do: do, query: with(anyCall, q...)}
	}
	both := writes(addCollection, qFormat, qBuiltins)
	both.media = []string{mediaJSON, mediaSchema}
	change := writes(updateCollection, qFormat, qBuiltins)
	change.media = both.media
	const one, prop = "ctl/collections/{collection}", "ctl/collections/{collection}/properties/{property}"
	a := route.Authenticated
	return []row{
		{Verbs: []string{get}, Pattern: "ctl/collections", Auth: a, Action: "list-collections", Help: "All collections.", Handler: reads(listCollections, qFormat, qBuiltins)},
		{Verbs: []string{post}, Pattern: "ctl/collections", Auth: a, Action: "add-collection", Body: schemaBody, Help: "Make a collection.", Handler: both},
		{Verbs: []string{get}, Pattern: one, Auth: a, Action: "get-collection", Help: "One collection.", Handler: reads(getCollection, qFormat, qBuiltins)},
		{Verbs: []string{patch}, Pattern: one, Auth: a, Action: "update-collection", Timeout: noTimeout, Body: schemaBody, Help: "Add and change properties.", Handler: change},
		{Verbs: []string{del}, Pattern: one, Auth: a, Action: "delete-collection", Timeout: noTimeout, Body: smallBody, Help: "Delete a collection with everything in it.", Handler: writes(deleteCollection)},
		{Verbs: []string{get}, Pattern: one + "/properties", Auth: a, Action: "list-collection-properties", Help: "The properties of a collection.", Handler: reads(listProperties, qBuiltins)},
		{Verbs: []string{get}, Pattern: prop, Auth: a, Action: "get-collection-property", Help: "One property.", Handler: reads(getProperty)},
		{Verbs: []string{post}, Pattern: prop, Auth: a, Action: "add-collection-property", Body: smallBody, Help: "Add a property.", Handler: writes(addProperty)},
		{Verbs: []string{patch}, Pattern: prop, Auth: a, Action: "update-collection-property", Timeout: noTimeout, Body: smallBody, Help: "Change a property.", Handler: writes(updateProperty)},
		{Verbs: []string{del}, Pattern: prop, Auth: a, Action: "delete-collection-property", Timeout: noTimeout, Body: smallBody, Help: "Delete a property with its values.", Handler: writes(deleteProperty)},
		{Verbs: []string{get}, Pattern: "ctl/types", Auth: a, Action: "list-data-types", Help: "Data types.", Handler: reads(listTypes, qBuiltins, queryParam{name: "bundle"})},
		{Verbs: []string{post}, Pattern: "ctl/types", Auth: a, Action: "add-data-type", Body: smallBody, Help: "Make a data type.", Handler: writes(addType)},
		{Verbs: []string{get}, Pattern: "ctl/types/{type}", Auth: a, Action: "get-data-type", Help: "One data type.", Handler: reads(getType)},
		{Verbs: []string{patch}, Pattern: "ctl/types/{type}", Auth: a, Action: "update-data-type", Body: smallBody, Help: "Not offered: custom JavaScript.", Handler: endpoint{query: anyCall, later: true}},
		{Verbs: []string{del}, Pattern: "ctl/types/{type}", Auth: a, Action: "delete-data-type", Body: smallBody, Help: "Delete a data type.", Handler: writes(deleteType)},
	}
}

func objectRows() []row {
	data := func(do doFunc, readOnly bool, q ...queryParam) endpoint {
		return endpoint{do: do, query: with(dataCall, q...), data: true, readOnly: readOnly, tenants: true}
	}
	const c = "data/collections/{collection}/"
	a := route.Authenticated
	return []row{
		{Verbs: []string{get}, Pattern: c + "objects", Auth: a, Action: "list-objects", Help: "A page of objects.",
			Handler: data(listObjects, true, qShow, qProps, qSize, qCursor, qExport, queryParam{name: "ids", kind: list})},
		{Verbs: []string{post}, Pattern: c + "objects", Auth: a, Action: "add-object", Body: objectBody, Help: "Add an object.",
			Handler: data(addObject, false, qExpiry, qImport, qKey)},
		{Verbs: []string{get}, Pattern: c + "objects/{id}", Auth: a, Action: "get-object-by-id", Help: "One object.",
			Handler: data(getObject, true, qShow, qProps)},
		{Verbs: []string{patch}, Pattern: c + "objects/{id}", Auth: a, Action: "update-object-by-id", Body: objectBody, Help: "Change an object.",
			Handler: data(updateObject, false, qExpiry, qArchived, qImport, qKey)},
		{Verbs: []string{del}, Pattern: c + "objects/{id}", Auth: a, Action: "delete-object-by-id", Body: smallBody, Help: "Delete an object.",
			Handler: data(deleteObject, false, qArchived)},
		{Verbs: []string{post}, Pattern: c + "bulk/objects", Auth: a, Action: "add-objects", Body: bulkBody, Help: "Add several objects, all or none.",
			Handler: data(addObjects, false, qExpiry, qImport, qKey)},
		{Verbs: []string{patch}, Pattern: c + "bulk/objects", Auth: a, Action: "update-objects", Body: bulkBody, Help: "Change several objects, all or none.",
			Handler: data(updateObjects, false, qExpiry, qArchived, qImport, qKey)},
		{Verbs: []string{del}, Pattern: c + "bulk/objects", Auth: a, Action: "delete-objects", Body: bulkBody, Help: "Delete several objects, all or none.",
			Handler: data(deleteObjects, false, qArchived)},
		{Verbs: []string{post}, Pattern: c + "query/objects", Auth: a, Action: "search-objects", Body: objectBody, Help: "Find objects by their properties.",
			Handler: data(searchObjects, true, qShow, qProps, qSize, qCursor)},
		{Verbs: []string{get}, Pattern: c + "count/objects", Auth: a, Action: "get-objects-count", Help: "How many objects there are.",
			Handler: data(countObjects, true)},
	}
}

// laterRows are the operations of the reference that are not offered. They
// have rows so that a caller who may call them reads so.
func laterRows() []row {
	later := func(readOnly, data bool) endpoint {
		return endpoint{later: true, readOnly: readOnly, data: false, query: lenient(data)}
	}
	const c = "data/collections/{collection}/"
	a := route.Authenticated
	mk := func(verb, pattern, action string, data bool) row {
		r := row{Verbs: []string{verb}, Pattern: pattern, Auth: a, Action: action, Help: "Not offered.", Handler: later(verb == get, data)}
		if verb != get {
			r.Body = bulkBody
		}
		return r
	}
	return []row{
		mk(get, "ctl/bundles", "list-bundles", false), mk(post, "ctl/bundles", "add-bundle", false),
		mk(get, "ctl/bundles/{bundle}", "get-bundle", false), mk(patch, "ctl/bundles/{bundle}", "update-bundle", false),
		mk(del, "ctl/bundles/{bundle}", "delete-bundle", false),
		mk(get, "ctl/actions", "list-actions", false), mk(post, "ctl/actions", "add-action", false),
		mk(get, "ctl/actions/{action}", "get-action", false), mk(del, "ctl/actions/{action}", "delete-action", false),
		mk(post, "data/actions/http_call", "http-call", true), mk(post, "data/actions/{action}", "invoke-action", true),
		mk(get, c+"export/tokens", "export-tokens", true), mk(post, c+"import/tokens", "import-tokens", true),
		mk(post, c+"encrypt/blob", "encrypt-blob", true), mk(post, c+"decrypt/blob", "decrypt-blob", true),
	}
}

// lenient is what operations that are not offered take: their parameters do
// not matter.
func lenient(data bool) []queryParam {
	out := with(dataCall, qSize, qCursor, qProps,
		queryParam{name: "prop"}, queryParam{name: "type"}, queryParam{name: "scope"}, queryParam{name: "tags", kind: list}, qExpiry, qKey, queryParam{name: "token_types", kind: list}, queryParam{name: "options", kind: list})
	if !data {
		out = append(out, queryParam{name: "bundle"})
	}
	return out
}

package main

import "net/http"

// Flags that many operations share.
var (
	collectionFlag = param{flag: "collection", short: "c", api: "collection", in: inPath, required: true, usage: "name of the collection"}
	whichFlag      = param{flag: "collection", short: "c", also: "name", api: "collection", in: inPath, required: true, usage: "name of the collection"}
	idFlag         = param{flag: "id", api: "id", in: inPath, required: true, usage: "id of the object"}
	fieldsFlag     = param{flag: "fields", form: jsonText, in: isBody, required: true, usage: "fields as JSON, or @file"}
	propsFlag      = param{flag: "props", short: "p", api: "props", form: list, usage: "properties, comma-separated; property.transformation for a transformed value"}
	unsafeFlag     = param{flag: "all-unsafe", short: "a", api: "unsafe", form: toggle, in: inOption, usage: "all properties, as they are stored"}
	builtinsFlag   = param{flag: "show-builtins", api: "show_builtins", form: toggle, in: inOption, usage: "built-in ones too"}
	archivedFlag   = param{flag: "archived", api: "archived", form: toggle, in: inOption, usage: "archived ones instead"}
	expiryFlag     = param{flag: "expiration-secs", api: "expiration_secs", usage: "seconds until it expires; empty for never"}
	reloadFlag     = param{flag: "reload-cache", api: "reload_cache", form: toggle, usage: "read the server's caches anew"}
	pageFlag       = param{flag: "page-size", api: "page_size", form: whole, usage: "results on one page, 1 to 1000 (default 100)"}
	cursorFlag     = param{flag: "cursor", api: "cursor", usage: "continue after this cursor"}
	transFlag      = param{flag: "trans-param", api: "X-Trans-Param", in: inHeader, usage: "text for custom transformations"}
	nameFlag       = param{flag: "name", short: "n", api: "name", in: inPath, required: true, usage: "name"}
)

// groups are the operations as commands. The list reads like the API's own.
var groups = []opGroup{
	{use: "collection", short: "Define collections and their properties", ops: collectionOps, groups: []opGroup{
		{use: "property", short: "Define the properties of a collection", ops: propertyOps},
	}},
	{use: "object", short: "Store and read objects", ops: objectOps, groups: []opGroup{
		{use: "bulk", short: "Many objects in one call: all of them or none", ops: bulkOps},
	}},
	{use: "token", short: "Tokens that stand for data", ops: tokenOps},
	{use: "crypto", short: "Encrypt, decrypt and hash without storing", ops: cryptoOps},
	{use: "datatype", short: "Data types of properties", ops: datatypeOps},
	{use: "transformation", short: "Transformations of data types", ops: transformationOps},
	{use: "bundle", short: "Bundles of custom code", ops: bundleOps},
	{use: "confvar", short: "Settings that change while the server runs", ops: confvarOps},
	{use: "admin", short: "Administer the server", ops: adminOps},
	{use: "system", short: "Look at the server", ops: systemOps},
}

var collectionOps = []op{
	{use: "list", short: "List collections", example: "  pvault collection list\n  pvault collection list --pvschema", method: http.MethodGet, path: "/ctl/collections",
		params: []param{builtinsFlag, schemaFlag}, columns: []string{"name", "type", "properties", "creation_time", "modification_time"}, view: viewCollections},
	{use: "get", short: "Show a collection", example: "  pvault collection get -c customers", method: http.MethodGet, path: "/ctl/collections/{collection}",
		params: []param{whichFlag, builtinsFlag, schemaFlag}, columns: propertyColumns, view: viewProperties},
	{use: "add", short: "Add a collection", example: "  pvault collection add --collection-pvschema=\"customers PERSONS (name NAME,)\"\n  pvault collection add --collection-json=@customers.json", method: http.MethodPost, path: "/ctl/collections",
		params: collectionBody(false), columns: propertyColumns, view: viewProperties, done: "Done."},
	{use: "update", short: "Add or change properties of a collection", example: "  pvault collection update -c customers --collection-json=@customers.json", method: http.MethodPatch, path: "/ctl/collections/{collection}",
		params: collectionBody(true), columns: propertyColumns, view: viewProperties, done: "Done."},
	{use: "delete", short: "Delete a collection with all its objects", example: "  pvault collection delete -c customers", method: http.MethodDelete, path: "/ctl/collections/{collection}",
		params: []param{whichFlag}, done: "Done."},
}

// schemaFlag asks for PVSchema text instead of JSON.
var schemaFlag = param{flag: "pvschema", api: "pvschema", form: toggle, in: inFormat, usage: "print PVSchema"}

func collectionBody(named bool) []param {
	out := []param{
		{flag: "collection-pvschema", in: isSchema, usage: "the collection as PVSchema, or @file"},
		{flag: "collection-json", in: isBody, usage: "the collection as JSON, or @file"},
	}
	if named {
		out = append(out, whichFlag)
	}
	return out
}

var propertyColumns = []string{"name", "data_type_name", "description", "is_encrypted", "is_index", "is_substring_index", "is_nullable", "is_unique", "is_builtin", "is_readonly", "creation_time", "modification_time"}

var propertyFlag = param{flag: "name", short: "n", api: "property", in: inPath, required: true, usage: "name of the property"}

var propertyOps = []op{
	{use: "list", short: "List properties", example: "  pvault collection property list -c customers", method: http.MethodGet, path: "/ctl/collections/{collection}/properties",
		params: []param{collectionFlag, builtinsFlag}, columns: propertyColumns},
	{use: "get", short: "Show a property", example: "  pvault collection property get -c customers -n email", method: http.MethodGet, path: "/ctl/collections/{collection}/properties/{property}",
		params: []param{collectionFlag, propertyFlag}, columns: propertyColumns},
	{use: "add", short: "Add a property", example: "  pvault collection property add -c customers -n email --property-json='{\"name\":\"email\",\"data_type_name\":\"EMAIL\"}'", method: http.MethodPost, path: "/ctl/collections/{collection}/properties/{property}",
		params: []param{collectionFlag, propertyFlag, {flag: "property-json", form: jsonText, in: isBody, required: true, usage: "the property as JSON, or @file"}}, columns: propertyColumns, done: "Done."},
	{use: "update", short: "Change a property", example: "  pvault collection property update -c customers -n email --property-json='{\"description\":\"work address\"}'", method: http.MethodPatch, path: "/ctl/collections/{collection}/properties/{property}",
		params: []param{collectionFlag, propertyFlag, {flag: "property-json", form: jsonText, in: isBody, required: true, usage: "the change as JSON, or @file"}}, columns: propertyColumns, done: "Done."},
	{use: "delete", short: "Delete a property", example: "  pvault collection property delete -c customers -n email", method: http.MethodDelete, path: "/ctl/collections/{collection}/properties/{property}",
		params: []param{collectionFlag, propertyFlag}, done: "Done."},
}

var idsFlag = param{flag: "ids", api: "ids", form: list, usage: "ids of objects, comma-separated"}

var objectOps = []op{
	{use: "add", short: "Add an object", example: "  pvault object add -c customers --fields=@customer.json", method: http.MethodPost, path: "/data/collections/{collection}/objects", reason: true,
		params: []param{collectionFlag, fieldsFlag, expiryFlag, reloadFlag}},
	{use: "get", short: "Read an object", example: "  pvault object get -c customers --id=ID --props=email.mask,name", method: http.MethodGet, path: "/data/collections/{collection}/objects/{id}", reason: true,
		params: []param{collectionFlag, idFlag, propsFlag, unsafeFlag, builtinsFlag, archivedFlag, transFlag, reloadFlag}, columns: []string{"id"}},
	{use: "list", short: "List objects", example: "  pvault object list -c customers --all-unsafe --page-size=10", method: http.MethodGet, path: "/data/collections/{collection}/objects", reason: true,
		params: []param{collectionFlag, propsFlag, unsafeFlag, builtinsFlag, archivedFlag, idsFlag, pageFlag, cursorFlag, transFlag, reloadFlag}, columns: []string{"id"}},
	{use: "query", short: "Find objects by their properties", example: "  pvault object query -c customers --match=email=john@example.com --props=id,name", method: http.MethodPost, path: "/data/collections/{collection}/query/objects", reason: true,
		params: []param{collectionFlag,
			{flag: "match", form: pairs, in: held, usage: "property=value; may be repeated, all must hold"},
			{flag: "like", form: pairs, in: held, usage: "property=glob; may be repeated"},
			{flag: "in", form: jsonText, in: held, usage: "JSON such as {\"name\":[\"John\",\"Jane\"]}"},
			propsFlag, unsafeFlag, builtinsFlag, archivedFlag, pageFlag, cursorFlag, transFlag, reloadFlag},
		shape: queryShape, columns: []string{"id"}},
	{use: "update", short: "Change an object", example: "  pvault object update -c customers --id=ID --fields='{\"name\":\"Jane\"}'", method: http.MethodPatch, path: "/data/collections/{collection}/objects/{id}", reason: true,
		params: []param{collectionFlag, idFlag, fieldsFlag, expiryFlag, archivedFlag, reloadFlag}, done: "Done."},
	{use: "delete", short: "Delete an object", example: "  pvault object delete -c customers --id=ID", method: http.MethodDelete, path: "/data/collections/{collection}/objects/{id}", reason: true,
		params: []param{collectionFlag, idFlag, archivedFlag, reloadFlag}, done: "Done."},
	{use: "count", short: "Count objects", example: "  pvault object count -c customers", method: http.MethodGet, path: "/data/collections/{collection}/count/objects", reason: true,
		params: []param{collectionFlag, reloadFlag}, columns: []string{"active", "archived", "total"}},
}

func bulkOp(use, short, method, what string) op {
	return op{use: use, short: short, example: "  pvault object bulk " + use + " -c customers --objects=@objects.json", method: method,
		path: "/data/collections/{collection}/bulk/objects", reason: true,
		params: []param{collectionFlag, {flag: "objects", form: jsonText, in: isBody, required: true, usage: what}, expiryFlag, archivedFlag, reloadFlag}}
}

var bulkOps = []op{
	bulkOp("add", "Add objects", http.MethodPost, "list of objects as JSON, or @file"),
	bulkOp("update", "Change objects", http.MethodPatch, "list of objects with their id as JSON, or @file"),
	bulkOp("delete", "Delete objects", http.MethodDelete, "list of {\"id\":…} as JSON, or @file"),
}

// Flags that choose tokens.
var tokenChoice = []param{
	{flag: "token-id", api: "token_ids", form: list, usage: "ids of tokens, comma-separated"},
	{flag: "object-id", api: "object_ids", form: list, usage: "ids of objects, comma-separated"},
	{flag: "tag", api: "tags", form: list, usage: "tags, comma-separated; all must be there"},
}

func choose(more ...param) []param {
	out := append([]param{collectionFlag}, tokenChoice...)
	return append(append(out, archivedFlag, reloadFlag), more...)
}

// Flags that describe what is tokenised, encrypted or hashed.
var inputFlags = []param{
	{flag: "object-id", in: held, usage: "id of a stored object"},
	{flag: "fields", form: jsonText, in: held, usage: "fields as JSON, or @file, instead of a stored object"},
	{flag: "props", short: "p", form: list, in: held, usage: "properties, comma-separated"},
	{flag: "type", in: held, usage: "kind of the result"},
	{flag: "scope", in: held, usage: "scope; equal values in one scope give equal deterministic results"},
	{flag: "tag", form: list, in: held, usage: "tags, comma-separated"},
	{flag: "fptemplate", in: held, usage: "format-preserving template: primary_account_number"},
	{flag: "fpprops", form: list, in: held, usage: "properties that keep their format"},
}

var tokenOps = []op{
	{use: "create", short: "Make tokens for data", example: "  pvault token create -c customers --object-id=ID --props=email --type=pointer", method: http.MethodPost, path: "/data/collections/{collection}/tokens", reason: true,
		params: append([]param{collectionFlag, expiryFlag, reloadFlag, {flag: "transaction-id", api: "transaction_id", usage: "id under which the tokens can be found"}, {flag: "store-object", form: toggle, in: held, usage: "keep the given fields as an object"}}, inputFlags...),
		shape:  inputShape, columns: []string{"token_id", "object_id"}},
	{use: "detokenize", short: "Read the data behind tokens", example: "  pvault token detokenize -c customers --token-id=TOKEN --props=email", method: http.MethodGet, path: "/data/collections/{collection}/tokens", reason: true,
		params: choose(propsFlag, param{flag: "include-metadata", api: "include_metadata", form: toggle, in: inOption, usage: "metadata too"}), columns: []string{"token_id", "fields"}},
	{use: "info", short: "Find tokens and show what is known about them", example: "  pvault token info -c customers --tag=campaign", method: http.MethodPost, path: "/data/collections/{collection}/query/tokens", reason: true,
		params: []param{collectionFlag,
			{flag: "token-id", api: "token_ids", form: list, in: inBody, usage: "ids of tokens, comma-separated"},
			{flag: "object-id", api: "object_ids", form: list, in: inBody, usage: "ids of objects, comma-separated"},
			{flag: "tag", api: "tags", form: list, in: inBody, usage: "tags, comma-separated"}, archivedFlag, reloadFlag}, columns: []string{"token_id"}},
	{use: "update", short: "Change tokens' tags or expiry", example: "  pvault token update -c customers --token-id=TOKEN --set-tag=new", method: http.MethodPatch, path: "/data/collections/{collection}/tokens", reason: true,
		params: choose(expiryFlag, param{flag: "set-tag", api: "tags", form: list, in: inBody, usage: "the new tags, comma-separated"}), done: "Done."},
	{use: "delete", short: "Delete tokens", example: "  pvault token delete -c customers --token-id=TOKEN", method: http.MethodDelete, path: "/data/collections/{collection}/tokens", reason: true,
		params: choose(), done: "Done."},
	{use: "rotate", short: "Replace tokens by new ones", example: "  pvault token rotate -c customers --token-id=TOKEN", method: http.MethodPost, path: "/data/collections/{collection}/rotate/tokens", reason: true,
		params: []param{collectionFlag, {flag: "token-id", api: "token_ids", form: list, required: true, usage: "ids of tokens, comma-separated"}, reloadFlag}, view: viewRotated, columns: []string{"token_id", "new_token_id"}},
	{use: "count", short: "Count tokens", example: "  pvault token count -c customers", method: http.MethodGet, path: "/data/collections/{collection}/count/tokens", reason: true,
		params: []param{collectionFlag, reloadFlag}, columns: []string{"active", "archived", "total"}},
}

var cryptoOps = []op{
	{use: "encrypt", short: "Encrypt fields", example: "  pvault crypto encrypt -c customers --fields='{\"email\":\"john@example.com\"}'", method: http.MethodPost, path: "/data/collections/{collection}/encrypt/objects", reason: true,
		params: append([]param{collectionFlag, expiryFlag, reloadFlag}, inputFlags...), shape: inputShape, columns: []string{"ciphertext"}},
	{use: "update", short: "Change fields inside a ciphertext", example: "  pvault crypto update -c customers --ciphertext=@c.txt --fields='{\"name\":\"Jane\"}'", method: http.MethodPatch, path: "/data/collections/{collection}/encrypt/objects", reason: true,
		params: append([]param{collectionFlag, expiryFlag, ciphertextFlag, reloadFlag}, inputFlags...), shape: updateShape, columns: []string{"ciphertext"}},
	{use: "decrypt", short: "Decrypt a ciphertext", example: "  pvault crypto decrypt -c customers --ciphertext=@c.txt --props=email", method: http.MethodPost, path: "/data/collections/{collection}/decrypt/objects", reason: true,
		params: []param{collectionFlag, ciphertextFlag, {flag: "scope", in: held, usage: "scope that it was encrypted in"}, {flag: "props", short: "p", form: list, in: held, usage: "properties, comma-separated"},
			archivedFlag, {flag: "include-metadata", api: "include_metadata", form: toggle, in: inOption, usage: "metadata too"}, reloadFlag}, shape: decryptShape, columns: []string{"fields"}},
	{use: "hash", short: "Hash fields", example: "  pvault crypto hash -c customers --fields='{\"email\":\"john@example.com\"}' --props=email", method: http.MethodPost, path: "/data/collections/{collection}/hash/objects", reason: true,
		params: append([]param{collectionFlag, reloadFlag}, inputFlags...), shape: inputShape, columns: []string{"token_id"}},
	{use: "encrypt-blob", short: "Encrypt a file", example: "  pvault crypto encrypt-blob -c customers --prop=photo --blob=@photo.jpg > photo.enc", method: http.MethodPost, path: "/data/collections/{collection}/encrypt/blob", reason: true,
		params: []param{collectionFlag, blobFlag, blobPropFlag, {flag: "type", api: "type", usage: "randomized or deterministic"}, {flag: "scope", api: "scope", usage: "scope"}, {flag: "tag", api: "tags", form: list, usage: "tags"}, expiryFlag, reloadFlag}},
	{use: "decrypt-blob", short: "Decrypt a file", example: "  pvault crypto decrypt-blob -c customers --prop=photo --blob=@photo.enc > photo.jpg", method: http.MethodPost, path: "/data/collections/{collection}/decrypt/blob", reason: true,
		params: []param{collectionFlag, blobFlag, blobPropFlag, {flag: "scope", api: "scope", usage: "scope"}, archivedFlag, reloadFlag}},
}

var (
	ciphertextFlag = param{flag: "ciphertext", in: held, required: true, usage: "the ciphertext, or @file"}
	blobFlag       = param{flag: "blob", in: isBlob, required: true, usage: "@file, or - for standard input"}
	blobPropFlag   = param{flag: "prop", api: "prop", required: true, usage: "property that the file belongs to"}
	typeFlag       = param{flag: "name", short: "n", api: "type", in: inPath, required: true, usage: "name of the data type"}
	typeBodyFlag   = param{flag: "datatype-json", form: jsonText, in: isBody, required: true, usage: "the data type as JSON, or @file"}
)

var datatypeColumns = []string{"name", "base_type_name", "description", "validator", "normalizer", "transformers", "default_transformer"}

var datatypeOps = []op{
	{use: "list", short: "List data types", example: "  pvault datatype list --show-builtins", method: http.MethodGet, path: "/ctl/types",
		params: []param{builtinsFlag, {flag: "bundle", api: "bundle", usage: "only those of this bundle"}}, columns: datatypeColumns},
	{use: "get", short: "Show a data type", example: "  pvault datatype get -n EMAIL", method: http.MethodGet, path: "/ctl/types/{type}", params: []param{typeFlag}, columns: datatypeColumns},
	{use: "add", short: "Add a data type", example: "  pvault datatype add --datatype-json=@type.json", method: http.MethodPost, path: "/ctl/types", params: []param{typeBodyFlag}, columns: datatypeColumns, done: "Done."},
	{use: "update", short: "Change a data type", example: "  pvault datatype update -n GREETING --datatype-json=@type.json", method: http.MethodPatch, path: "/ctl/types/{type}", params: []param{typeFlag, typeBodyFlag}, columns: datatypeColumns, done: "Done."},
	{use: "delete", short: "Delete a data type", example: "  pvault datatype delete -n GREETING", method: http.MethodDelete, path: "/ctl/types/{type}", params: []param{typeFlag}, done: "Done."},
}

var transformationOps = []op{
	{use: "list", short: "List the transformations of each data type", example: "  pvault transformation list", method: http.MethodGet, path: "/ctl/types?options=show_builtins",
		view: viewTransformations, columns: []string{"data_type_name", "transformation"}},
}

var (
	bundleFlag = param{flag: "name", short: "n", api: "bundle", in: inPath, required: true, usage: "name of the bundle"}
	codeFlags  = []param{{flag: "bundle-code", api: "code", in: inBody, required: true, usage: "the code, or @file"}, {flag: "description", api: "description", in: inBody, usage: "what it is for"}}
)

var bundleOps = []op{
	{use: "list", short: "List bundles", example: "  pvault bundle list", method: http.MethodGet, path: "/ctl/bundles", columns: []string{"name", "description"}},
	{use: "get", short: "Show a bundle", example: "  pvault bundle get -n mine", method: http.MethodGet, path: "/ctl/bundles/{bundle}", params: []param{bundleFlag}, columns: []string{"name", "description"}},
	{use: "add", short: "Add a bundle", example: "  pvault bundle add -n mine --bundle-code=@bundle.js", method: http.MethodPost, path: "/ctl/bundles",
		params: append([]param{{flag: "name", short: "n", api: "name", in: inBody, required: true, usage: "name of the bundle"}}, codeFlags...), done: "Done."},
	{use: "update", short: "Change a bundle", example: "  pvault bundle update -n mine --bundle-code=@bundle.js", method: http.MethodPatch, path: "/ctl/bundles/{bundle}", params: append([]param{bundleFlag}, codeFlags...), done: "Done."},
	{use: "delete", short: "Delete a bundle", example: "  pvault bundle delete -n mine", method: http.MethodDelete, path: "/ctl/bundles/{bundle}", params: []param{bundleFlag, {flag: "force", api: "force", form: toggle, in: inOption, usage: "even when it is in use"}}, done: "Done."},
}

var confvarOps = []op{
	{use: "get", short: "Show a setting", example: "  pvault confvar get --name=log_level", method: http.MethodGet, path: "/system/confvar/{name}", params: []param{nameFlag}, columns: []string{"name", "value", "default_value"}},
	{use: "set", short: "Change a setting", example: "  pvault confvar set --name=log_level --value=debug", method: http.MethodPost, path: "/system/confvar/{name}",
		params: []param{nameFlag, {flag: "value", api: "value", in: inBody, required: true, usage: "the new value"}}, done: "Done."},
	{use: "clear", short: "Set all settings back to their defaults", example: "  pvault confvar clear", method: http.MethodDelete, path: "/system/confvar", done: "Done."},
}

var adminOps = []op{
	{use: "gc", short: "Remove for good what is archived long enough", example: "  pvault admin gc --dry-run", method: http.MethodPost, path: "/system/admin/lifecycle/gc", reason: true,
		params:  []param{{flag: "dry-run", api: "dry_run", form: toggle, usage: "only count"}, {flag: "filter", api: "filter", usage: "objects_only, tokens_only or transaction_ids_only"}, reloadFlag},
		columns: []string{"collection_name", "collection_type", "count"}},
	{use: "get-configuration", short: "Show the server's settings", example: "  pvault admin get-configuration --json", method: http.MethodGet, path: "/system/info/configuration"},
	{use: "rotate-keys", short: "Make a new data key; old values stay readable", example: "  pvault admin rotate-keys", method: http.MethodPost, path: "/system/admin/keys/rotate", done: "Done."},
	{use: "get-export-key", short: "Show the key for exports", example: "  pvault admin get-export-key", method: http.MethodGet, path: "/system/admin/export_key"},
	{use: "set-api-key", short: "Set the Admin's API key", example: "  pvault admin set-api-key --key=@admin.key", method: http.MethodPost, path: "/ctl/iam/admin/set-api-key",
		params: []param{{flag: "key", in: held, required: true, usage: "at least 15 characters with digits, lower and upper case letters; @file or - keeps it out of the shell's history"}}, shape: keyShape, done: "Done."},
}

var systemOps = []op{
	{use: "cluster-info", short: "Show the server's nodes", example: "  pvault system cluster-info --json", method: http.MethodGet, path: "/ctl/info/cluster", columns: []string{"vault", "workers"}},
	{use: "kms", short: "Show the key management's state", example: "  pvault system kms", method: http.MethodGet, path: "/system/info/kms", columns: []string{"kms", "kms_export"}},
	{use: "license", short: "Show the licence", example: "  pvault system license", method: http.MethodGet, path: "/system/info/license", columns: []string{"key", "expiration"}},
	{use: "set-license", short: "Set the licence", example: "  pvault system set-license --key=@license.txt", method: http.MethodPost, path: "/system/info/license",
		params: []param{{flag: "key", in: held, required: true, usage: "the key, or @file"}}, shape: keyShape, done: "Done."},
}

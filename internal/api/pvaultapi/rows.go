package pvaultapi

import (
	"slices"

	"github.com/jotgate/jotgate/internal/api/route"
)

type row = route.Row[endpoint]

// Body limits, in bytes.
const (
	smallBody = 64 << 10
	iamBody   = 4 << 20
)

// anyCall is what every operation takes.
var anyCall = []queryParam{{name: "custom_audit", maxSize: 4096}}

// dataCall is what every data operation takes as well.
var dataCall = append(slices.Clone(anyCall),
	queryParam{name: "reason"},
	queryParam{name: "adhoc_reason", maxSize: 4096},
	queryParam{name: "reload_cache", kind: boolean},
)

func with(base []queryParam, more ...queryParam) []queryParam {
	return append(slices.Clone(base), more...)
}

// New builds the door.
func New(o Options) (*Door, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	d := &Door{o: o, version: versionReply(o.Version), health: jsonReply(`{"status":"pass"}`)}
	t, err := route.New(slices.Concat(systemRows(), iamRows(), schemaRows(), objectRows(), tokenRows(), gcRows(), laterRows())...)
	if err != nil {
		return nil, err
	}
	d.table = t
	return d, nil
}

// Operations returns the operation ids that the door serves.
func (d *Door) Operations() []string {
	var out []string
	for _, r := range d.table.Rows() {
		out = append(out, r.Action)
	}
	slices.Sort(out)
	return out
}

const (
	get   = "GET"
	post  = "POST"
	patch = "PATCH"
	del   = "DELETE"
)

// noTimeout marks rows that are answered from memory, where setting a timer
// would cost more than the answer, and changes of a schema, which may have to
// rewrite every object.
const noTimeout = -1

func systemRows() []row {
	reads := func(do doFunc) endpoint { return endpoint{do: do, query: anyCall, readOnly: true} }
	return []row{
		{Verbs: []string{get}, Pattern: "system/info/version", Auth: route.Authenticated, Action: "get-vault-version", Timeout: noTimeout,
			Help: "Release, vault id and storage schema version.", Handler: reads(getVersion)},
		{Verbs: []string{get}, Pattern: "data/info/health", Auth: route.Public, Action: "data-health",
			Help: "Whether data calls can be served.", Handler: reads(getHealth)},
		{Verbs: []string{get}, Pattern: "ctl/info/health", Auth: route.Public, Action: "control-health",
			Help: "Whether control calls can be served.", Handler: reads(getHealth)},
		{Verbs: []string{get}, Pattern: "ctl/info/cluster", Auth: route.Authenticated, Action: "get-cluster-info",
			Help: "Generation of the configuration on each node.", Handler: reads(getCluster)},
		{Verbs: []string{get}, Pattern: "system/info/configuration", Auth: route.Authenticated, Action: "get-configuration",
			Help: "The server's settings, secrets masked.", Handler: reads(getConfiguration)},
		{Verbs: []string{get}, Pattern: "system/info/license", Auth: route.Authenticated, Action: "get-license",
			Help: "The license: none is needed.", Handler: reads(getLicense)},
		{Verbs: []string{post}, Pattern: "system/info/license", Auth: route.Authenticated, Action: "set-license", Body: smallBody,
			Help: "Not offered: no license is needed.", Handler: endpoint{query: anyCall, later: true}},
		{Verbs: []string{get}, Pattern: "system/info/kms", Auth: route.Authenticated, Action: "get-kms",
			Help: "Whether the key that encrypts stored values is at hand.", Handler: reads(getKMS)},
		{Verbs: []string{post}, Pattern: "system/admin/keys/rotate", Auth: route.Authenticated, Action: "rotate-keys", Body: smallBody,
			Help: "Rotate the key that encrypts stored values.", Handler: endpoint{do: rotateKeys, query: anyCall}},
		{Verbs: []string{get}, Pattern: "system/admin/export_key", Auth: route.Authenticated, Action: "get-export-key",
			Help: "Not offered.", Handler: endpoint{query: anyCall, readOnly: true, later: true}},
		{Verbs: []string{post}, Pattern: "system/debug/error/trigger", Auth: route.Authenticated, Action: "trigger-error", Body: smallBody,
			Help: "Not offered.", Handler: endpoint{query: anyCall, later: true}},
		{Verbs: []string{del}, Pattern: "system/confvar", Auth: route.Authenticated, Action: "clear-all-conf-vars", Body: smallBody,
			Help: "Set all configuration variables back.", Handler: endpoint{do: clearConfVars, query: anyCall}},
		{Verbs: []string{get}, Pattern: "system/confvar/{name}", Auth: route.Authenticated, Action: "get-conf-var",
			Help: "Read a configuration variable.", Handler: reads(getConfVar)},
		{Verbs: []string{post}, Pattern: "system/confvar/{name}", Auth: route.Authenticated, Action: "set-conf-var", Body: smallBody,
			Help: "Set a configuration variable.", Handler: endpoint{do: setConfVar, query: anyCall}},
	}
}

func iamRows() []row {
	return []row{
		{Verbs: []string{get}, Pattern: "ctl/iam/conf", Auth: route.Authenticated, Action: "get-iam-conf",
			Help: "The IAM configuration, as it was applied.", Handler: endpoint{do: getIAM, query: anyCall, readOnly: true}},
		{Verbs: []string{post}, Pattern: "ctl/iam/conf", Auth: route.Authenticated, Action: "set-iam-conf", Body: iamBody,
			Help: "Replace the whole IAM configuration.", Handler: endpoint{do: setIAM, query: anyCall, media: []string{mediaTOML}}},
		{Verbs: []string{post}, Pattern: "ctl/iam/user/regen", Auth: route.Authenticated, Action: "regenerate-user-api-key", Body: smallBody,
			Help: "Give a user a new API key and void the old one.", Handler: endpoint{do: regenKey, query: anyCall}},
		{Verbs: []string{post}, Pattern: "ctl/iam/user/update-expiration", Auth: route.Authenticated, Action: "update-api-key-expiration", Body: smallBody,
			Help: "Set when a user's API key ends.", Handler: endpoint{do: expireKey, query: anyCall}},
		{Verbs: []string{get}, Pattern: "ctl/iam/user/{user}", Auth: route.Authenticated, Action: "get-user",
			Help: "When a user's API key ends.", Handler: endpoint{do: getUser, query: anyCall, readOnly: true}},
		{Verbs: []string{post}, Pattern: "ctl/iam/admin/set-api-key", Auth: route.Authenticated, Action: "set-admin-api-key", Body: smallBody,
			Help: "Set the administrator's API key.", Handler: endpoint{do: setAdminKey, query: anyCall, adminJob: true}},
	}
}

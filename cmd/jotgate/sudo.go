package main

import (
	"net/http"
	"strings"
)

// sudoPath is a path, or with "*" all below it, for which a policy needs sudo
// beside the plain capability.
type sudoPath struct {
	path string
	only string // "" for every request, else "change" or "list"
}

var sudoPaths = []sudoPath{
	{"auth/token/accessors", ""}, {"auth/token/revoke-orphan", ""},
	{"sys/audit", ""}, {"sys/audit/*", ""}, {"sys/auth/*", ""},
	{"sys/config/auditing/request-headers", ""}, {"sys/config/auditing/request-headers/*", ""},
	{"sys/config/cors", ""}, {"sys/config/ui/headers", ""}, {"sys/config/ui/headers/*", ""},
	{"sys/generate-root/*", "change"}, {"sys/loggers", "change"}, {"sys/loggers/*", "change"},
	{"sys/leases", ""}, {"sys/leases/lookup", "list"}, {"sys/leases/lookup/*", "list"},
	{"sys/leases/revoke-force/*", ""}, {"sys/leases/revoke-prefix/*", ""},
	{"sys/plugins/catalog/*", ""}, {"sys/rekey/*", "change"}, {"sys/rekey/backup", ""}, {"sys/remount", ""},
	{"sys/revoke-force/*", ""}, {"sys/revoke-prefix/*", ""},
	{"sys/rotate", ""}, {"sys/rotate/keyring", ""}, {"sys/rotate/root/*", "change"}, {"sys/rotate/root/backup", ""},
	{"sys/seal", ""}, {"sys/step-down", ""}, {"sys/storage/raft/snapshot", ""}, {"sys/storage/raft/snapshot-force", ""},
}

// needsSudo reports whether the server asks for sudo, too.
func needsSudo(method, path string, list bool) bool {
	path = strings.Trim(path, "/")
	for _, s := range sudoPaths {
		switch {
		case s.only == "list" && !list, s.only == "change" && method == http.MethodGet:
			continue
		}
		if below, deep := strings.CutSuffix(s.path, "*"); path == s.path || deep && strings.HasPrefix(path, below) {
			return true
		}
	}
	return false
}

package vaultapi

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/mount"
)

// maxPath bounds a logical path, in bytes.
const maxPath = 4096

// prefix is below what this door answers.
const prefix = "/v1/"

// cleanPath returns the logical path of a request, decoded, without the
// version prefix. It refuses every spelling that two readers could understand
// differently: policies, mounts and engines must all see the same path.
func cleanPath(r *http.Request) (string, error) {
	p, ok := strings.CutPrefix(r.URL.Path, prefix)
	switch {
	case !ok:
		return "", fault.New(fault.NotFound, "")
	case len(p) > maxPath:
		return "", fault.Newf(fault.Invalid, "path is longer than %d bytes", maxPath)
	case !utf8.ValidString(p):
		return "", fault.New(fault.Invalid, "path is not valid UTF-8")
	case strings.ContainsFunc(p, unicode.IsControl):
		return "", fault.New(fault.Invalid, "path must not contain control characters")
	case strings.HasPrefix(p, "/") || strings.Contains(p, "//"):
		return "", fault.New(fault.Invalid, "path must not contain empty segments")
	}
	for seg := range strings.SplitSeq(p, "/") {
		if seg == "." || seg == ".." {
			return "", fault.New(fault.Invalid, "relative paths not supported")
		}
	}
	return p, nil
}

// settlePath fits the trailing slash to the operation: lists have one, so that
// policies for "a/b/" and "a/b" both see them; nothing else has, and a write
// that has one is refused, unless the mount takes the slash away.
func settlePath(p, op string, mounts *mount.Table) (string, error) {
	bare := strings.TrimSuffix(p, "/")
	switch op {
	case List, Scan:
		return bare + "/", nil
	case Create, Update, Patch:
		if bare != p && !trims(mounts, bare) {
			return "", fault.New(fault.Invalid, "cannot write to a path ending in '/'")
		}
	}
	return bare, nil
}

func trims(mounts *mount.Table, path string) bool {
	e, _, ok := mounts.Route(path)
	return ok && e.Config.TrimSlashes
}

// checkNamespace takes the root namespace in all its spellings and no other.
func checkNamespace(r *http.Request) error {
	ns := strings.Trim(r.Header.Get("X-Vault-Namespace"), "/")
	if ns == "" || ns == "root" {
		return nil
	}
	return fault.New(fault.NotFound, "namespace not found")
}

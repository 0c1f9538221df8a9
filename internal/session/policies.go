package session

import (
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
)

// Policies with a meaning of their own.
const (
	rootPolicy     = "root"
	defaultPolicy  = "default"
	wrappingPolicy = "response-wrapping"
)

// SanitizePolicies returns the names trimmed, in lower case, without empty
// ones and duplicates, sorted. Lists with root become root alone, as root
// already grants everything. addDefault adds "default" to any other list.
func SanitizePolicies(names []string, addDefault bool) []string {
	out := make([]string, 0, len(names)+1)
	for _, n := range names {
		n = strings.ToLower(strings.TrimSpace(n))
		if n == rootPolicy {
			return []string{rootPolicy}
		}
		if n != "" {
			out = append(out, n)
		}
	}
	if addDefault {
		out = append(out, defaultPolicy)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// CheckLoginPolicies refuses lists that no auth method may assign: root, in
// any spelling, and the internal policy of wrapping tokens.
func CheckLoginPolicies(names []string) error {
	for _, n := range names {
		switch strings.ToLower(strings.TrimSpace(n)) {
		case rootPolicy:
			return fault.New(fault.Invalid, "auth methods cannot create root tokens")
		case wrappingPolicy:
			return fault.Newf(fault.Invalid, "cannot assign policy %q", wrappingPolicy)
		}
	}
	return nil
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// DisplayName returns the name that a login on a mount gives its token: the
// mount path without "auth/", each '/' as '-', and the alias name.
func DisplayName(mountPath, alias string) string {
	m := strings.ReplaceAll(strings.TrimPrefix(mountPath, "auth/"), "/", "-")
	return strings.TrimSuffix(m+alias, "-")
}

package mount

import (
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jotgate/jotgate/internal/fault"
)

// maxPath bounds a mount path, in bytes.
const maxPath = 256

// protected are paths below which nobody can mount or unmount. The server's
// own mounts live there; audit/ is kept free, as in the reference.
var protected = []string{"audit/", "auth/", "sys/", "cubbyhole/", "identity/"}

func invalid(format string, args ...any) error { return fault.Newf(fault.Invalid, format, args...) }

// checkNew returns why e cannot be added to t, or nil.
func checkNew(t *Table, e *Entry) error {
	if err := checkPath(e); err != nil {
		return err
	}
	if err := checkType(e); err != nil {
		return err
	}
	if err := checkConfig(e); err != nil {
		return err
	}
	return checkFree(t, e.Logical())
}

// checkFree returns why the logical path is taken, or nil.
func checkFree(t *Table, logical string) error {
	other := t.overlap(logical)
	switch {
	case other == nil:
		return nil
	case strings.HasPrefix(logical, other.Logical()):
		return fault.Newf(fault.Conflict, "path is already in use at %s", shown(other))
	default:
		return fault.Newf(fault.Conflict, "existing mount at %s", shown(other))
	}
}

// shown is the path by which the caller knows the mount.
func shown(e *Entry) string { return e.Path }

func checkPath(e *Entry) error {
	p := e.Path
	switch {
	case p == "":
		return invalid("backend path must be specified")
	case len(p) > maxPath:
		return invalid("path is longer than %d bytes", maxPath)
	case !utf8.ValidString(p) || strings.ContainsFunc(p, unfit):
		return invalid("path must not contain white space, control characters, wildcards or template brackets")
	case strings.Contains(p, "//"):
		return invalid("path must not contain empty segments")
	}
	for seg := range strings.SplitSeq(strings.TrimSuffix(p, "/"), "/") {
		if seg == "." || seg == ".." {
			return invalid("path must not contain relative segments")
		}
	}
	if e.Auth {
		if p == TypeToken+"/" && e.Type != TypeToken {
			return fault.Newf(fault.Conflict, "path is already in use at %s", p)
		}
		return nil
	}
	for _, q := range protected {
		if strings.HasPrefix(p, q) {
			return fault.Newf(fault.Denied, "cannot mount %q", p)
		}
	}
	return nil
}

// unfit are the characters that make a path ambiguous in requests or policies.
func unfit(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`*+{}?#%\`, r)
}

func checkType(e *Entry) error {
	if e.Type == "" {
		return invalid("backend type must be specified as a string")
	}
	if e.Auth {
		switch e.Type {
		case TypeJWT, TypeOIDC:
			return nil
		case TypeToken:
			return invalid("cannot mount %q of type %q as an auth backend", e.Path, e.Type)
		}
		return fault.Newf(fault.Invalid, "plugin not found in the catalog: %s", e.Type)
	}
	switch e.Type {
	case TypeKV:
		return checkKV(e)
	case TypeSystem, TypeIdentity, TypeCubbyhole:
		return fault.Newf(fault.Denied, "mount type of %q is not mountable", e.Type)
	}
	return fault.Newf(fault.Invalid, "plugin not found in the catalog: %s", e.Type)
}

func checkKV(e *Entry) error {
	switch v := e.Options["version"]; v {
	case "", "1", "2":
		return nil
	default:
		return invalid("invalid value for option 'version' %q: must be \"1\" or \"2\"", v)
	}
}

func checkConfig(e *Entry) error {
	c := &e.Config
	if c.DefaultLeaseTTL < 0 || c.MaxLeaseTTL < 0 {
		return invalid("lease TTLs cannot be negative")
	}
	limit := c.MaxLeaseTTL
	if limit == 0 {
		limit = SystemTTL
	}
	if c.DefaultLeaseTTL > limit {
		if c.MaxLeaseTTL == 0 {
			return invalid("given default lease TTL greater than system max lease TTL of %d", int64(SystemTTL/time.Second))
		}
		return invalid("given default lease TTL greater than given max lease TTL")
	}
	switch c.ListingVisibility {
	case "", ListingHidden, ListingUnauth:
	default:
		return invalid("invalid listing_visibility %s", c.ListingVisibility)
	}
	for _, h := range []string{"Authorization", "X-Vault-Token"} {
		if slices.ContainsFunc(c.PassthroughRequestHeaders, func(p string) bool { return strings.EqualFold(p, h) }) {
			// The header may carry a client token (CVE-2026-4525).
			return invalid("'%s' cannot be passed through", h)
		}
	}
	if k := c.IdentityTokenKey; k != "" && k != DefaultTokenKey {
		return invalid("key %q does not exist", k)
	}
	return checkTokenType(e)
}

// checkTunable keeps the settings of the server's own drawers as they are,
// but for what the audit log shows of them.
func checkTunable(from, to *Entry) error {
	if from.Type != TypeSystem && from.Type != TypeCubbyhole {
		return nil
	}
	a, b := from.clone(), to.clone()
	for _, c := range []*Config{&a.Config, &b.Config} {
		c.AuditNonHMACRequestKeys, c.AuditNonHMACResponseKeys = nil, nil
	}
	if !reflect.DeepEqual(a, b) {
		return invalid("cannot tune %q: only audit_non_hmac_request_keys and audit_non_hmac_response_keys can be changed", from.Logical())
	}
	return nil
}

func checkTokenType(e *Entry) error {
	tt := e.Config.TokenType
	switch {
	case tt == "":
		return nil
	case !e.Auth:
		return invalid("'token_type' can only be modified on auth mounts")
	case e.Type == TypeToken:
		return invalid("'token_type' cannot be set for 'token' or 'ns_token' auth mounts")
	}
	switch tt {
	case TokenDefaultService, TokenDefaultBatch, TokenService, TokenBatch:
		return nil
	}
	return invalid("invalid value for 'token_type'")
}

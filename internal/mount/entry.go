package mount

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// SystemTTL is the lease time that applies where a mount sets none, both as
// default and as maximum. The reference's value: 768 h.
const SystemTTL = 768 * time.Hour

// AuthPrefix stands before the path of every auth method in a request path.
const AuthPrefix = "auth/"

// Types that the server knows.
const (
	TypeJWT       = "jwt"
	TypeOIDC      = "oidc" // the same method as jwt under another default path
	TypeToken     = "token"
	TypeKV        = "kv"
	TypeCubbyhole = "cubbyhole"
	TypeIdentity  = "identity"
	TypeSystem    = "system"
)

// Token types of an auth mount.
const (
	TokenDefaultService = "default-service"
	TokenDefaultBatch   = "default-batch"
	TokenService        = "service"
	TokenBatch          = "batch"
)

// DefaultTokenKey is the one name that identity_token_key may have.
const DefaultTokenKey = "default"

// Listing visibilities. Hidden is what the reference calls the default.
const (
	ListingHidden = "hidden"
	ListingUnauth = "unauth"
)

// Config is what `tune` changes. The zero value of each field means "not set".
type Config struct {
	DefaultLeaseTTL          time.Duration `json:"default_lease_ttl,omitzero"`
	MaxLeaseTTL              time.Duration `json:"max_lease_ttl,omitzero"`
	TokenType                string        `json:"token_type,omitzero"`
	ListingVisibility        string        `json:"listing_visibility,omitzero"`
	AuditNonHMACRequestKeys  []string      `json:"audit_non_hmac_request_keys,omitzero"`
	AuditNonHMACResponseKeys []string      `json:"audit_non_hmac_response_keys,omitzero"`
	// TrimSlashes lets a write to "a/" go to "a"; without it such a write is
	// refused.
	TrimSlashes bool `json:"trim_request_trailing_slashes,omitzero"`

	// What follows is kept and read back. No method or engine of this server
	// reads a request's headers, sets those of an answer, logs in for others,
	// asks for identity tokens or uses keys that live elsewhere, and nothing of
	// a mount is cached.
	ForceNoCache              bool     `json:"force_no_cache,omitzero"`
	PassthroughRequestHeaders []string `json:"passthrough_request_headers,omitzero"`
	AllowedResponseHeaders    []string `json:"allowed_response_headers,omitzero"`
	AllowedManagedKeys        []string `json:"allowed_managed_keys,omitzero"`
	DelegatedAuthAccessors    []string `json:"delegated_auth_accessors,omitzero"`
	IdentityTokenKey          string   `json:"identity_token_key,omitzero"`
}

// Entry is one mount. Entries of a Table are shared: read them, do not change
// them.
type Entry struct {
	Auth                  bool              `json:"auth,omitzero"`
	Path                  string            `json:"path"` // with trailing slash, without "auth/"
	Type                  string            `json:"type"`
	Description           string            `json:"description,omitzero"`
	UUID                  string            `json:"uuid"`
	Accessor              string            `json:"accessor"`
	Local                 bool              `json:"local,omitzero"`
	SealWrap              bool              `json:"seal_wrap,omitzero"`
	ExternalEntropyAccess bool              `json:"external_entropy_access,omitzero"`
	Options               map[string]string `json:"options,omitzero"` // nil when none were given
	Config                Config            `json:"config,omitzero"`
}

// Logical returns the mount's path as requests spell it, such as "auth/jwt/"
// or "secret/".
func (e *Entry) Logical() string {
	if e.Auth {
		return AuthPrefix + e.Path
	}
	return e.Path
}

// KVVersion returns 2 for a versioned key-value mount and 1 for a plain one.
func (e *Entry) KVVersion() int {
	if e.Options["version"] == "2" {
		return 2
	}
	return 1
}

// DefaultTTL returns the effective default lease time.
func (e *Entry) DefaultTTL() time.Duration {
	d := e.Config.DefaultLeaseTTL
	if d == 0 {
		d = SystemTTL
	}
	return min(d, e.MaxTTL())
}

// MaxTTL returns the effective maximum lease time.
func (e *Entry) MaxTTL() time.Duration {
	if e.Config.MaxLeaseTTL == 0 {
		return SystemTTL
	}
	return e.Config.MaxLeaseTTL
}

// Builtin reports whether the server itself needs the mount, so that it can
// neither be disabled nor moved.
func (e *Entry) Builtin() bool {
	switch e.Type {
	case TypeSystem, TypeIdentity, TypeCubbyhole, TypeToken:
		return true
	}
	return false
}

func (e *Entry) clone() *Entry {
	c := *e
	c.Options = maps.Clone(e.Options)
	c.Config.AuditNonHMACRequestKeys = slices.Clone(e.Config.AuditNonHMACRequestKeys)
	c.Config.AuditNonHMACResponseKeys = slices.Clone(e.Config.AuditNonHMACResponseKeys)
	c.Config.PassthroughRequestHeaders = slices.Clone(e.Config.PassthroughRequestHeaders)
	c.Config.AllowedResponseHeaders = slices.Clone(e.Config.AllowedResponseHeaders)
	c.Config.AllowedManagedKeys = slices.Clone(e.Config.AllowedManagedKeys)
	c.Config.DelegatedAuthAccessors = slices.Clone(e.Config.DelegatedAuthAccessors)
	return &c
}

// cleanPath returns path with exactly one trailing slash and none in front.
func cleanPath(path string) string {
	p := strings.Trim(path, "/")
	if p == "" {
		return ""
	}
	return p + "/"
}

package vaultapi

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/mount"
)

var tuneFields = []Field{
	{Name: "path", Help: "The mount."},
	{Name: "default_lease_ttl", Help: "Default life of leases; 0 = the system's."},
	{Name: "max_lease_ttl", Help: "Greatest life of leases; 0 = the system's."},
	{Name: "description", Help: "A sentence for people."},
	{Name: "audit_non_hmac_request_keys", Type: CommaList, Help: "Request parameters that the audit log shows in clear."},
	{Name: "audit_non_hmac_response_keys", Type: CommaList, Help: "Response fields that the audit log shows in clear."},
	{Name: "options", Type: KVPairs, Help: "Options of the type, such as version for kv; an empty value takes one away."},
	{Name: "listing_visibility", Help: "\"hidden\", or \"unauth\" to show the mount to callers without a token."},
	{Name: "token_type", Help: "Type of the tokens of an auth method."},
	{Name: "trim_request_trailing_slashes", Type: Bool, Help: "Let a write to a path ending in \"/\" go to the path without it."},
	{Name: "passthrough_request_headers", Type: CommaList, Help: "Kept and read back; no type here reads headers."},
	{Name: "allowed_response_headers", Type: CommaList, Help: "Kept and read back; no type here sets headers."},
	{Name: "allowed_managed_keys", Type: CommaList, Help: "Kept and read back; no type here uses managed keys."},
	{Name: "delegated_auth_accessors", Type: CommaList, Help: "Kept and read back; no type here logs in for others."},
	{Name: "identity_token_key", Help: "\"default\" or empty; kept and read back, no type here asks for identity tokens."},
	{Name: "user_lockout_config", Type: Object, Help: "Must be empty: no method here guesses passwords."},
	{Name: "plugin_version", Help: "Must be empty: types are built in."},
	{Name: "force_no_cache", Type: Bool, Help: "Kept and read back; nothing of a mount is cached."},
}

var errPluginVersion = fault.New(fault.Invalid, "types are built in: leave plugin_version empty")

// named is a setting and where it is kept. Tables of them are lists, so that
// of several wrong settings it is always the same one that is named.
type named[T any] struct {
	name string
	at   *T
}

// audited and idle are the settings that are lists; the latter have no effect.
func audited(c *mount.Config) []named[[]string] {
	return []named[[]string]{
		{"audit_non_hmac_request_keys", &c.AuditNonHMACRequestKeys}, {"audit_non_hmac_response_keys", &c.AuditNonHMACResponseKeys},
	}
}

func idle(c *mount.Config) []named[[]string] {
	return []named[[]string]{
		{"passthrough_request_headers", &c.PassthroughRequestHeaders}, {"allowed_response_headers", &c.AllowedResponseHeaders},
		{"allowed_managed_keys", &c.AllowedManagedKeys}, {"delegated_auth_accessors", &c.DelegatedAuthAccessors},
	}
}

// showSettings adds the settings that are shown only when they are set.
func showSettings(m map[string]any, e *mount.Entry) {
	c := &e.Config
	for _, l := range slices.Concat(audited(c), idle(c)) {
		if len(*l.at) > 0 {
			m[l.name] = *l.at
		}
	}
	for name, text := range map[string]string{"listing_visibility": c.ListingVisibility, "identity_token_key": c.IdentityTokenKey} {
		if text != "" {
			m[name] = text
		}
	}
	if c.TrimSlashes {
		m["trim_request_trailing_slashes"] = true
	}
}

func readTune(_ context.Context, c *Call, logical string) (*Reply, error) {
	e, ok := c.Runtime.Mounts.Table().Get(logical)
	if !ok {
		return nil, fault.Newf(fault.Invalid, "cannot fetch sysview for path %q", clip(logical+"/"))
	}
	d := map[string]any{
		"default_lease_ttl": Secs(e.DefaultTTL()), "max_lease_ttl": Secs(e.MaxTTL()),
		"force_no_cache": e.Config.ForceNoCache, "description": e.Description,
	}
	if e.Auth {
		d["token_type"] = tokenTypeOf(e)
	}
	if len(e.Options) > 0 {
		d["options"] = e.Options
	}
	if e.ExternalEntropyAccess {
		d["external_entropy_access"] = true
	}
	showSettings(d, e)
	return &Reply{Data: d, Doubled: true}, nil
}

func writeTune(ctx context.Context, c *Call, logical string) (*Reply, error) {
	var tuned *mount.Entry
	err := c.Runtime.Mounts.Tune(ctx, logical, func(e *mount.Entry) error {
		tuned = e
		if c.Has("description") {
			e.Description = c.String("description")
		}
		mergeOptions(e, c.KV("options"))
		if err := checkCompat(e); err != nil {
			return err
		}
		return tuneFrom(e, c)
	})
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, fault.Newf(fault.Invalid, "tune of path %q failed: no mount entry found", clip(logical+"/"))
	case err != nil:
		return nil, err
	}
	return withoutEffect(tuned, c), nil
}

// mergeOptions writes the given options over those of e. An empty value takes
// an option away; a version can only be replaced.
func mergeOptions(e *mount.Entry, given map[string]string) {
	if len(given) > 0 && e.Options == nil {
		e.Options = map[string]string{}
	}
	for k, v := range given {
		if v == "" && k != "version" {
			delete(e.Options, k)
			continue
		}
		e.Options[k] = v
	}
}

// withoutEffect says which of the settings that the caller gave are kept for
// nothing. nil: each of them has its effect.
func withoutEffect(e *mount.Entry, p tuneParams) *Reply {
	var names []string
	for _, l := range idle(&e.Config) {
		if _, given := p.raw(l.name); given && len(*l.at) > 0 {
			names = append(names, l.name)
		}
	}
	if _, given := p.raw("identity_token_key"); given && e.Config.IdentityTokenKey != "" {
		names = append(names, "identity_token_key")
	}
	if names == nil {
		return nil
	}
	r := &Reply{}
	r.Warn("Kept and read back, but without effect on a mount of type %s: %s", e.Type, strings.Join(names, ", "))
	return r
}

// tuneParams are the settings of a mount, from tune or from config.
type tuneParams interface {
	raw(name string) (any, bool)
}

// configParams are the settings inside the config object of an enable.
type configParams struct{ m map[string]any }

func (p configParams) raw(name string) (any, bool) { v, ok := p.m[name]; return v, ok && v != nil }

// tuneFrom writes the given settings into e.
func tuneFrom(e *mount.Entry, p tuneParams) error {
	if err := refuseForeign(e, p); err != nil {
		return err
	}
	if err := tuneTTLs(e, p); err != nil {
		return err
	}
	for _, l := range slices.Concat(audited(&e.Config), idle(&e.Config)) {
		err := setting(p, l.name, func(v any) (err error) {
			*l.at, err = toList(v, true)
			*l.at = slices.DeleteFunc(*l.at, func(s string) bool { return s == "" })
			return err
		})
		if err != nil {
			return err
		}
	}
	return tuneScalars(e, p)
}

// refuseForeign refuses settings that belong to types this server does not
// have. Kept, they would look like a protection.
func refuseForeign(e *mount.Entry, p tuneParams) error {
	if v, ok := p.raw("plugin_version"); ok && v != nil && v != "" {
		return errPluginVersion
	}
	return setting(p, "user_lockout_config", func(v any) error {
		if m, err := toMap(v); err != nil {
			return err
		} else if len(m) == 0 {
			return nil
		}
		return fault.Newf(fault.Invalid, "tuning of user lockout configuration for auth type %q not allowed", e.Type)
	})
}

// setting hands a setting that was given to set, and words what set refuses.
func setting(p tuneParams, name string, set func(v any) error) error {
	v, ok := p.raw(name)
	if !ok || v == nil {
		return nil
	}
	err := set(v)
	if err == nil || fault.Is(err, fault.Invalid) {
		return err
	}
	return fault.Newf(fault.Invalid, "error converting input for field %q: %s", name, err)
}

func tuneTTLs(e *mount.Entry, p tuneParams) error {
	for _, t := range []struct {
		name string
		dst  *time.Duration
		word string
	}{
		{"default_lease_ttl", &e.Config.DefaultLeaseTTL, "default"},
		{"max_lease_ttl", &e.Config.MaxLeaseTTL, "max"},
	} {
		v, ok := p.raw(t.name)
		if !ok || v == nil || v == "" {
			continue
		}
		if v == "system" {
			*t.dst = 0
			continue
		}
		d, err := toDuration(v)
		if err != nil {
			return fault.Newf(fault.Invalid, "unable to parse %s TTL: %s", t.word, err)
		}
		*t.dst = d
	}
	return nil
}

func tuneScalars(e *mount.Entry, p tuneParams) error {
	c := &e.Config
	for _, t := range []named[string]{
		{"listing_visibility", &c.ListingVisibility}, {"token_type", &c.TokenType}, {"identity_token_key", &c.IdentityTokenKey},
	} {
		if err := setting(p, t.name, func(v any) (err error) { *t.at, err = toString(v); return err }); err != nil {
			return err
		}
	}
	if c.TokenType == mount.TokenDefaultService {
		c.TokenType = ""
	}
	for _, t := range []named[bool]{{"force_no_cache", &c.ForceNoCache}, {"trim_request_trailing_slashes", &c.TrimSlashes}} {
		if err := setting(p, t.name, func(v any) (err error) { *t.at, err = toBool(v); return err }); err != nil {
			return err
		}
	}
	return nil
}

package authjwt

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
)

// Bounds on what one configuration may hold.
const (
	maxStaticKeys = 256
	maxPairs      = 64
	maxText       = 64 << 10
)

// What a login without a role gets: the one role that admits the token, or the
// first of the operator's list that does.
const (
	selectByClaims = "claims"
	selectFirst    = "first"
)

// Config says whose keys count on a mount. Exactly one key source is set.
type Config struct {
	DiscoveryURL     string   `json:"oidc_discovery_url,omitzero"`
	DiscoveryCAPEM   string   `json:"oidc_discovery_ca_pem,omitzero"`
	ClientID         string   `json:"oidc_client_id,omitzero"`
	ClientSecret     string   `json:"oidc_client_secret,omitzero"` // never read back
	ResponseMode     string   `json:"oidc_response_mode,omitzero"`
	ResponseTypes    []string `json:"oidc_response_types,omitzero"`
	JWKSURL          string   `json:"jwks_url,omitzero"`
	JWKSCAPEM        string   `json:"jwks_ca_pem,omitzero"`
	Pairs            []Pair   `json:"jwks_pairs,omitzero"`
	PublicKeys       []string `json:"jwt_validation_pubkeys,omitzero"`
	Algorithms       []string `json:"jwt_supported_algs,omitzero"`
	BoundIssuer      string   `json:"bound_issuer,omitzero"`
	DefaultRole      string   `json:"default_role,omitzero"`
	RoleSelection    string   `json:"role_selection,omitzero"` // "", "claims" or "first"
	RoleOrder        []string `json:"role_order,omitzero"`     // with "first": which roles, in which order
	NamespaceInState bool     `json:"namespace_in_state,omitzero"`
	CriticalCertExts []string `json:"unsupported_critical_cert_extensions,omitzero"`
	TLSServerNames   []string `json:"override_allowed_server_names,omitzero"`
}

// configFrom reads a whole new configuration; only namespace_in_state keeps
// its stored value when it is left out.
func configFrom(p Params, old *Config) (*Config, error) {
	c := &Config{
		DiscoveryURL: p.String("oidc_discovery_url"), DiscoveryCAPEM: p.String("oidc_discovery_ca_pem"),
		ClientID: p.String("oidc_client_id"), ClientSecret: p.String("oidc_client_secret"),
		ResponseMode: p.String("oidc_response_mode"), ResponseTypes: p.List("oidc_response_types"),
		JWKSURL: p.String("jwks_url"), JWKSCAPEM: p.String("jwks_ca_pem"),
		PublicKeys: trimPEM(p.List("jwt_validation_pubkeys")), Algorithms: p.List("jwt_supported_algs"),
		BoundIssuer: p.String("bound_issuer"), DefaultRole: p.String("default_role"), RoleSelection: p.String("role_selection"),
		RoleOrder:        lowered(p.List("role_order")),
		CriticalCertExts: p.List("unsupported_critical_cert_extensions"),
		TLSServerNames:   p.List("override_allowed_server_names"),
		NamespaceInState: true,
	}
	switch {
	case p.Has("namespace_in_state"):
		c.NamespaceInState = p.Bool("namespace_in_state")
	case old != nil:
		c.NamespaceInState = old.NamespaceInState
	}
	var err error
	if c.Pairs, err = pairsFrom(p.Any("jwks_pairs")); err != nil {
		return nil, err
	}
	return c, c.bounded()
}

// lowered returns names of roles as they are stored.
func lowered(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.ToLower(n)
	}
	return out
}

// trimPEM cuts the white space around keys, as they come from files.
func trimPEM(keys []string) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = strings.TrimSpace(k)
	}
	return out
}

// checkProvider refuses every special provider: none is built in.
func checkProvider(m map[string]any) error {
	if len(m) == 0 {
		return nil
	}
	provider, ok := m["provider"].(string)
	if !ok {
		return invalid("invalid provider_config: 'provider' field not found in provider_config")
	}
	return invalid("invalid provider_config: provider %q not found in custom providers", clip(provider))
}

func (c *Config) bounded() error {
	switch {
	case len(c.PublicKeys) > maxStaticKeys:
		return invalid("jwt_validation_pubkeys has more than %d keys", maxStaticKeys)
	case len(c.Pairs) > maxPairs:
		return invalid("invalid jwks_pairs: more than %d pairs", maxPairs)
	}
	for _, s := range slices.Concat(c.PublicKeys, c.ResponseTypes, c.Algorithms, c.CriticalCertExts, c.TLSServerNames, []string{
		c.DiscoveryURL, c.DiscoveryCAPEM, c.ClientID, c.ClientSecret, c.ResponseMode, c.JWKSURL, c.JWKSCAPEM, c.BoundIssuer, c.DefaultRole,
	}) {
		if len(s) > maxText {
			return invalid("a configuration value is longer than %d bytes", maxText)
		}
	}
	return c.public()
}

// public refuses private keys among what reads back. Those in place of public
// ones are refused where keys are parsed.
func (c *Config) public() error {
	private := func(s string) bool { return strings.Contains(s, "PRIVATE KEY-----") }
	readable := []string{c.DiscoveryURL, c.DiscoveryCAPEM, c.ClientID, c.JWKSURL, c.JWKSCAPEM, c.BoundIssuer}
	for _, p := range c.Pairs {
		readable = append(readable, string(p.Written))
	}
	if slices.ContainsFunc(readable, private) {
		return invalid("the configuration holds a private key: leave it out, and take it for exposed")
	}
	return nil
}

// issuer is what the iss of every token must be: the bound one, else the one
// whose discovery document names the keys. Empty: any.
func (c *Config) issuer(compat Compat) string {
	if c.BoundIssuer != "" || compat.AnyIssuer {
		return c.BoundIssuer
	}
	return c.DiscoveryURL
}

func algorithms(names []string) []jwt.Algorithm {
	if len(names) == 0 {
		return nil
	}
	out := make([]jwt.Algorithm, len(names))
	for i, a := range names {
		out[i] = jwt.Algorithm(a)
	}
	return out
}

// tls is what the mount asks of the certificates of all its endpoints.
func (c *Config) tls() jwks.TLSConfig {
	return jwks.TLSConfig{ServerNames: c.TLSServerNames, CriticalExtensions: c.CriticalCertExts}
}

func parseKeys(texts []string) ([]*jwt.Key, error) {
	keys := make([]*jwt.Key, len(texts))
	for i, text := range texts {
		k, err := parseKey(text)
		if err != nil {
			return nil, err
		}
		keys[i] = k
	}
	return keys, nil
}

func parseKey(text string) (*jwt.Key, error) {
	if _, rest := pem.Decode([]byte(text)); strings.TrimSpace(string(rest)) != "" && len(rest) < len(text) {
		return nil, invalid("error parsing public key: unexpected trailing data after parsed PEM block")
	}
	k, err := jwt.ParsePEM([]byte(text))
	if err != nil {
		if block, _ := pem.Decode([]byte(text)); block == nil {
			return nil, fault.Wrap(fault.Invalid, err, "error parsing public key: data does not contain any valid public keys")
		}
		return nil, fault.Wrap(fault.Invalid, err, "error parsing public key: "+fault.PublicText(err))
	}
	return k, nil
}

// check makes the write-time checks in the reference's order and returns the
// opened source. With skip_jwks_validation, endpoints that do not answer are a
// warning.
func (c *Config) check(ctx context.Context, client *jwks.Client, p Params) (_ *source, warnings []string, err error) {
	if err := c.checkSources(); err != nil {
		return nil, nil, err
	}
	s, err := c.open(client)
	if err != nil {
		return nil, nil, c.sourceError(err)
	}
	if err := c.probe(ctx, s); err != nil {
		if !p.Bool("skip_jwks_validation") {
			s.release()
			return nil, nil, err
		}
		warnings = append(warnings, fault.PublicText(err))
	}
	if err = c.checkRest(); err == nil {
		err = checkProvider(p.Object("provider_config"))
	}
	if err != nil {
		s.release()
		return nil, nil, err
	}
	return s, slices.Concat(warnings, s.barren(), c.idle(s)), nil
}

func (c *Config) checkSources() error {
	n := 0
	for _, set := range []bool{len(c.PublicKeys) > 0, c.JWKSURL != "", len(c.Pairs) > 0, c.DiscoveryURL != ""} {
		if set {
			n++
		}
	}
	switch {
	case n != 1:
		return invalid("exactly one of 'jwt_validation_pubkeys', 'jwks_url', 'jwks_pairs' or 'oidc_discovery_url' must be set")
	case (c.ClientID == "") != (c.ClientSecret == ""):
		return invalid("both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC")
	case strings.Contains(c.DiscoveryURL, ".well-known/openid-configuration"):
		return invalid("'oidc_discovery_url' contains '.well-known' component")
	case c.DiscoveryURL == "" && c.ClientID != "":
		return invalid("'oidc_discovery_url' must be set for OIDC")
	case len(c.Pairs) > 0 && c.JWKSCAPEM != "":
		return invalid("CA PEMs must be provided as part of the 'jwks_pairs' when using multiple JWKS URLs")
	case len(c.Pairs) > 0 && c.BoundIssuer != "":
		return invalid("Bound issuer is not supported for use with 'jwks_pairs'")
	}
	return c.checkSelection()
}

// checkSelection checks what a login without a role gets.
func (c *Config) checkSelection() error {
	switch {
	case c.RoleSelection != "" && c.RoleSelection != selectByClaims && c.RoleSelection != selectFirst:
		return invalid("invalid 'role_selection': %s", clip(c.RoleSelection))
	case c.RoleSelection != "" && c.DefaultRole != "":
		return invalid("'role_selection' and 'default_role' both say what a login without a role gets; set one")
	case c.RoleSelection != selectFirst && len(c.RoleOrder) > 0:
		return invalid("'role_order' needs role_selection=first")
	case c.RoleSelection == selectFirst && len(c.RoleOrder) == 0:
		return invalid("role_selection=first needs 'role_order', the roles to try in their order")
	case len(c.RoleOrder) > maxExplained:
		return invalid("'role_order' has more than %d roles", maxExplained)
	}
	seen := map[string]bool{}
	for _, name := range c.RoleOrder {
		if !fitsName(name) || seen[name] {
			return invalid("'role_order': %q is no name of a role, or stands there twice", clip(name))
		}
		seen[name] = true
	}
	return nil
}

// checkRest checks what needs no source.
func (c *Config) checkRest() error {
	if err := checkAlgorithms(c.Algorithms); err != nil {
		return err
	}
	for _, t := range c.ResponseTypes {
		if t != "code" && t != "id_token" {
			return invalid("invalid response_types %s. 'code' and 'id_token' are allowed", clip(fmt.Sprint(c.ResponseTypes)))
		}
	}
	switch c.ResponseMode {
	case "", "query":
		if slices.Contains(c.ResponseTypes, "id_token") {
			return invalid("query response_mode may not be used with an id_token response_type")
		}
	case "form_post":
	default:
		return invalid("invalid response_mode: %q", clip(c.ResponseMode))
	}
	return checkOIDs(c.CriticalCertExts)
}

// checkOIDs refuses what can never be the id of an extension, so that nobody
// thinks that it is tolerated.
func checkOIDs(ids []string) error {
	for _, id := range ids {
		if oid, err := x509.ParseOID(id); err != nil || oid.String() != id {
			return invalid("invalid unsupported_critical_cert_extensions: %q is no object id such as 2.5.29.30", clip(id))
		}
	}
	return nil
}

func checkAlgorithms(names []string) error {
	for _, a := range names {
		if alg := jwt.Algorithm(a); !alg.Known() || alg.Symmetric() {
			return invalid("invalid jwt_supported_algs: unsupported signing algorithm %q", clip(a))
		}
	}
	return nil
}

// View is the configuration as it is read back.
func (c *Config) View() map[string]any {
	pairs := make([]any, len(c.Pairs))
	for i, p := range c.Pairs {
		pairs[i] = p.view()
	}
	m := map[string]any{
		"bound_issuer": c.BoundIssuer, "default_role": c.DefaultRole,
		"jwks_ca_pem": c.JWKSCAPEM, "jwks_pairs": pairs, "jwks_url": c.JWKSURL,
		"jwt_supported_algs": notNil(c.Algorithms), "jwt_validation_pubkeys": notNil(c.PublicKeys),
		"namespace_in_state": c.NamespaceInState, "oidc_client_id": c.ClientID,
		"oidc_discovery_ca_pem": c.DiscoveryCAPEM, "oidc_discovery_url": c.DiscoveryURL,
		"oidc_response_mode": c.ResponseMode, "oidc_response_types": notNil(c.ResponseTypes),
		"override_allowed_server_names": notNil(c.TLSServerNames), "provider_config": map[string]any{},
		"unsupported_critical_cert_extensions": notNil(c.CriticalCertExts),
	}
	if c.RoleSelection != "" {
		m["role_selection"] = c.RoleSelection
	}
	if len(c.RoleOrder) > 0 {
		m["role_order"] = c.RoleOrder
	}
	return m
}

func notNil(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

// clip bounds what of a caller's value comes back in a message.
func clip(s string) string {
	const limit = 256
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

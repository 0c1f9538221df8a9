package vaultapi

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const maxTestText = 64 << 10 // what one value may have

func TestConfigsAreBounded(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	key := pemOf(t)
	type m = map[string]any
	for name, tc := range map[string]struct {
		config m
		want   string
	}{
		"keys":     {m{"jwt_validation_pubkeys": slices.Repeat([]string{key}, 257)}, "jwt_validation_pubkeys has more than 256 keys"},
		"pairs":    {m{"jwks_pairs": slices.Repeat([]any{m{"jwks_url": "https://127.0.0.1:1/"}}, 65)}, "invalid jwks_pairs: more than 64 pairs"},
		"one text": {m{"jwt_validation_pubkeys": key, "bound_issuer": strings.Repeat("x", maxTestText+1)}, "a configuration value is longer than 65536 bytes"},
		"in a list": {m{"jwt_validation_pubkeys": key, "override_allowed_server_names": strings.Repeat("x", maxTestText+1)},
			"a configuration value is longer than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			d.do("PUT", "auth/jwt/config", rootToken, tc.config).refused(400, tc.want)
			d.do("GET", "auth/jwt/config", rootToken, nil).want(404)
		})
	}
	for _, field := range []string{
		"oidc_discovery_url", "oidc_discovery_ca_pem", "oidc_client_id", "oidc_client_secret", "oidc_response_mode", "oidc_response_types",
		"jwks_url", "jwks_ca_pem", "jwt_validation_pubkeys", "jwt_supported_algs", "bound_issuer", "default_role",
		"unsupported_critical_cert_extensions", "override_allowed_server_names",
	} {
		d.do("PUT", "auth/jwt/config", rootToken, m{field: strings.Repeat("x", maxTestText+1)}).refused(400, "a configuration value is longer than 65536 bytes")
	}
	d.do("PUT", "auth/jwt/config", rootToken, m{
		"jwt_validation_pubkeys": slices.Repeat([]string{key}, 256), "bound_issuer": strings.Repeat("x", maxTestText),
	}).want(204)
}

func TestRolesAreBounded(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	long := strings.Repeat("x", maxTestText+1)
	many := make(map[string]any, 1025)
	var addresses []string // which any list takes
	for i := range 1025 {
		addresses = append(addresses, fmt.Sprintf("10.0.%d.%d", i/256, i%256))
		many[fmt.Sprint("c", i)] = fmt.Sprint("d", i)
	}
	const text, list, object = "a value of the role is longer than 65536 bytes",
		"a list of the role has more than 1024 values", "a map of the role has more than 1024 entries"
	for name, tc := range map[string]struct {
		with map[string]any
		want string
	}{
		"audiences":    {map[string]any{"bound_audiences": slices.Repeat([]string{"a"}, 1025)}, list},
		"one audience": {map[string]any{"bound_audiences": long}, text},
		"subject":      {map[string]any{"bound_subject": long}, text},
		"bound claims": {map[string]any{"bound_claims": map[string]any{"a": long}}, "bound_claims is longer than 65536 bytes"},
		"mappings":     {map[string]any{"claim_mappings": many}, object},
		"groups":       {map[string]any{"groups_claim": "g", "groups_map": many}, object},
		"uses":         {map[string]any{"token_num_uses": 1 << 31}, "'token_num_uses' is too large"},
	} {
		t.Run(name, func(t *testing.T) {
			d.role("x", tc.with).refused(400, tc.want)
			d.do("GET", "auth/jwt/role/x", rootToken, nil).want(404)
		})
	}
	for _, field := range []string{"bound_subject", "user_claim", "groups_claim", "bound_audiences", "token_policies", "oidc_scopes", "allowed_redirect_uris"} {
		d.role("x", map[string]any{field: long}).refused(400, text)
	}
	for _, field := range []string{"claim_mappings", "alias_metadata", "groups_map"} {
		d.role("x", map[string]any{"groups_claim": "g", field: map[string]any{"a": long}}).refused(400, text)
	}
	for _, field := range []string{"bound_audiences", "token_policies", "oidc_scopes", "allowed_redirect_uris"} {
		d.role("x", map[string]any{field: addresses}).refused(400, list)
	}
	d.role(strings.Repeat("n", 256), nil).want(204)
	d.role(strings.Repeat("n", 257), nil).refused(404, "1 error occurred:\n\t* unsupported path\n\n")
}

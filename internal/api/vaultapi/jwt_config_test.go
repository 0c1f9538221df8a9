package vaultapi

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/idptest"
)

// enableJWT mounts the method at auth/jwt.
func (d *door) enableJWT() {
	d.t.Helper()
	d.do("POST", "sys/auth/jwt", rootToken, map[string]any{"type": "jwt"}).want(204)
}

func pemOf(t testing.TB) string {
	t.Helper()
	return string(idptest.NewKey(t, "", "ES256").PEM(t))
}

func TestConfigReadsBackAsWritten(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	d.do("GET", "auth/jwt/config", rootToken, nil).want(404)
	if e := d.do("GET", "auth/jwt/config", rootToken, nil).errors(); len(e) != 0 {
		t.Errorf("errors %q, want none", e)
	}
	key := pemOf(t)
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{
		"jwt_validation_pubkeys": key, "bound_issuer": "https://issuer.example", "default_role": "DEMO",
	}).want(204)
	want := map[string]any{
		"bound_issuer": "https://issuer.example", "default_role": "demo", "jwks_ca_pem": "", "jwks_pairs": []any{}, "jwks_url": "",
		"jwt_supported_algs": []any{}, "jwt_validation_pubkeys": []any{strings.TrimSpace(key)}, "namespace_in_state": true,
		"oidc_client_id": "", "oidc_discovery_ca_pem": "", "oidc_discovery_url": "", "oidc_response_mode": "",
		"oidc_response_types": []any{}, "override_allowed_server_names": []any{}, "provider_config": map[string]any{},
		"status": "valid", "unsupported_critical_cert_extensions": []any{},
	}
	if got := d.do("GET", "auth/jwt/config", rootToken, nil).want(200).data(); !reflect.DeepEqual(got, want) {
		t.Errorf("config reads back as\n%v\nwant\n%v", got, want)
	}
}

func TestConfigWriteReplacesEverythingButNamespaceInState(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	key := pemOf(t)
	d.do("POST", "auth/jwt/config", rootToken, map[string]any{
		"jwt_validation_pubkeys": []string{key}, "bound_issuer": "i", "jwt_supported_algs": "ES256, RS256", "namespace_in_state": false,
	}).want(204)
	d.do("POST", "auth/jwt/config", rootToken, map[string]any{"jwt_validation_pubkeys": key}).want(204)
	got := d.do("GET", "auth/jwt/config", rootToken, nil).data()
	if got["bound_issuer"] != "" || len(got["jwt_supported_algs"].([]any)) != 0 || got["namespace_in_state"] != false {
		t.Errorf("after a rewrite: %v", got)
	}
}

func TestConfigSecretIsNeverReadBack(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	p := idptest.New(t)
	d.do("POST", "auth/jwt/config", rootToken, map[string]any{
		"oidc_discovery_url": p.Issuer(), "oidc_discovery_ca_pem": p.CAPEM(), "oidc_client_id": "id", "oidc_client_secret": "s3cr3t",
	}).want(204)
	a := d.do("GET", "auth/jwt/config", rootToken, nil).want(200)
	if strings.Contains(string(a.body), "s3cr3t") || a.data()["oidc_client_id"] != "id" {
		t.Errorf("config reads back as %s", a.body)
	}
}

func TestConfigRefusals(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	key := pemOf(t)
	idp := idptest.NewPlain(t)
	wrong := idptest.NewPlain(t)
	wrong.Fail(idptest.WrongIssuer)
	broken := idptest.NewPlain(t)
	broken.Fail(idptest.Status500)
	const one = "exactly one of 'jwt_validation_pubkeys', 'jwks_url', 'jwks_pairs' or 'oidc_discovery_url' must be set"
	const pairs = "invalid jwks_pairs: jwks_pairs must be provided as a list of json objects with the fields jwks_url and jwks_ca_pem"
	static := map[string]any{"jwt_validation_pubkeys": key}
	pair := map[string]any{"jwks_pairs": []any{map[string]any{"jwks_url": idp.JWKSURL()}}}
	for name, tc := range map[string]struct {
		base map[string]any
		add  map[string]any
		want string // the error begins with it
	}{
		"no source":             {nil, map[string]any{"bound_issuer": "x"}, one},
		"two sources":           {static, map[string]any{"jwks_url": "http://127.0.0.1:9/jwks"}, one},
		"id without secret":     {static, map[string]any{"oidc_client_id": "x"}, "both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC"},
		"id without discovery":  {static, map[string]any{"oidc_client_id": "x", "oidc_client_secret": "y"}, "'oidc_discovery_url' must be set for OIDC"},
		"discovery not there":   {nil, map[string]any{"oidc_discovery_url": "http://127.0.0.1:1"}, "error checking oidc discovery URL: "},
		"discovery other":       {nil, map[string]any{"oidc_discovery_url": wrong.Issuer()}, "error checking oidc discovery URL: "},
		"discovery slash":       {nil, map[string]any{"oidc_discovery_url": idp.Issuer() + "/"}, "error checking oidc discovery URL: "},
		"discovery well-known":  {nil, map[string]any{"oidc_discovery_url": idp.Issuer() + "/.well-known/openid-configuration"}, "'oidc_discovery_url' contains '.well-known' component"},
		"discovery plain http":  {nil, map[string]any{"oidc_discovery_url": "http://idp.example.com"}, "error checking oidc discovery URL: plain http is for"},
		"ca with pairs":         {pair, map[string]any{"jwks_ca_pem": "x"}, "CA PEMs must be provided as part of the 'jwks_pairs' when using multiple JWKS URLs"},
		"issuer with pairs":     {pair, map[string]any{"bound_issuer": "x"}, "Bound issuer is not supported for use with 'jwks_pairs'"},
		"bad ca":                {nil, map[string]any{"jwks_url": "https://127.0.0.1:1/", "jwks_ca_pem": "x"}, "error checking jwks_ca_pem: "},
		"jwks broken":           {nil, map[string]any{"jwks_url": broken.JWKSURL()}, "error checking jwks URL " + broken.JWKSURL() + ": "},
		"jwks metadata address": {nil, map[string]any{"jwks_url": "https://169.254.169.254/keys"}, "error checking jwks URL https://169.254.169.254/keys: "},
		"pairs text":            {nil, map[string]any{"jwks_pairs": "x"}, pairs},
		"pairs of texts":        {nil, map[string]any{"jwks_pairs": []any{"x"}}, pairs},
		"pairs without url":     {nil, map[string]any{"jwks_pairs": []any{map[string]any{"jwks_ca_pem": "x"}}}, pairs},
		"pair broken":           {nil, map[string]any{"jwks_pairs": []any{map[string]any{"jwks_url": idp.JWKSURL()}, map[string]any{"jwks_url": broken.JWKSURL()}}}, "error checking jwks URL " + broken.JWKSURL() + ": "},
		"pair bad ca":           {nil, map[string]any{"jwks_pairs": []any{map[string]any{"jwks_url": idp.JWKSURL(), "jwks_ca_pem": "x"}}}, "error checking jwks_ca_pem: "},
		"password in the URL":   {nil, map[string]any{"jwks_url": "https://me:s3cr3t@127.0.0.1/keys?key=s3cr3t"}, "error checking jwks URL https://127.0.0.1/keys: the key source's URL must not contain a user name or password"},
		"secret for the URL":    {nil, map[string]any{"jwks_url": "s3cr3t"}, "error checking jwks URL: the key source must be an absolute URL"},
		"private key with a CA": {nil, map[string]any{"jwks_url": idp.JWKSURL(), "jwks_ca_pem": idp.CAPEM() + "-----BEGIN RSA PRIVATE KEY-----\ns3cr3t"}, "the configuration holds a private key: leave it out, and take it for exposed"},
		"private key in a pair": {nil, map[string]any{"jwks_pairs": []any{map[string]any{"jwks_url": idp.JWKSURL(), "jwks_ca_pem": "-----BEGIN PRIVATE KEY-----\ns3cr3t"}}}, "the configuration holds a private key: leave it out, and take it for exposed"},
		"one key left empty":    {nil, map[string]any{"jwt_validation_pubkeys": []string{key, ""}}, "error parsing public key: data does not contain any valid public keys"},
		"mode before provider":  {static, map[string]any{"oidc_response_mode": "x", "provider_config": map[string]any{"provider": "x"}}, `invalid response_mode: "x"`},
		"no key":                {nil, map[string]any{"jwt_validation_pubkeys": "x"}, "error parsing public key: data does not contain any valid public keys"},
		"key and more":          {nil, map[string]any{"jwt_validation_pubkeys": key + "\nmore"}, "error parsing public key: unexpected trailing data after parsed PEM block"},
		"HS256":                 {static, map[string]any{"jwt_supported_algs": "HS256"}, `invalid jwt_supported_algs: unsupported signing algorithm "HS256"`},
		"none":                  {static, map[string]any{"jwt_supported_algs": []string{"none"}}, `invalid jwt_supported_algs: unsupported signing algorithm "none"`},
		"response type":         {static, map[string]any{"oidc_response_types": "token"}, "invalid response_types"},
		"response mode":         {static, map[string]any{"oidc_response_mode": "x"}, `invalid response_mode: "x"`},
		"query with id_token":   {static, map[string]any{"oidc_response_types": "id_token", "oidc_response_mode": "query"}, "query response_mode may not be used with an id_token response_type"},
		"no object id":          {static, map[string]any{"unsupported_critical_cert_extensions": "2.5.29.30,zz"}, `invalid unsupported_critical_cert_extensions: "zz" is no object id such as 2.5.29.30`},
		"object id misspelt":    {static, map[string]any{"unsupported_critical_cert_extensions": "2.5.29.030"}, `invalid unsupported_critical_cert_extensions: "2.5.29.030" is no object id`},
		"provider unnamed":      {static, map[string]any{"provider_config": map[string]any{"x": "y"}}, "invalid provider_config: 'provider' field not found in provider_config"},
		"provider unknown":      {static, map[string]any{"provider_config": map[string]any{"provider": "x"}}, `invalid provider_config: provider "x" not found in custom providers`},
		"object for text":       {static, map[string]any{"bound_issuer": map[string]any{"s3cr3t": 1}}, `Field validation failed: error converting input for field "bound_issuer": `},
	} {
		t.Run(name, func(t *testing.T) {
			body := maps.Clone(tc.base)
			if body == nil {
				body = map[string]any{}
			}
			maps.Copy(body, tc.add)
			a := d.do("POST", "auth/jwt/config", rootToken, body).want(400)
			if e := a.errors(); len(e) != 1 || !strings.HasPrefix(e[0], tc.want) {
				t.Errorf("errors %q, want %q", e, tc.want)
			}
			if s := string(a.body); strings.Contains(s, idptest.Secret) || strings.Contains(s, "s3cr3t") {
				t.Errorf("the answer shows what it must not: %s", s)
			}
		})
	}
	d.do("GET", "auth/jwt/config", rootToken, nil).want(404)
}

// TestPairsReadBackAsWritten: what clients know of a pair is what they wrote.
func TestPairsReadBackAsWritten(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	url := d.issuer().JWKSURL()
	for _, pair := range []map[string]any{
		{"jwks_url": url},
		{"jwks_url": url, "jwks_ca_pem": ""},
		{"jwks_url": url, "jwks_ca_pem": nil},
		{"jwks_url": url, "issuer": "i", "bound_audiences": "a, b", "max_token_age": "10m"},
		{"jwks_url": url, "issuer": "i", "bound_audiences": []any{"a", "b"}, "jwt_supported_algs": []any{}},
	} {
		d.do("POST", "auth/jwt/config", rootToken, map[string]any{"jwks_pairs": []any{pair}}).want(204)
		got := d.do("GET", "auth/jwt/config", rootToken, nil).want(200).data()["jwks_pairs"]
		if !reflect.DeepEqual(got, []any{pair}) {
			t.Errorf("%v reads back as %v", pair, got)
		}
	}
}

func TestASetWithoutUsableKeysIsWarnedOf(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	empty := d.issuer()
	empty.Remove(empty.Rotate("ES256"))
	for _, k := range []map[string]any{{"jwks_url": empty.JWKSURL()}, {"jwks_pairs": []any{
		map[string]any{"jwks_url": d.issuer().JWKSURL()}, map[string]any{"jwks_url": empty.JWKSURL()},
	}}} {
		w := d.do("POST", "auth/jwt/config", rootToken, k).want(200).json()["warnings"]
		want := "[the key set of " + empty.JWKSURL() + " has no key that can be used (it is empty): no token can be verified with it]"
		if words(w) != want {
			t.Errorf("warnings %v, want %s", w, want)
		}
	}
}

func TestAKeyThatNoAllowedAlgorithmFitsIsWarnedOf(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	keys := []string{string(idptest.NewKey(t, "", "RS256").PEM(t)), pemOf(t)}
	w := d.do("POST", "auth/jwt/config", rootToken, map[string]any{"jwt_validation_pubkeys": keys, "jwt_supported_algs": "ES256"}).want(200).json()["warnings"]
	if words(w) != "[key 1 of jwt_validation_pubkeys is of type RSA and can verify none of jwt_supported_algs]" {
		t.Errorf("warnings %v", w)
	}
	d.do("POST", "auth/jwt/config", rootToken, map[string]any{"jwt_validation_pubkeys": keys, "jwt_supported_algs": "ES256,PS512"}).want(204)
}

func TestConfigCanBeWrittenWhileTheProviderIsDown(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	idp := idptest.NewPlain(t)
	idp.Fail(idptest.Status500)
	a := d.do("POST", "auth/jwt/config", rootToken, map[string]any{"jwks_url": idp.JWKSURL(), "skip_jwks_validation": true}).want(200)
	if w := a.json()["warnings"].([]any); len(w) != 1 || !strings.Contains(w[0].(string), "error checking jwks URL") {
		t.Errorf("warnings %q", w)
	}
	if _, stored := d.do("GET", "auth/jwt/config", rootToken, nil).want(200).data()["skip_jwks_validation"]; stored {
		t.Error("skip_jwks_validation reads back")
	}
}

func TestConfigKnowsNoOtherVerbs(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	d.do("DELETE", "auth/jwt/config", rootToken, nil).refused(405, "1 error occurred:\n\t* unsupported operation\n\n")
	d.do("LIST", "auth/jwt/config", rootToken, nil).refused(405, "1 error occurred:\n\t* unsupported operation\n\n")
}

func TestConfigMayNameWhatTheCertificateOfTheKeyEndpointCarries(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	p := idptest.New(t) // its certificate is for 127.0.0.1 and example.com
	body := func(names ...string) map[string]any {
		return map[string]any{"oidc_discovery_url": p.Issuer(), "oidc_discovery_ca_pem": p.CAPEM(), "override_allowed_server_names": names}
	}
	a := d.do("POST", "auth/jwt/config", rootToken, body("other.example")).want(400)
	if e := a.errors(); !strings.Contains(e[0], "the endpoint's certificate is not trusted") {
		t.Errorf("errors %q", e)
	}
	d.do("POST", "auth/jwt/config", rootToken, body("other.example", "example.com")).want(204)
	pair := map[string]any{"jwks_pairs": []any{map[string]any{"jwks_url": p.JWKSURL(), "jwks_ca_pem": p.CAPEM()}}, "override_allowed_server_names": "other.example"}
	d.do("POST", "auth/jwt/config", rootToken, pair).want(400)
	pair["override_allowed_server_names"] = "example.com"
	d.do("POST", "auth/jwt/config", rootToken, pair).want(204)
	if got := d.do("GET", "auth/jwt/config", rootToken, nil).want(200).data()["override_allowed_server_names"]; words(got) != "[example.com]" {
		t.Errorf("reads back as %v", got)
	}
}

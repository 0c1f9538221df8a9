package vaultapi

import (
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/idptest"
)

// issuer starts an identity provider on the door's clock.
func (d *door) issuer() *idptest.Provider {
	p := idptest.NewPlain(d.t)
	p.SetClock(d.clock.now)
	p.AddKey("ES256")
	return p
}

func TestSeveralIssuersOnOneMountNeverSpeakForEachOther(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	one, two, stranger := d.issuer(), d.issuer(), d.issuer()
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{"jwks_pairs": []any{
		map[string]any{"jwks_url": one.JWKSURL(), "issuer": one.Issuer()},
		map[string]any{"oidc_discovery_url": two.Issuer()},
	}}).want(204)
	d.role("demo", nil).want(204)
	for _, p := range []*idptest.Provider{one, two} {
		// Both publish a key with the same id.
		d.login("demo", p.Token("bao", nil)).want(200)
	}
	const wrong = "error validating token: invalid issuer (iss) claim"
	before, _ := one.Fetches()
	d.login("demo", stranger.Token("bao", nil)).refused(400, wrong)
	d.login("demo", one.Token("bao", map[string]any{"iss": nil})).refused(400, wrong)
	d.login("demo", one.Token("bao", map[string]any{"iss": one.Issuer() + "/"})).refused(400, wrong)
	if after, _ := one.Fetches(); after != before {
		t.Error("a token of a stranger made the server fetch keys")
	}
	// A token that one signed in the name of two.
	if a := d.login("demo", one.Token("bao", map[string]any{"iss": two.Issuer()})); a.status != 400 {
		t.Fatalf("one issuer spoke for another: %s", a.body)
	}
	pairs := d.do("GET", "auth/jwt/config", rootToken, nil).want(200).data()["jwks_pairs"].([]any)
	if words(pairs...) != words(
		map[string]any{"jwks_url": one.JWKSURL(), "issuer": one.Issuer(), "jwks_ca_pem": ""},
		map[string]any{"oidc_discovery_url": two.Issuer(), "jwks_ca_pem": ""}) {
		t.Fatal(pairs)
	}
}

func TestPairsThatContradictEachOtherAreRefused(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	p := d.issuer()
	type m = map[string]any
	for text, pairs := range map[string][]any{
		"invalid jwks_pairs: either all pairs name their issuer or none does":   {m{"jwks_url": p.JWKSURL(), "issuer": "a"}, m{"jwks_url": p.JWKSURL()}},
		`invalid jwks_pairs: issuer "a" stands in two pairs`:                    {m{"jwks_url": p.JWKSURL(), "issuer": "a"}, m{"jwks_url": p.JWKSURL(), "issuer": "a"}},
		"invalid jwks_pairs: the issuer of an 'oidc_discovery_url' is that URL": {m{"oidc_discovery_url": p.Issuer(), "issuer": "a"}},
		"invalid jwks_pairs: jwks_pairs must be provided as a list of json objects with the fields jwks_url and jwks_ca_pem": {
			m{"oidc_discovery_url": p.Issuer(), "jwks_url": p.JWKSURL()}},
	} {
		d.do("PUT", "auth/jwt/config", rootToken, m{"jwks_pairs": pairs}).refused(400, text)
	}
}

func TestClaimsMayChooseTheRole(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	key := idptest.NewKey(t, "", "ES256")
	config := map[string]any{"jwt_validation_pubkeys": string(key.PEM(t)), "bound_issuer": "https://issuer.example"}
	d.do("POST", "auth/jwt/config", rootToken, config).want(204)
	d.role("dev", map[string]any{"bound_claims": map[string]any{"team": []string{"dev", "both"}}}).want(204)
	d.role("ops", map[string]any{"bound_claims": map[string]any{"team": []string{"ops", "both"}}}).want(204)
	d.role("far", map[string]any{"bound_claims": map[string]any{"team": "dev"}, "token_bound_cidrs": "203.0.113.0/24"}).want(204)
	jwt := func(team string) string { return key.Token(t, d.claims(map[string]any{"team": team})) }

	d.login("", jwt("dev")).refused(400, "missing role") // as in the reference, unless the mount says otherwise
	config["role_selection"] = "claims"
	d.do("POST", "auth/jwt/config", rootToken, config).want(204)
	if got := d.do("GET", "auth/jwt/config", rootToken, nil).data()["role_selection"]; got != "claims" {
		t.Fatal(got)
	}
	for _, team := range []string{"dev", "ops"} {
		if auth := d.login("", jwt(team)).auth(); words(auth["metadata"]) != "map[role:"+team+"]" {
			t.Fatal(team, auth)
		}
	}
	d.login("", jwt("none")).refused(400, "no role of this mount admits the token")
	if e := d.audit.last(); len(e.Checks) != 3 {
		t.Fatalf("the audit entry must say why no role admits it: %v", e.Checks)
	}
	d.login("", jwt("both")).refused(400, "more than one role of this mount admits the token; name the one that is meant")
	d.login("ops", jwt("both")).want(200)
	d.login("ops", jwt("dev")).want(400) // naming a role is still binding
	d.login("", "").refused(400, "missing token")
	d.login("", "x.y.z").want(400)
	forged := idptest.NewKey(t, "", "ES256").Token(t, d.claims(map[string]any{"team": "dev"}))
	d.login("", forged).want(400)

	config["default_role"] = "dev"
	d.do("POST", "auth/jwt/config", rootToken, config).want(400)
	config["default_role"], config["role_selection"] = "", "odd"
	d.do("POST", "auth/jwt/config", rootToken, config).refused(400, "invalid 'role_selection': odd")
}

func TestTheOperatorsOrderMayChooseTheRole(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	key := idptest.NewKey(t, "", "ES256")
	config := map[string]any{"jwt_validation_pubkeys": string(key.PEM(t)), "bound_issuer": "https://issuer.example"}
	write := func(selection string, order ...string) answer {
		config["role_selection"], config["role_order"] = selection, order
		return d.do("POST", "auth/jwt/config", rootToken, config)
	}
	for text, tc := range map[string]struct {
		selection string
		order     []string
	}{
		"'role_order' needs role_selection=first":                                  {"claims", []string{"a"}},
		"role_selection=first needs 'role_order', the roles to try in their order": {"first", nil},
		`'role_order': "a" is no name of a role, or stands there twice`:            {"first", []string{"a", "b", "A"}},
		`'role_order': "../config" is no name of a role, or stands there twice`:    {"first", []string{"../config"}},
		"invalid 'role_selection': union":                                          {"union", nil},
		"'role_order' has more than 100 roles":                                     {"first", strings.Split(strings.Repeat("a,", 101), ",")[:101]},
	} {
		write(tc.selection, tc.order...).refused(400, text)
	}
	w := write("first", "GONE", "far", "ops", "dev").want(200).json()["warnings"].([]any)
	if words(w...) != `Role "gone" of role_order does not exist Role "far" of role_order does not exist Role "ops" of role_order does not exist Role "dev" of role_order does not exist` {
		t.Errorf("warnings %v", w)
	}
	d.role("dev", nil).want(204) // admits every token of the issuer
	d.role("ops", map[string]any{"bound_claims": map[string]any{"team": "ops"}}).want(204)
	d.role("far", map[string]any{"token_bound_cidrs": "203.0.113.0/24"}).want(204)
	d.role("all", nil).want(204) // not in the list
	if got := d.do("GET", "auth/jwt/config", rootToken, nil).want(200).data(); words(got["role_selection"], got["role_order"]) != "first [gone far ops dev]" {
		t.Errorf("config reads %v", got)
	}
	jwt := func(team string) string { return key.Token(t, d.claims(map[string]any{"team": team})) }
	for team, role := range map[string]string{"ops": "ops", "x": "dev"} {
		if auth := d.login("", jwt(team)).auth(); words(auth["metadata"]) != "map[role:"+role+"]" {
			t.Errorf("a token of team %s got %v", team, auth["metadata"])
		}
	}
	if auth := d.login("all", jwt("ops")).auth(); words(auth["metadata"]) != "map[role:all]" {
		t.Error("a role that is named stays binding", auth)
	}
	forged := idptest.NewKey(t, "", "ES256").Token(t, d.claims(map[string]any{"team": "ops"}))
	d.login("", forged).refused(400, "error validating token: error verifying token signature: no known key successfully validated the token signature")
	d.do("DELETE", "auth/jwt/role/dev", rootToken, nil).want(204)
	d.login("", jwt("x")).refused(400, "no role of this mount admits the token")
	if e := d.audit.last(); len(e.Checks) != 2 || e.Checks[0].Expected != "far" || e.Checks[0].Reason != "address" || e.Checks[1].Expected != "ops" {
		t.Errorf("the audit entry must say why no role admits it: %v", e.Checks)
	}
}

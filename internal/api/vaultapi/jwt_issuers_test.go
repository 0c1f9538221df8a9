package vaultapi

import (
	"fmt"
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
		map[string]any{"jwks_url": one.JWKSURL(), "issuer": one.Issuer()},
		map[string]any{"oidc_discovery_url": two.Issuer()}) {
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
		`invalid jwks_pairs: unknown field "bound_audience": there are jwks_url, jwks_ca_pem, issuer, oidc_discovery_url, jwt_validation_pubkeys, bound_audiences, jwt_supported_algs, max_token_age`: {
			m{"jwks_url": p.JWKSURL(), "issuer": "a", "bound_audience": "vault"}},
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

// TestEachIssuerOfAMountMayHaveBounds: keys that stand in the configuration,
// algorithms, audiences and ages belong to one issuer only.
func TestRolesForBrowsersAreNeverChosen(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("browser", map[string]any{"role_type": "oidc", "allowed_redirect_uris": "https://app.example/cb"}).want(204)
	d.role("demo", nil).want(204)
	jwt := key.Token(t, d.claims(nil))
	for _, with := range []map[string]any{{"role_selection": "claims"}, {"role_selection": "first", "role_order": "browser,demo"}} {
		with["jwt_validation_pubkeys"] = string(key.PEM(t))
		d.do("PUT", "auth/jwt/config", rootToken, with).want(204)
		if role := d.login("", jwt).auth()["metadata"].(map[string]any)["role"]; role != "demo" {
			t.Errorf("%v: logged in as %v", with["role_selection"], role)
		}
		roles := d.do("POST", "auth/jwt/explain", rootToken, map[string]any{"jwt": jwt}).want(200).data()["roles"].([]any)
		if one := roles[0].(map[string]any); len(roles) != 1 || one["role"] != "demo" || one["chosen"] != true {
			t.Errorf("%v: explained as %v", with["role_selection"], roles)
		}
	}
}

func TestAMountWithManyRolesChoosesNone(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{"jwt_validation_pubkeys": string(key.PEM(t)), "role_selection": "claims"}).want(204)
	d.role("aa", nil).want(204)
	for i := range 99 {
		d.role(fmt.Sprint("r", i), map[string]any{"bound_subject": "nobody"}).want(204)
	}
	jwt := key.Token(t, d.claims(nil))
	chosen := func() any {
		roles := d.do("POST", "auth/jwt/explain", rootToken, map[string]any{"jwt": jwt}).want(200).data()["roles"].([]any)
		return roles[0].(map[string]any)["chosen"]
	}
	d.login("", jwt).want(200)
	if chosen() != true {
		t.Error("the one role that fits is not explained as chosen")
	}
	d.role("zz", map[string]any{"bound_subject": "nobody"}).want(204)
	d.login("", jwt).refused(400, "this mount has more than 100 roles; name the one that is meant")
	if chosen() == true {
		t.Error("a role is explained as chosen, and no login gets it")
	}
	d.login("aa", jwt).want(200)
}

func TestEachIssuerOfAMountMayHaveBounds(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	one, pem := d.issuer(), idptest.NewKey(t, "any-kid", "ES256")
	type m = map[string]any
	pairs := []any{
		m{"jwks_url": one.JWKSURL(), "issuer": one.Issuer(), "bound_audiences": "bao, more", "jwt_supported_algs": []string{"ES256"}, "max_token_age": "90"},
		m{"jwt_validation_pubkeys": []string{string(pem.PEM(t))}, "issuer": "https://pem.example", "max_token_age": 30},
	}
	d.do("PUT", "auth/jwt/config", rootToken, m{"jwks_pairs": pairs}).want(204)
	d.role("demo", m{"bound_audiences": "bao,x", "clock_skew_leeway": -1}).want(204)
	d.role("open", m{"bound_audiences": "", "bound_subject": "user", "clock_skew_leeway": -1}).want(200)
	now := d.clock.now().Unix()
	byPEM := func(with m) string { return pem.Token(t, d.claims(with)) }
	mine := m{"iss": "https://pem.example"}
	d.login("demo", one.Token("bao", nil)).want(200)
	d.login("demo", byPEM(mine)).want(200)
	const aud = "error validating token: invalid audience (aud) claim: audience claim does not match any expected audience"
	for name, tc := range map[string]struct{ role, jwt, want string }{
		"one's key for the other": {"demo", one.Token("bao", mine), "error validating token: error verifying token signature: failed to verify id token signature"},
		"the PEM key for one":     {"demo", byPEM(m{"iss": one.Issuer()}), "error validating token: error verifying token signature: failed to verify id token signature"},
		"a stranger":              {"demo", byPEM(m{"iss": "https://x.example"}), "error validating token: invalid issuer (iss) claim"},
		"one's audience":          {"demo", one.Token("x", nil), aud + " of the issuer"},
		"the role's audience":     {"demo", one.Token("more", nil), aud},
		"one's age":               {"demo", one.Token("bao", m{"iat": now - 91}), "error validating token: invalid issued at (iat) claim: token is too old"},
		"the other's age":         {"demo", byPEM(m{"iss": "https://pem.example", "iat": now - 31}), "error validating token: invalid issued at (iat) claim: token is too old"},
		"nobody's audience":       {"open", byPEM(mine), "audience claim found in JWT but no audiences bound to the role"},
	} {
		t.Run(name, func(t *testing.T) {
			d.login(tc.role, tc.jwt).refused(400, tc.want)
		})
	}
	d.login("open", one.Token("more", m{"sub": "user"})).want(200)
	rs := idptest.NewPlain(t) // signs with RS256
	rs.SetClock(d.clock.now)
	d.do("PUT", "auth/jwt/config", rootToken, m{"jwks_pairs": []any{m{"oidc_discovery_url": rs.Issuer(), "jwt_supported_algs": "ES256,PS256"}}}).want(204)
	d.login("demo", rs.Token("bao", nil)).refused(400, "error validating token: invalid algorithm (alg) header parameter: token signed with unexpected algorithm")
	if n, _ := rs.Fetches(); n > 1 {
		t.Error("a token that can never pass made the server fetch keys")
	}

	d.do("PUT", "auth/jwt/config", rootToken, m{"jwks_pairs": pairs}).want(204)
	got := d.do("GET", "auth/jwt/config", rootToken, nil).want(200).data()["jwks_pairs"].([]any)
	if words(got...) != words(pairs...) {
		t.Error(got)
	}
	d.do("PUT", "auth/jwt/config", rootToken, m{"jwks_pairs": got}).want(204) // what was read can be written
	const shape = "invalid jwks_pairs: jwks_pairs must be provided as a list of json objects with the fields jwks_url and jwks_ca_pem"
	for name, tc := range map[string]struct {
		pair m
		want string
	}{
		"bounds of nobody": {m{"jwks_url": one.JWKSURL(), "bound_audiences": "a"}, "invalid jwks_pairs: jwt_validation_pubkeys, bound_audiences, jwt_supported_algs and max_token_age need the issuer for whose tokens they are"},
		"keys of nobody":   {m{"jwt_validation_pubkeys": string(pem.PEM(t))}, "invalid jwks_pairs: jwt_validation_pubkeys, bound_audiences, jwt_supported_algs and max_token_age need the issuer for whose tokens they are"},
		"two sources":      {m{"jwks_url": one.JWKSURL(), "jwt_validation_pubkeys": string(pem.PEM(t)), "issuer": "a"}, shape},
		"no source":        {m{"issuer": "a"}, shape},
		"list of numbers":  {m{"jwks_url": one.JWKSURL(), "issuer": "a", "bound_audiences": []int{1}}, shape},
		"audience object":  {m{"jwks_url": one.JWKSURL(), "issuer": "a", "bound_audiences": m{}}, shape},
		"age in words":     {m{"jwks_url": one.JWKSURL(), "issuer": "a", "max_token_age": "long"}, shape},
		"negative age":     {m{"jwks_url": one.JWKSURL(), "issuer": "a", "max_token_age": -1}, shape},
		"age of a list":    {m{"jwks_url": one.JWKSURL(), "issuer": "a", "max_token_age": []int{1}}, shape},
		"HS256":            {m{"jwks_url": one.JWKSURL(), "issuer": "a", "jwt_supported_algs": "HS256"}, `invalid jwks_pairs: invalid jwt_supported_algs: unsupported signing algorithm "HS256"`},
		"no key":           {m{"jwt_validation_pubkeys": "x", "issuer": "a"}, "invalid jwks_pairs: error parsing public key: data does not contain any valid public keys"},
	} {
		t.Run(name, func(t *testing.T) {
			d.do("PUT", "auth/jwt/config", rootToken, m{"jwks_pairs": []any{tc.pair}}).refused(400, tc.want)
		})
	}
}

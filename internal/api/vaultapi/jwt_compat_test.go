package vaultapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/idptest"
)

// compatDoor is a door with a mount whose compat settings can be changed. Each
// way of the reference must work where a mount asks for it, and nowhere else.
func compatDoor(t *testing.T) (d *door, try func(claims map[string]any, spell func(string) string) answer, tune func(string)) {
	d = newDoor(t)
	key := idptest.NewKey(t, "k1", "RS256")
	d.do("POST", "sys/auth/jwt", rootToken, map[string]any{"type": "jwt"}).want(204)
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{"jwt_validation_pubkeys": string(key.PEM(t))}).want(204)
	d.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{"role_type": "jwt", "bound_audiences": "a", "user_claim": "sub"}).want(204)
	try = func(claims map[string]any, spell func(string) string) answer {
		token := key.Token(t, claims)
		if spell != nil {
			token = spell(token)
		}
		return d.do("PUT", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": token})
	}
	tune = func(text string) {
		d.do("POST", "sys/auth/jwt/tune", rootToken, map[string]any{"options": map[string]any{"compat": text}}).want(204)
	}
	return d, try, tune
}

func TestCompatDerivedNotBefore(t *testing.T) {
	d, try, tune := compatDoor(t)
	claims := map[string]any{"sub": "alice", "aud": "a", "exp": d.clock.now().Unix() + 3600}
	try(claims, nil).want(200)
	tune("derived_not_before")
	try(claims, nil).refused(400, "error validating token: invalid not before (nbf) claim: token not yet valid")
	d.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{"not_before_leeway": 3600}).want(204)
	try(claims, nil).want(200)
	d.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{"not_before_leeway": 0}).want(204)
	tune("")
	try(claims, nil).want(200)
}

func TestCompatLooseTokens(t *testing.T) {
	d, try, tune := compatDoor(t)
	claims := map[string]any{"sub": "alice", "aud": "a", "exp": d.clock.now().Unix() + 60}
	wrapped := func(s string) string { return " " + s[:20] + "\r\n" + s[20:] + "\n\n" }
	flattened := func(s string) string {
		p := strings.Split(s, ".")
		b, err := json.MarshalIndent(map[string]string{"protected": p[0], "payload": p[1], "signature": p[2]}, "", "  ")
		must(t, err)
		return string(b)
	}
	for _, spell := range []func(string) string{wrapped, flattened} {
		tune("")
		try(claims, spell).want(400)
		tune("loose_tokens")
		try(claims, spell).want(200)
	}
	for _, spell := range []func(string) string{
		func(s string) string {
			return strings.Replace(flattened(s), `"protected"`, `"header": "", "protected"`, 1)
		},
		func(s string) string {
			return strings.Replace(flattened(s), `"signature"`, `"signature": "AAAA", "signature"`, 1)
		},
		func(s string) string { return "{" + s },
		func(s string) string { return s[:len(s)-4] + "AAAA" },
	} {
		try(claims, spell).want(400)
	}
}

func TestCompatAnyIssuer(t *testing.T) {
	d, _, tune := compatDoor(t)
	idp := idptest.NewPlain(t)
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{"oidc_discovery_url": idp.Issuer()}).want(204)
	try := func(iss string) answer {
		return d.do("PUT", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": idp.Token("a", map[string]any{"iss": iss, "sub": "alice"})})
	}
	const refused = "error validating token: invalid issuer (iss) claim"
	try(idp.Issuer()).want(200)
	try("https://other.example").refused(400, refused)
	tune("any_issuer")
	try("https://other.example").want(200)
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{"oidc_discovery_url": idp.Issuer(), "bound_issuer": idp.Issuer()}).want(204)
	try("https://other.example").refused(400, refused)
}

func TestCompatResetRoles(t *testing.T) {
	d, _, tune := compatDoor(t)
	write := func(with map[string]any) answer { return d.do("PUT", "auth/jwt/role/demo", rootToken, with) }
	read := func() map[string]any { return d.do("GET", "auth/jwt/role/demo", rootToken, nil).want(200).data() }
	write(map[string]any{"bound_claims_type": "glob", "bound_claims": map[string]any{"a": "b*"}, "alias_metadata": "k=v", "callback_mode": "device"}).want(204)
	write(map[string]any{"token_ttl": 60}).want(204)
	if r := read(); r["role_type"] != "jwt" || r["bound_claims_type"] != "glob" || r["callback_mode"] != "device" {
		t.Errorf("a partial write changed %v", r)
	}
	tune("reset_roles")
	write(map[string]any{"token_ttl": 61}).refused(400, "'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.")
	if a := write(map[string]any{"token_ttl": 61, "role_type": "jwt"}); a.status != 200 && a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if r := read(); r["bound_claims_type"] != "string" || r["callback_mode"] != "client" || len(r["alias_metadata"].(map[string]any)) > 0 || r["token_ttl"] != json.Number("61") {
		t.Errorf("not set back: %v", r)
	}
}

// Names of settings that do not exist are refused, so that nobody relies on
// them.
func TestCompatNamesMustExist(t *testing.T) {
	d, _, tune := compatDoor(t)
	const refusal = `unknown compat setting "any_isuer": there are any_issuer, derived_not_before, ignore_cnf, loose_tokens and reset_roles`
	bad := map[string]any{"type": "jwt", "options": map[string]any{"compat": "loose_tokens,any_isuer"}}
	d.do("POST", "sys/auth/jwt/tune", rootToken, bad).refused(400, refusal)
	d.do("POST", "sys/auth/other", rootToken, bad).refused(400, refusal)
	tune("loose_tokens, any_issuer")
	got, _ := d.do("GET", "sys/auth/jwt/tune", rootToken, nil).want(200).data()["options"].(map[string]any)
	if got["compat"] != "loose_tokens, any_issuer" {
		t.Errorf("options %v", got)
	}
}

func TestTokensThatAreBoundToAKey(t *testing.T) {
	d, try, tune := compatDoor(t)
	claims := map[string]any{"sub": "alice", "aud": "a", "exp": d.clock.now().Unix() + 60, "cnf": map[string]any{"x5t#S256": "AAAA"}}
	for range 3 { // also when its signature has been checked before
		try(claims, nil).refused(400, "error validating token: the token is bound to a key (cnf claim), which a login cannot prove to hold")
		tune("ignore_cnf")
		try(claims, nil).want(200)
		tune("")
	}
}

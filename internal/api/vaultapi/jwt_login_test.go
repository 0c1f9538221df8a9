package vaultapi

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
)

// claims are those of a good token, changed by with; nil removes one.
func (d *door) claims(with map[string]any) map[string]any {
	now := d.clock.now().Unix()
	c := map[string]any{"iss": "https://issuer.example", "sub": "user", "aud": "bao", "iat": now, "exp": now + 600}
	for k, v := range with {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

func (d *door) login(role, jwt string) answer {
	d.t.Helper()
	return d.do("PUT", "auth/jwt/login", "", map[string]any{"role": role, "jwt": jwt})
}

func (a answer) auth() map[string]any {
	a.t.Helper()
	m, ok := a.want(200).json()["auth"].(map[string]any)
	if !ok {
		a.t.Fatalf("no auth in %s", a.body)
	}
	return m
}

func TestLoginGivesATokenThatCanDoWhatItsPoliciesSay(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.do("PUT", "sys/policies/acl/demo", rootToken, map[string]any{"policy": `path "sys/auth" { capabilities = ["read"] }`}).want(204)
	d.role("demo", map[string]any{"token_policies": "demo", "claim_mappings": map[string]any{"iss": "issuer"}}).want(204)
	a := d.login("demo", key.Token(t, d.claims(nil)))
	auth := a.auth()
	body := string(a.body)
	for _, want := range []string{
		`"lease_id":"","renewable":false,"lease_duration":0,"data":null,"wrap_info":null,"warnings":null,"auth":{"client_token":"hvs.`,
		`"policies":["default","demo"],"token_policies":["default","demo"],"metadata":{"issuer":"https://issuer.example","role":"demo"},"lease_duration":2764800,"renewable":true,"entity_id":"`,
		`"token_type":"service","orphan":true,"mfa_requirement":null,"num_uses":0}}` + "\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the answer has no %s:\n%s", want, body)
		}
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", a.header)
	}
	token := auth["client_token"].(string)
	d.do("GET", "sys/auth", token, nil).want(200)
	d.do("GET", "sys/mounts", token, nil).refused(403, "1 error occurred:\n\t* permission denied\n\n")
	for _, bad := range []string{"", "nonsense", token + "x", strings.ToUpper(token)} {
		d.do("GET", "sys/auth", bad, nil).refused(403, "permission denied")
	}
	d.clock.add(769 * time.Hour)
	d.do("GET", "sys/auth", token, nil).refused(403, "permission denied")
}

func TestLoginRefusalsInOrder(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	d.login("demo", "x").refused(400, "could not load configuration")
	key := idptest.NewKey(t, "", jwt.ES256)
	other := idptest.NewKey(t, "", jwt.ES256)
	d.do("POST", "auth/jwt/config", rootToken, map[string]any{
		"jwt_validation_pubkeys": string(key.PEM(t)), "bound_issuer": "https://issuer.example", "jwt_supported_algs": "ES256",
	}).want(204)
	d.login("", "x").refused(400, "missing role")
	d.login("none", "x").refused(400, `role "none" could not be found`)
	d.login("NO/../NE", "x").refused(400, `role "no/../ne" could not be found`)
	d.role("oidc", map[string]any{"role_type": "oidc", "allowed_redirect_uris": "http://localhost:8250/oidc/callback"}).want(204)
	d.login("oidc", "x").refused(400, "role with oidc role_type is not allowed")
	d.role("demo", map[string]any{
		"bound_subject": "user", "bound_claims": map[string]any{"team": []string{"a", "b"}, "env": "prod"}, "groups_claim": "groups",
	}).want(204)
	d.login("demo", "").refused(400, "missing token")
	d.role("cidr", map[string]any{"token_bound_cidrs": "10.1.0.0/16"}).want(204)
	d.login("cidr", "x").refused(403, "permission denied")
	d.role("noaud", map[string]any{"bound_audiences": nil, "bound_subject": "user"}).want(200)

	const sig = "error validating token: error verifying token signature: "
	good := map[string]any{"team": "a", "env": "prod", "groups": []string{"g"}}
	with := func(k string, v any) map[string]any {
		m := map[string]any{"team": "a", "env": "prod", "groups": []string{"g"}}
		m[k] = v
		return m
	}
	now := d.clock.now().Unix()
	for name, tc := range map[string]struct {
		role, token, want string
	}{
		"other key":        {"demo", other.Token(t, d.claims(good)), sig + "no known key successfully validated the token signature"},
		"expired":          {"demo", key.Token(t, d.claims(with("exp", now-100))), "error validating token: invalid expiration time (exp) claim: token is expired"},
		"too early":        {"demo", key.Token(t, d.claims(with("nbf", now+100))), "error validating token: invalid not before (nbf) claim: token not yet valid"},
		"issuer":           {"demo", key.Token(t, d.claims(with("iss", "https://other"))), "error validating token: invalid issuer (iss) claim"},
		"subject":          {"demo", key.Token(t, d.claims(with("sub", "other"))), "error validating token: invalid subject (sub) claim"},
		"audience":         {"demo", key.Token(t, d.claims(with("aud", "x"))), "error validating token: invalid audience (aud) claim: audience claim does not match any expected audience"},
		"audience unbound": {"noaud", key.Token(t, d.claims(nil)), "audience claim found in JWT but no audiences bound to the role"},
		"audience empty":   {"noaud", key.Token(t, d.claims(map[string]any{"aud": ""})), "audience claim found in JWT but no audiences bound to the role"},
		"no groups":        {"demo", key.Token(t, d.claims(with("groups", nil))), `failed to fetch groups: "groups" claim not found in token`},
		"claim missing":    {"demo", key.Token(t, d.claims(with("team", nil))), `error validating claims: claim "team" is missing`},
		"claim mismatch":   {"demo", key.Token(t, d.claims(with("env", "dev"))), `error validating claims: claim "env" does not match any associated bound claim values`},
		"two mismatches": {"demo", key.Token(t, d.claims(map[string]any{"team": "x", "env": "dev", "groups": "g"})),
			`error validating claims: claim "env" does not match any associated bound claim values; claim "team" does not match any associated bound claim values`},
		"no user":    {"noaud", key.Token(t, d.claims(map[string]any{"aud": nil, "sub": nil})), "error validating token: invalid subject (sub) claim"},
		"empty user": {"demo", key.Token(t, d.claims(map[string]any{"sub": "", "team": "a", "env": "prod", "groups": "g"})), "error validating token: invalid subject (sub) claim"},
	} {
		t.Run(name, func(t *testing.T) {
			a := d.login(tc.role, tc.token)
			a.refused(400, tc.want)
			e := d.audit.last()
			id := a.header.Get(DiagnosisHeader)
			if id == "" || e.Req.ID != id || e.Diagnosis != id {
				t.Errorf("diagnosis %q, audit entry %q", id, e.Req.ID)
			}
			failed := 0
			for _, c := range e.Checks {
				if !c.OK {
					failed++
				}
			}
			if failed == 0 {
				t.Error("the audit entry does not say which check failed")
			}
			if strings.Contains(d.log.String(), tc.token) {
				t.Error("the token is in the operator's log")
			}
		})
	}
	for name, raw := range map[string]string{
		"garbage": "x", "two parts": "a.b", "json": `{"payload":"x","signatures":[]}`, "inner space": "a. b.c", "padded": "YQ==.YQ==.YQ==",
		"huge": strings.Repeat("a", 70<<10), "bad utf8 payload": "eyJhbGciOiJFUzI1NiJ9._w.AA",
	} {
		t.Run(name, func(t *testing.T) {
			if e := d.login("demo", raw).want(400).errors(); !strings.HasPrefix(e[0], sig) {
				t.Errorf("errors %q", e)
			}
		})
	}
	none := "eyJhbGciOiJub25lIn0." + strings.Split(key.Token(t, d.claims(good)), ".")[1] + "."
	d.login("demo", none).want(400)
	d.login("demo", key.Token(t, d.claims(good))+"\n").want(200)
	d.login("demo", key.Token(t, d.claims(good))+"\r\n").want(200)
}

func TestTheRoleSaysFromWhereToLogIn(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("near", map[string]any{"token_bound_cidrs": "192.0.2.0/24"}).want(204)
	d.role("far", map[string]any{"token_bound_cidrs": "198.51.100.0/24"}).want(204)
	jwt := key.Token(t, d.claims(nil))
	d.do("GET", "auth/token/lookup-self", d.login("near", jwt).token(), nil).want(200)
	d.login("far", jwt).refused(403, "permission denied")
}

func TestLoginSaysThatTheKeysCannotBeFetched(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	p := d.issuer()
	p.Fail(idptest.Status500)
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{"jwks_url": p.JWKSURL(), "skip_jwks_validation": true}).want(200)
	d.role("demo", nil).want(204)
	e := d.login("demo", p.Token("bao", nil)).want(400).errors()
	if want := "error validating token: error verifying token signature: fetching keys: "; !strings.HasPrefix(e[0], want) {
		t.Errorf("errors %q, want %q", e, want)
	}
}

func TestLoginFollowsTheKeysOfTheProvider(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	idp := idptest.NewPlain(t)
	idp.SetClock(d.clock.now)
	d.do("POST", "auth/jwt/config", rootToken, map[string]any{"oidc_discovery_url": idp.Issuer(), "default_role": "demo"}).want(204)
	d.role("demo", nil).want(204)
	d.do("PUT", "auth/jwt/login", "", map[string]any{"jwt": idp.Token("bao", nil)}).want(200)

	d.login("demo", idp.Token("bao", map[string]any{"iss": "https://other"})).refused(400, "error validating token: invalid issuer (iss) claim")
	d.clock.add(time.Minute)
	idp.Rotate(jwt.ES256)
	d.login("demo", idp.Token("bao", nil)).want(200)

	d.clock.add(time.Minute)
	idp.Fail(idptest.Status500)
	d.login("demo", idp.Token("bao", nil)).want(200) // its key is in memory
	stranger := idptest.NewKey(t, "stranger", jwt.ES256)
	a := d.login("demo", stranger.Token(t, idp.Claims("bao", nil))).want(400)
	if strings.Contains(string(a.body), idptest.Secret) {
		t.Errorf("the provider's answer reaches the caller: %s", a.body)
	}
}

func TestLoginWithSeveralKeySets(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	a, b := idptest.NewPlain(t), idptest.NewPlain(t)
	a.SetClock(d.clock.now)
	b.SetClock(d.clock.now)
	b.AddKey(jwt.ES256)
	b.Remove(b.Key())
	d.do("POST", "auth/jwt/config", rootToken, map[string]any{
		"jwks_pairs": []any{map[string]any{"jwks_url": a.JWKSURL()}, map[string]any{"jwks_url": b.JWKSURL(), "jwks_ca_pem": ""}},
	}).want(204)
	d.role("demo", nil).want(200) // with a warning: it binds no issuer
	// Both providers call their first key key-1: neither may speak for the other.
	if e := d.login("demo", a.Token("bao", nil)).want(400).errors(); !strings.Contains(e[0], "more than one JWKS endpoint") {
		t.Errorf("errors %q", e)
	}
	own := b.AddKey(jwt.ES256)
	d.clock.add(time.Minute)
	d.login("demo", own.Token(t, b.Claims("bao", nil))).want(200)
	nameless := idptest.NewKey(t, "", jwt.ES256)
	d.login("demo", nameless.Token(t, b.Claims("bao", nil))).refused(400, "error validating token: error verifying token signature: token missing kid header parameter")
}

func TestLoginTokenFollowsTheRole(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	good := key.Token(t, d.claims(nil))
	d.role("batch", map[string]any{"token_type": "batch", "token_ttl": "1h"}).want(204)
	auth := d.login("batch", good).auth()
	if auth["token_type"] != "batch" || auth["accessor"] != "" || auth["renewable"] != false || !strings.HasPrefix(auth["client_token"].(string), "hvb.") {
		t.Errorf("batch login gives %v", auth)
	}
	d.do("GET", "internal/x", auth["client_token"].(string), nil).want(403)

	d.role("capped", map[string]any{"token_ttl": "1h", "token_explicit_max_ttl": "30m", "token_num_uses": 2, "token_no_default_policy": true, "token_policies": "a"}).want(200)
	a := d.login("capped", good)
	auth = a.auth()
	if a.json()["warnings"] == nil || auth["lease_duration"].(interface{ String() string }).String() != "1800" {
		t.Errorf("capped login gives %s", a.body)
	}
	token := auth["client_token"].(string)
	d.do("GET", "sys/auth", token, nil).refused(403, "1 error occurred:\n\t* permission denied\n\n")
	d.do("GET", "sys/auth", token, nil).refused(403, "1 error occurred:\n\t* permission denied\n\n")
	d.do("GET", "sys/auth", token, nil).refused(403, "permission denied") // used up, although both were denied

	d.role("strict", map[string]any{"token_strictly_bind_ip": true}).want(204)
	d.login("strict", good).want(200)
	d.do("POST", "sys/mounts/auth/jwt/tune", rootToken, map[string]any{"token_type": "batch"}).want(204)
	if auth := d.login("strict", good).auth(); auth["token_type"] != "batch" {
		t.Errorf("the mount forces batch, got %v", auth)
	}
}

func TestBatchLoginOfAKnownCallerWritesNothing(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("batch", map[string]any{"token_type": "batch"}).want(204)
	d.login("batch", key.Token(t, d.claims(nil))).want(200)
	changed := make(chan struct{}, 100)
	stop := d.store.Watch(nil, func([][]byte) { changed <- struct{}{} })
	defer stop()
	for range 3 {
		d.login("batch", key.Token(t, d.claims(nil))).want(200)
	}
	d.do("PUT", "sys/policies/acl/marker", rootToken, map[string]any{"policy": ""}).want(400)
	d.do("PUT", "sys/policies/acl/marker", rootToken, map[string]any{"policy": `path "a" {}`}).want(204)
	<-changed // the marker's
	select {
	case <-changed:
		t.Error("a batch login of a known caller wrote to the store")
	default:
	}
}

func TestLoginAnswersCanBeWrapped(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("demo", nil).want(204)
	a := d.do("PUT", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": key.Token(t, d.claims(nil))}, "X-Vault-Wrap-TTL", "1m0s").want(200)
	m := a.json()
	wrap := m["wrap_info"].(map[string]any)
	if m["auth"] != nil || m["request_id"] != "" || wrap["wrapped_accessor"] == "" || wrap["creation_path"] != "auth/jwt/login" || wrap["token"] == "" {
		t.Errorf("wrapped answer %s", a.body)
	}
	if e := d.audit.last(); e.Resp.Auth != nil || e.Resp.Wrap == nil {
		t.Errorf("audit shows %+v", e.Resp)
	}
	for h, want := range map[string]string{
		"-1": "requested wrap ttl cannot be negative", "x": "error parsing X-Vault-Wrap-TTL header: not a duration", "10000h": "requested wrap ttl is longer than 768h",
	} {
		d.do("PUT", "auth/jwt/login", "", nil, "X-Vault-Wrap-TTL", h).refused(400, want)
	}
}

func TestLoginIsRefusedWhenAuditFails(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("demo", nil).want(204)
	d.audit.fail = errors.New("disk full")
	a := d.login("demo", key.Token(t, d.claims(nil)))
	a.refused(500, "1 error occurred:\n\t* internal error\n\n")
}

func TestLoginToleratesATokenHeader(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("demo", nil).want(204)
	d.do("POST", "auth/jwt/login", "nonsense", map[string]any{"role": "demo", "jwt": key.Token(t, d.claims(nil))}).want(200)
	d.do("GET", "auth/jwt/login", "", nil).refused(405, "unsupported operation")
	d.do("PUT", "auth/nothere/login", rootToken, nil).refused(404, `no handler for route "auth/nothere/login". route entry not found.`)
	d.do("PUT", "auth/nothere/login", "", nil).refused(403, "permission denied")
}

func TestLoginFeedsIdentity(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("demo", map[string]any{"bound_subject": nil}).want(204)
	one := d.login("demo", key.Token(t, d.claims(nil))).auth()["entity_id"]
	two := d.login("demo", key.Token(t, d.claims(nil))).auth()["entity_id"]
	if one == "" || one != two {
		t.Errorf("entities %v and %v of one caller", one, two)
	}
	if other := d.login("demo", key.Token(t, d.claims(map[string]any{"sub": "User"}))).auth()["entity_id"]; other == one {
		t.Error("callers whose names differ in case share an entity")
	}
}

func TestDisabledMountEndsItsTokens(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.role("demo", nil).want(204)
	token := d.login("demo", key.Token(t, d.claims(nil))).auth()["client_token"].(string)
	d.do("GET", "internal/x", token, nil).want(403).refused(403, "1 error occurred:\n\t* permission denied\n\n")
	d.do("DELETE", "sys/mounts/auth/jwt", rootToken, nil).want(400)
	d.do("DELETE", "sys/auth/jwt", rootToken, nil).want(204)
	d.do("GET", "internal/x", token, nil).refused(403, "permission denied")
	d.enableJWT()
	d.do("GET", "auth/jwt/config", rootToken, nil).want(404)
	d.do("GET", "internal/x", token, nil).refused(403, "permission denied")
}

func TestLoginInABrowserIsRefusedInTheWordsClientsKnow(t *testing.T) {
	d := newDoor(t)
	d.do("POST", "sys/auth/bare", rootToken, map[string]any{"type": "oidc"}).want(204)
	d.do("POST", "auth/bare/oidc/auth_url", "", map[string]any{"redirect_uri": "http://localhost:8250/oidc/callback"}).refused(400, "could not load configuration")
	withLogin(t, d, nil)
	d.do("PUT", "auth/jwt/oidc/auth_url", "", map[string]any{"role": "demo", "redirect_uri": "http://localhost:8250/oidc/callback"}).refused(400, "OIDC login is not configured for this mount")
}

func TestSeveralKeySetsNameTheKeyThatNoneHas(t *testing.T) {
	d := newDoor(t)
	withLogin(t, d, nil)
	idp := idptest.NewPlain(t)
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{"jwks_pairs": []any{map[string]any{"jwks_url": idp.JWKSURL()}}}).want(204)
	try := func(kid string) answer {
		key := idptest.NewKey(t, kid, "RS256")
		return d.do("PUT", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": key.Token(t, idp.Claims("a", nil))})
	}
	const text = "error validating token: error verifying token signature: error searching for key set with kid "
	try("k9").refused(400, text+"k9: no key found with kid k9 in any JWKS endpoint")
	for _, kid := range []string{strings.Repeat("k", 129), "ü"} {
		try(kid).refused(400, text+"(unreadable): no key found with kid (unreadable) in any JWKS endpoint")
	}
	try("a b\x07").refused(400, text+"(unreadable): no key found with kid (unreadable) in any JWKS endpoint")
	d.do("PUT", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": idp.Token("a", nil)}).want(200)
}

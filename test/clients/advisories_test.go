package clients_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/servertest"
)

// Each test here would have caught a published vulnerability of servers with
// this API, which its comment names, at the running server.

// CVE-2024-5798: "no audience bound" overlooked an audience that is a string.
func TestAudienceIsNeverOverlooked(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	put(t, s, "auth/jwt/role/none", map[string]any{"role_type": "jwt", "user_claim": "sub", "bound_subject": "user-1"})
	put(t, s, "auth/jwt/role/x", map[string]any{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "x"})
	put(t, s, "auth/jwt/role/y", map[string]any{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "y"})
	for _, c := range []struct {
		aud  any
		open []string // the roles that such a token opens
	}{
		{nil, []string{"none"}}, {"x", []string{"x"}}, {[]string{}, []string{"none"}}, {[]string{"x"}, []string{"x"}}, {[]string{"x", "z"}, []string{"x"}},
		{[]string{""}, nil}, {5, nil}, {[]any{"x", 5}, nil}, {map[string]any{"x": 1}, nil}, {"X", nil}, {"x ", nil}, {true, nil},
	} {
		for _, role := range []string{"none", "x", "y"} {
			status, out := s.Vault("POST", "auth/jwt/login", "", `{"role":"`+role+`","jwt":"`+idp.Token("", map[string]any{"aud": c.aud})+`"}`)
			if want := slices.Contains(c.open, role); want != (status == 200) || !want && status != 400 {
				t.Errorf("aud %#v at role %q: %d %s", c.aud, role, status, out)
			}
		}
	}
}

// cap PR #191, found in the JWT plugins: a claim was checked under one
// spelling and used under another.
func TestClaimsThatLookLikeAnotherAreRefused(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	put(t, s, "auth/jwt/role/bound", map[string]any{"role_type": "jwt", "user_claim": "sub", "bound_subject": "boss", "bound_audiences": audience})
	for _, name := range []string{"ſub", "SUB", "Sub", "iſs", "Exp", "AUD"} {
		body := map[string]any{"role": "bound", "jwt": idp.Token(audience, map[string]any{"sub": "user-1", name: "boss"})}
		call(t, s, "POST", "auth/jwt/login", "", body, 400)
		body["jwt"] = idp.Token(audience, map[string]any{"sub": "boss", name: "user-1"})
		call(t, s, "POST", "auth/jwt/login", "", body, 400)
	}
	header, claims := `{"alg":"RS256","kid":"`+idp.Key().Header()["kid"].(string)+`"}`, fmt.Sprintf(`{"iss":%q,"aud":%q,"exp":%d,"sub":"user-1","sub":"boss"}`, idp.Issuer(), audience, time.Now().Unix()+60)
	call(t, s, "POST", "auth/jwt/login", "", map[string]any{"role": "bound", "jwt": idp.Key().Sign(t, header, claims)}, 400)
	call(t, s, "POST", "auth/jwt/login", "", map[string]any{"role": "bound", "jwt": idp.Token(audience, map[string]any{"sub": "boss"})}, 200)
}

// CVE-2020-16250, CVE-2020-16251: what the token names is never fetched, and
// keys that it brings along are not looked at.
func TestNothingThatATokenNamesIsFetched(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	var hits atomic.Int32
	evil := idptest.NewPlain(t)
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		_, _ = w.Write(evil.JWKS())
	}))
	defer trap.Close()
	kid := idp.Key().Header()["kid"]
	for _, header := range []map[string]any{
		{"jku": trap.URL + "/keys"}, {"x5u": trap.URL + "/cert"}, {"jku": trap.URL, "kid": kid}, {"kid": trap.URL + "/keys"}, {"kid": "../../keys"},
		{"jwk": object(t, string(evil.Key().JWK(t)))}, {"x5c": []string{"AAAA"}}, {"x5t": "AAAA", "kid": kid},
	} {
		for _, issuer := range []string{idp.Issuer(), trap.URL, evil.Issuer()} {
			token := evil.Key().TokenWith(t, with(map[string]any{"alg": "RS256"}, header), evil.Claims(audience, map[string]any{"iss": issuer}))
			call(t, s, "POST", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": token}, 400)
		}
	}
	keys, discovery := evil.Fetches()
	if n := int(hits.Load()) + keys + discovery; n != 0 {
		t.Errorf("%d requests went where a token pointed", n)
	}
}

// CVE-2025-5999, CVE-2025-64761, CVE-2024-9180: a policy that becomes "root"
// after trimming or folding.
func TestNoSpellingOfRootGivesRoot(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		put(t, s, "sys/policies/acl/maker", map[string]any{"policy": `path "auth/token/create" { capabilities = ["update", "sudo"] }`})
		_, block := login(t, s, "auth/jwt/login", map[string]any{"jwt": idp.Token(audience, nil)})
		entity, _ := block["entity_id"].(string)
		for _, name := range []string{"root", "ROOT", "Root ", " root", "root\t", "\nroot", "rOOt", "root\u00a0", "\u200broot", "root\x00", "root,root", "ｒｏｏｔ"} {
			for path, body := range map[string]map[string]any{
				"auth/jwt/role/x":              with(demoRole, map[string]any{"token_policies": []string{name}}),
				"identity/entity/id/" + entity: {"policies": []string{name}},
				"identity/group/name/g":        {"policies": []string{name}, "member_entity_ids": []string{entity}},
				"auth/token/roles/r":           {"allowed_policies": []string{name}},
			} {
				b, _ := s.Vault("POST", path, servertest.RootToken, jsonText(t, body))
				if b >= 500 {
					t.Errorf("%q at %s: %d", name, path, b)
				}
			}
			maker, _ := auth(t, put(t, s, "auth/token/create", map[string]any{"policies": []string{"maker", "default"}}))
			tokens := map[string]string{}
			for how, c := range map[string]struct {
				path, token string
				body        map[string]any
			}{
				"a login":       {"auth/jwt/login", "", map[string]any{"role": "x", "jwt": idp.Token(audience, nil)}},
				"its entity":    {"auth/jwt/login", "", map[string]any{"role": "demo", "jwt": idp.Token(audience, nil)}},
				"a child":       {"auth/token/create", maker, map[string]any{"policies": []string{name}}},
				"a role's":      {"auth/token/create/r", servertest.RootToken, map[string]any{"policies": []string{"default"}}},
				"a role's name": {"auth/token/create/r", maker, map[string]any{"policies": []string{name}}},
			} {
				_, out := s.Vault("POST", c.path, c.token, jsonText(t, c.body))
				if token, _ := at(object(t, out), "auth", "client_token").(string); token != "" {
					tokens[how] = token
				}
			}
			for how, token := range tokens {
				if status, _ := s.Vault("GET", "sys/policies/acl/app", token, ""); status == 200 {
					t.Errorf("policy %q made %s a root token", name, how)
				}
			}
		}
	})
}

// GHSA-59w7-v8rr-pr4p: a subject with "*", "+" or "/" widened the paths of a
// templated policy.
func TestASubjectNeverWidensATemplatedPolicy(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		accessor, _ := at(call(t, s, "GET", "sys/auth/jwt", servertest.RootToken, nil, 200), "data", "accessor").(string)
		if accessor == "" {
			t.Fatal("no accessor")
		}
		put(t, s, "sys/policies/acl/own", map[string]any{"policy": `
			path "secret/data/home/{{identity.entity.aliases.` + accessor + `.name}}/*" { capabilities = ["read", "create", "update"] }
			path "secret/data/team/{{identity.entity.aliases.` + accessor + `.metadata.team}}" { capabilities = ["read"] }`})
		put(t, s, "auth/jwt/role/own", with(demoRole, map[string]any{"token_policies": "own", "claim_mappings": map[string]string{"team": "team"}}))
		for _, p := range []string{"home/alice/x", "home/bob/x", "team/red", "team/blue"} {
			put(t, s, "secret/data/"+p, map[string]any{"data": map[string]any{"k": p}})
		}
		for _, v := range []string{"*", "+", "a/+", "../bob", "bob/../bob", "alice/../bob", "", "al*", "+/x", "{{identity.entity.id}}", "bob%2f", "..", "."} {
			claims := map[string]any{"sub": v, "team": v}
			if v == "" {
				claims["sub"] = "x"
			}
			status, out := s.Vault("POST", "auth/jwt/login", "", jsonText(t, map[string]any{"role": "own", "jwt": idp.Token(audience, claims)}))
			if status == 400 {
				continue
			}
			token, _ := auth(t, object(t, out))
			for _, p := range []string{"home/alice/x", "home/bob/x", "team/red", "team/blue"} {
				if status, _ := s.Vault("GET", "secret/data/"+p, token, ""); status == 200 {
					t.Errorf("subject %q reads %s", v, p)
				}
			}
		}
		token, _ := login(t, s, "auth/jwt/login", map[string]any{"role": "own", "jwt": idp.Token(audience, map[string]any{"sub": "alice", "team": "red"})})
		for p, want := range map[string]int{"home/alice/x": 200, "home/bob/x": 403, "team/red": 200, "team/blue": 403} {
			call(t, s, "GET", "secret/data/"+p, token, nil, want)
		}
	})
}

// CVE-2022-40186: aliases of one name on two mounts shared their metadata.
func TestAliasesOfTwoMountsKeepTheirMetadataApart(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	var accessors, entities []string
	for i, team := range []string{"red", "blue"} {
		path := fmt.Sprintf("jwt%d", i)
		put(t, s, "sys/auth/"+path, map[string]any{"type": "jwt"})
		put(t, s, "auth/"+path+"/config", map[string]any{"oidc_discovery_url": idp.Issuer()})
		put(t, s, "auth/"+path+"/role/demo", with(demoRole, map[string]any{"token_policies": "mine", "claim_mappings": map[string]string{"team": "team"}}))
		_, block := login(t, s, "auth/"+path+"/login", map[string]any{"role": "demo", "jwt": idp.Token(audience, map[string]any{"team": team})})
		accessor, _ := at(call(t, s, "GET", "sys/auth/"+path, servertest.RootToken, nil, 200), "data", "accessor").(string)
		accessors, entities = append(accessors, accessor), append(entities, block["entity_id"].(string))
		put(t, s, "secret/data/team/"+team, map[string]any{"data": map[string]any{"k": team}})
	}
	if entities[0] == entities[1] {
		t.Error("two mounts made one entity of two subjects")
	}
	put(t, s, "identity/entity/merge", map[string]any{"from_entity_ids": entities[1:], "to_entity_id": entities[0], "force": true})
	put(t, s, "sys/policies/acl/mine", map[string]any{"policy": `path "secret/data/team/{{identity.entity.aliases.` + accessors[0] + `.metadata.team}}" { capabilities = ["read"] }`})
	for i := range 2 {
		token, _ := login(t, s, fmt.Sprintf("auth/jwt%d/login", i), map[string]any{"role": "demo", "jwt": idp.Token(audience, map[string]any{"team": []string{"red", "blue"}[i]})})
		call(t, s, "GET", "secret/data/team/red", token, nil, 200)
		call(t, s, "GET", "secret/data/team/blue", token, nil, 403)
	}
}

// GHSA-xp3c-3jw3-4vcr: a trailing slash led a LIST around a deny.
func TestASlashNeverDodgesADeny(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	setup(t, s)
	put(t, s, "secret/data/a/b/c", map[string]any{"data": map[string]any{"k": "v"}})
	for _, denied := range []string{"secret/metadata/a/b", "secret/metadata/a/b/", "secret/metadata/a/b*", "secret/metadata/a/+", "secret/metadata/+/b"} {
		put(t, s, "sys/policies/acl/p", map[string]any{"policy": `path "secret/metadata/*" { capabilities = ["list", "read"] }
			path "` + denied + `" { capabilities = ["deny"] }`})
		token, _ := auth(t, put(t, s, "auth/token/create", map[string]any{"policies": []string{"p"}}))
		for _, path := range []string{"secret/metadata/a/b", "secret/metadata/a/b/", "secret/metadata/a//b", "secret/metadata/a/b//", "secret/metadata//a/b", "secret/metadata/a/./b"} {
			for _, verb := range []string{"LIST", "GET"} {
				query := ""
				if verb == "GET" {
					query = "?list=true"
				}
				if status, out := s.Vault(verb, path+query, token, ""); status == 200 {
					t.Errorf("deny on %s: %s %s answers %s", denied, verb, path, out)
				}
			}
		}
	}
}

// CVE-2026-46405, CVE-2026-46358, GHSA-rh46-vc3j-w2w3: a login that is refused
// leaves nothing behind, and headers of inline logins open nothing.
func TestARefusedLoginLeavesNothing(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		put(t, s, "auth/jwt/role/cidr", with(demoRole, map[string]any{"token_bound_cidrs": "192.0.2.0/24"}))
		put(t, s, "auth/jwt/role/groups", with(demoRole, map[string]any{"groups_claim": "roles", "bound_claims": map[string]any{"team": "red"}}))
		before := jsonText(t, call(t, s, "LIST", "auth/token/accessors", servertest.RootToken, nil, 200)["data"])
		good := idp.Token(audience, map[string]any{"sub": "stranger"})
		for _, body := range []map[string]any{
			{"role": "cidr", "jwt": good}, {"role": "groups", "jwt": good}, {"role": "demo", "jwt": good + "x"}, {"role": "demo", "jwt": idp.Token(audience, map[string]any{"sub": "stranger", "exp": 1})},
		} {
			if status, out := s.Vault("POST", "auth/jwt/login", "", jsonText(t, body)); status != 400 && status != 403 || strings.Contains(out, "client_token\":\"") {
				t.Errorf("%s: %d %s", body["role"], status, out)
			}
		}
		status, out := s.Do("GET", "/v1/secret/data/app/db", "", "X-Vault-Inline-Auth-Path", "auth/jwt/login", "X-Vault-Inline-Auth-Operation", "create",
			"X-Vault-Inline-Auth-Parameter-role", "demo", "X-Vault-Inline-Auth-Parameter-jwt", good)
		if status != 403 {
			t.Errorf("inline login: %d %s", status, out)
		}
		same(t, "accessors", jsonText(t, call(t, s, "LIST", "auth/token/accessors", servertest.RootToken, nil, 200)["data"]), before)
		call(t, s, "LIST", "identity/entity/id", servertest.RootToken, nil, 404)
	})
}

// CVE-2026-40264, CVE-2026-45808, GHSA-c36x-h252-g9x2, GHSA-mwr2-wmgp-crj6:
// endpoints that take an id need the right to use it, whoever made the token.
func TestKnowingAnIDIsNotTheRightToUseIt(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	_, victim := login(t, s, "auth/jwt/login", map[string]any{"jwt": idp.Token(audience, nil)})
	attacker, _ := login(t, s, "auth/jwt/login", map[string]any{"jwt": idp.Token(audience, map[string]any{"sub": "mallory"})})
	lease, _ := at(call(t, s, "LIST", "sys/leases/lookup/auth/jwt/login", servertest.RootToken, nil, 200), "data", "keys").([]any)
	for _, c := range []struct {
		path string
		body map[string]any
	}{
		{"auth/token/lookup-accessor", map[string]any{"accessor": victim["accessor"]}}, {"auth/token/renew-accessor", map[string]any{"accessor": victim["accessor"]}},
		{"auth/token/revoke-accessor", map[string]any{"accessor": victim["accessor"]}}, {"auth/token/lookup", map[string]any{"token": victim["client_token"]}},
		{"auth/token/renew", map[string]any{"token": victim["client_token"]}}, {"auth/token/revoke", map[string]any{"token": victim["client_token"]}},
		{"auth/token/revoke-orphan", map[string]any{"token": victim["client_token"]}}, {"sys/capabilities-accessor", map[string]any{"accessor": victim["accessor"], "path": "x"}},
		{"sys/leases/revoke", map[string]any{"lease_id": "auth/jwt/login/" + lease[0].(string)}}, {"sys/revoke", map[string]any{"lease_id": "auth/jwt/login/" + lease[0].(string)}},
		{"sys/leases/revoke-prefix/auth/jwt", nil}, {"sys/revoke-prefix/auth/jwt", nil}, {"sys/leases/revoke-force/auth/jwt", nil}, {"identity/lookup/entity", map[string]any{"id": victim["entity_id"]}},
		{"identity/entity/id/" + victim["entity_id"].(string), map[string]any{"policies": "app"}}, {"auth/token/tidy", nil}, {"sys/seal", nil}, {"sys/step-down", nil}, {"sys/rotate", nil},
	} {
		for _, verb := range []string{"PUT", "POST"} {
			if status, out := s.Vault(verb, c.path, attacker, jsonText(t, c.body)); status != 403 {
				t.Errorf("%s %s: %d %s", verb, c.path, status, out)
			}
		}
	}
	for _, ns := range []string{"ns1", "root/ns1", "ROOT", "../root", "%72oot"} {
		if status, out := s.Do("GET", "/v1/secret/data/app/db", "", "X-Vault-Token", victim["client_token"].(string), "X-Vault-Namespace", ns); status == 200 {
			t.Errorf("namespace %q answers %s", ns, out)
		}
	}
	call(t, s, "GET", "secret/data/app/db", victim["client_token"].(string), nil, 200)
}

// CVE-2026-5807: callers without a token could keep operators from their work.
func TestStrangersCannotStandInTheOperatorsWay(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	for _, path := range []string{"sys/generate-root/attempt", "sys/generate-root/update", "sys/rekey/init", "sys/rekey/update", "sys/rekey-recovery-key/init", "sys/rekey/verify", "sys/rotate", "sys/seal", "sys/step-down", "sys/remount", "sys/init", "sys/unseal"} {
		for _, verb := range []string{"PUT", "POST", "DELETE"} {
			status, out := s.Vault(verb, path, "", `{"nonce":"x","key":"AAAA","secret_shares":1,"secret_threshold":1,"otp":"AAAA"}`)
			if status < 400 && (path != "sys/unseal" || !strings.Contains(out, `"sealed":false`)) || status >= 500 {
				t.Errorf("%s %s without a token: %d %s", verb, path, status, out)
			}
		}
	}
	call(t, s, "GET", "sys/mounts", servertest.RootToken, nil, 200)
}

// A secret that may be read once is read once, whoever is fastest.
func TestOneUseMeansOneUse(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		setup(t, s)
		_, out := s.Do("GET", "/v1/secret/data/app/db", "", "X-Vault-Token", servertest.RootToken, "X-Vault-Wrap-TTL", "60s")
		wrapping, _ := at(object(t, out), "wrap_info", "token").(string)
		once, _ := auth(t, put(t, s, "auth/token/create", map[string]any{"policies": []string{"app"}, "num_uses": 3}))
		var unwrapped, read, written atomic.Int32
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				if i%2 == 0 {
					if status, _ := s.Vault("POST", "sys/wrapping/unwrap", wrapping, ""); status == 200 {
						unwrapped.Add(1)
					}
				} else if status, _ := s.Vault("POST", "sys/wrapping/unwrap", servertest.RootToken, `{"token":"`+wrapping+`"}`); status == 200 {
					unwrapped.Add(1)
				}
				if status, _ := s.Vault("GET", "secret/data/app/db", once, ""); status == 200 {
					read.Add(1)
				}
				if status, _ := s.Vault("POST", "secret/data/app/new", servertest.RootToken, `{"data":{"k":"v"},"options":{"cas":0}}`); status == 200 {
					written.Add(1)
				}
			})
		}
		wg.Wait()
		same(t, "unwrapped, read, written", []int32{unwrapped.Load(), read.Load(), written.Load()}, []int32{1, 3, 1})
	})
}

// Everything that a real run shows, the log must not.
func TestNoCredentialReachesTheAuditLogOfARealRun(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	secret := idp.Token(audience, nil)
	token, _ := login(t, s, "auth/jwt/login", map[string]any{"role": "demo", "jwt": secret})
	_, out := s.Do("GET", "/v1/secret/data/app/db", "", "X-Vault-Token", token, "X-Vault-Wrap-TTL", "60s")
	wrapping, _ := at(object(t, out), "wrap_info", "token").(string)
	call(t, s, "POST", "sys/wrapping/unwrap", wrapping, nil, 200)
	call(t, s, "POST", "sys/wrapping/unwrap", wrapping, nil, 400)
	child, _ := auth(t, call(t, s, "POST", "auth/token/create", token, map[string]any{}, 200))
	call(t, s, "GET", "secret/data/other", child, nil, 403)
	key := idptest.NewKey(t, "x", jwt.RS256)
	stranger := key.Token(t, idp.Claims(audience, nil))
	call(t, s, "POST", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": stranger}, 400)
	log := s.Audit()
	for what, v := range map[string]string{"JWT": secret, "token": token, "wrapping token": wrapping, "child": child, "refused JWT": stranger, "password": "pa55", "root token": `"` + servertest.RootToken + `"`} {
		if v == `"root"` {
			v = `"client_token":"root"`
		}
		if strings.Contains(log, v) || len(v) > 40 && strings.Contains(log, v[:40]) {
			t.Errorf("the %s stands in the audit log", what)
		}
	}
	if !strings.Contains(log, "hmac-sha256:") {
		t.Error("the audit log is empty")
	}
}

// CVE-2026-33757, CVE-2026-33758: the callback of a browser login logged
// strangers in, and echoed what they sent. There is none here.
func TestNoBrowserCallbackToAbuse(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	setup(t, s)
	for _, path := range []string{"auth/jwt/oidc/callback", "auth/jwt/oidc/auth_url", "auth/jwt/oidc/poll", "ui/vault/auth/jwt/oidc/callback"} {
		for _, verb := range []string{"GET", "POST", "PUT"} {
			status, out := s.Vault(verb, path+"?error=x&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state=%3Cscript%3E&code=%3Cscript%3E", "", "")
			if status < 400 || strings.Contains(out, "<script>") || strings.Contains(out, "client_token") {
				t.Errorf("%s %s: %d %s", verb, path, status, out)
			}
		}
	}
}

// CVE-2026-4525: a header that may hold a client token reaches no auth method,
// whatever the mount says.
func TestTheAuthorizationHeaderIsNeverPassedOn(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	setup(t, s)
	for _, name := range []string{"Authorization", "authorization", "AUTHORIZATION", "X-Vault-Token", "x-vault-token"} {
		status, out := s.Vault("POST", "sys/mounts/auth/jwt/tune", servertest.RootToken, jsonText(t, map[string]any{"passthrough_request_headers": []string{"X-Fine", name}}))
		if status != 400 {
			t.Errorf("%s may be passed through: %d %s", name, status, out)
		}
	}
}

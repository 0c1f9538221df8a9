package server_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/servertest"
)

// guideTime is an instant at which the guide's own token is valid.
func guideTime() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

func TestTheGuidesOwnTokenAndKeyWorkAsWritten(t *testing.T) {
	servertest.Each(t, servertest.Options{Now: guideTime}, func(t *testing.T, s *servertest.Server) {
		if status, body := s.Pvault("GET", "system/info/version", guideJWT, ""); status != 401 {
			t.Fatalf("before its [idps] table is there the token is refused, got %d %s", status, body)
		}
		_, conf := s.Pvault("GET", "ctl/iam/conf", servertest.AdminKey, "")
		if status, body := s.Pvault("POST", "ctl/iam/conf", servertest.AdminKey, conf+guideIDP); status != 200 {
			t.Fatalf("apply: %d %s", status, body)
		}
		status, body := s.Pvault("GET", "system/info/version", guideJWT, "")
		if status != 200 || !strings.Contains(body, `"db_schema_version"`) || !strings.Contains(body, `"vault_id"`) {
			t.Errorf("version with the guide's token: %d %s", status, body)
		}
		if _, back := s.Pvault("GET", "ctl/iam/conf", servertest.AdminKey, ""); back != conf+guideIDP {
			t.Error("what was applied does not read back byte for byte")
		}
	})
}

func TestTheGuidesTokenWorksFromAFileAtStart(t *testing.T) {
	s := servertest.Start(t, servertest.Options{Now: guideTime, IAM: iam.DefaultText + guideIDP})
	if status, body := s.Pvault("GET", "system/info/version", guideJWT, ""); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

func TestTheGuidesTokenEndsWhenItSays(t *testing.T) {
	late := func() time.Time { return time.Unix(1893412799, 0).Add(2 * time.Minute) }
	s := servertest.Start(t, servertest.Options{Now: late, IAM: iam.DefaultText + guideIDP})
	status, body := s.Pvault("GET", "system/info/version", guideJWT, "")
	if status != 401 || !strings.Contains(body, `"PV1005"`) || !strings.Contains(body, `"jwt_error":"expired"`) {
		t.Errorf("%d %s", status, body)
	}
}

// basics are the checks of the guide's section "JWT authentication basics".
func TestEachLineOfTheGuidesBasicsIsChecked(t *testing.T) {
	ours, other := idptest.NewKey(t, "abc", jwt.RS256), idptest.NewKey(t, "abc", jwt.RS256)
	conf := iam.DefaultText + `
[idps.app1]
type = "direct-jwt"
[idps.app1.conf]
iss = "https://jwt.io/"
aud = "vault1"
keys = '''` + string(ours.JWK(t)) + `'''
[idps.app1.conf.bound_claims]
team = "blue"
`
	claims := func(change string, to any) map[string]any {
		c := map[string]any{"iss": "https://jwt.io/", "aud": "vault1", "sub": "VaultAdmin", "exp": guideTime().Unix() + 600, "roles": []string{"VaultAdminRole"}, "team": "blue"}
		if to == nil {
			delete(c, change)
		} else {
			c[change] = to
		}
		return c
	}
	good := ours.Token(t, claims("team", "blue"))
	broken := good[:len(good)-8] + "AAAAAAAA"
	servertest.Each(t, servertest.Options{Now: guideTime, IAM: conf}, func(t *testing.T, s *servertest.Server) {
		for name, c := range map[string]struct{ token, reason string }{
			"good":                 {good, ""},
			"no expiry":            {ours.Token(t, claims("exp", nil)), "expiration_missing"},
			"expired":              {ours.Token(t, claims("exp", guideTime().Unix()-61)), "expired"},
			"other issuer":         {ours.Token(t, claims("iss", "https://jwt.io")), "unknown_issuer"},
			"other audience":       {ours.Token(t, claims("aud", "vault2")), "wrong_audience"},
			"no role":              {ours.Token(t, claims("roles", []string{})), "role_missing"},
			"no roles claim":       {ours.Token(t, claims("roles", nil)), "role_missing"},
			"two roles":            {ours.Token(t, claims("roles", []string{"VaultAdminRole", "Developer"})), "role_ambiguous"},
			"role not in IAM":      {ours.Token(t, claims("roles", []string{"Nobody"})), "role_unknown"},
			"the built-in Admin":   {ours.Token(t, claims("roles", []string{"Admin"})), "role_reserved"},
			"other key":            {other.Token(t, claims("team", "blue")), "bad_signature"},
			"broken signature":     {broken, "bad_signature"},
			"claim does not match": {ours.Token(t, claims("team", "red")), "claim_mismatch"},
			"claim is missing":     {ours.Token(t, claims("team", nil)), "claim_missing"},
			"not a token":          {"aaa.bbb.ccc", "malformed"},
		} {
			status, body := s.Pvault("GET", "system/info/version", c.token, "")
			if c.reason == "" {
				if status != 200 {
					t.Errorf("%s: %d %s", name, status, body)
				}
				continue
			}
			if status != 401 || !strings.Contains(body, `"error_code":"PV1005"`) || !strings.Contains(body, `"jwt_error":"`+c.reason+`"`) {
				t.Errorf("%s: %d %s, want 401 with %s", name, status, body, c.reason)
			}
		}
		if log := s.Audit(); strings.Contains(log, good) || strings.Contains(log, "eyJ") {
			t.Error("a token reached the audit log")
		} else if !strings.Contains(log, "claim_mismatch") && !strings.Contains(log, "bound_claims") {
			t.Error("the audit log does not say why a token was refused")
		}
	})
}

func TestABadIAMFileKeepsTheLastGoodOne(t *testing.T) {
	s := servertest.Start(t, servertest.Options{Now: guideTime, IAM: iam.DefaultText + guideIDP})
	servertest.WriteIAM(t, s, iam.DefaultText+guideIDP+"\n[idps.app1.conf.nonsense\n")
	err := s.Reload()
	if err == nil || !strings.Contains(err.Error(), "iam.toml:") {
		t.Fatalf("reload of a bad file: %v, want file and line", err)
	}
	if status, body := s.Pvault("GET", "system/info/version", guideJWT, ""); status != 200 {
		t.Errorf("the last good configuration is gone: %d %s", status, body)
	}
	servertest.WriteIAM(t, s, iam.DefaultText)
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if status, _ := s.Pvault("GET", "system/info/version", guideJWT, ""); status != 401 {
		t.Errorf("the provider was taken out and its token still works: %d", status)
	}
}

// login is the part of a login's answer that the guide shows.
type login struct {
	Auth struct {
		ClientToken   string            `json:"client_token"`
		Accessor      string            `json:"accessor"`
		Policies      []string          `json:"policies"`
		Metadata      map[string]string `json:"metadata"`
		LeaseDuration int               `json:"lease_duration"`
		Renewable     bool              `json:"renewable"`
		EntityID      string            `json:"entity_id"`
	} `json:"auth"`
	Errors []string `json:"errors"`
}

func decode[T any](t *testing.T, body string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

// vaultGuide plays the guide of the JWT auth method with the given config.
func vaultGuide(t *testing.T, s *servertest.Server, idp *idptest.Provider, config string) {
	t.Helper()
	must := func(method, path, body string, want int) string {
		t.Helper()
		status, out := s.Vault(method, path, servertest.RootToken, body)
		if status != want {
			t.Fatalf("%s %s: %d %s", method, path, status, out)
		}
		return out
	}
	must("POST", "sys/auth/jwt", `{"type":"jwt"}`, 204)
	must("PUT", "auth/jwt/config", config, 204)
	must("PUT", "sys/policies/acl/webapps", `{"policy":"path \"secret/data/webapps/*\" { capabilities = [\"read\"] }"}`, 204)
	must("PUT", "auth/jwt/role/demo", `{"bound_subject":"r3qX9DljwFIWhsiqwFiu38209F10atW6@clients",
		"bound_audiences":"https://vault.plugin.auth.jwt.test","user_claim":"https://vault/user","groups_claim":"https://vault/groups","policies":"webapps"}`, 204)
	must("POST", "secret/data/webapps/app", `{"data":{"user":"alice"}}`, 200)
	must("POST", "secret/data/other", `{"data":{"user":"bob"}}`, 200)
	group := decode[struct{ Data struct{ ID string } }](t, must("POST", "identity/group", `{"name":"eng","type":"external"}`, 200)).Data.ID
	mounts := decode[map[string]any](t, must("GET", "sys/auth", "", 200))
	accessor := mounts["jwt/"].(map[string]any)["accessor"].(string)
	must("POST", "identity/group-alias", `{"name":"engineering","mount_accessor":"`+accessor+`","canonical_id":"`+group+`"}`, 200)

	claims := map[string]any{
		"sub": "r3qX9DljwFIWhsiqwFiu38209F10atW6@clients", "https://vault/user": "jeff", "https://vault/groups": []string{"engineering"},
	}
	token := idp.Token("https://vault.plugin.auth.jwt.test", claims)
	status, out := s.Vault("POST", "auth/jwt/login", "", `{"jwt":"`+token+`","role":"demo"}`)
	in := decode[login](t, out).Auth
	if status != 200 || in.ClientToken == "" || in.Accessor == "" || in.LeaseDuration != 2764800 || !in.Renewable || in.Metadata["role"] != "demo" || strings.Join(in.Policies, " ") != "default webapps" {
		t.Fatalf("login: %d %s", status, out)
	}
	if status, out := s.Vault("GET", "secret/data/webapps/app", in.ClientToken, ""); status != 200 || !strings.Contains(out, "alice") {
		t.Errorf("a secret that the policy allows: %d %s", status, out)
	}
	if status, out := s.Vault("GET", "secret/data/other", in.ClientToken, ""); status != 403 || strings.Contains(out, "bob") {
		t.Errorf("a secret that the policy does not allow: %d %s", status, out)
	}
	entity := must("GET", "identity/entity/id/"+in.EntityID, "", 200)
	if !strings.Contains(entity, `"jeff"`) || !strings.Contains(entity, group) {
		t.Errorf("entity: %s, want alias jeff and the group of engineering", entity)
	}
	for _, bad := range []map[string]any{{"sub": "someone"}, {"https://vault/user": 5}, {"aud": "https://other"}} {
		c := map[string]any{}
		for k, v := range claims {
			c[k] = v
		}
		for k, v := range bad {
			c[k] = v
		}
		if status, out := s.Vault("POST", "auth/jwt/login", "", `{"jwt":"`+idp.Token("https://vault.plugin.auth.jwt.test", c)+`","role":"demo"}`); status != 400 || decode[login](t, out).Auth.ClientToken != "" {
			t.Errorf("login with %v: %d %s", bad, status, out)
		}
	}
	useAndEnd(t, s, in.ClientToken)
}

// useAndEnd looks a token up, renews it, revokes it and finds it refused.
func useAndEnd(t *testing.T, s *servertest.Server, token string) {
	t.Helper()
	if status, out := s.Vault("GET", "auth/token/lookup-self", token, ""); status != 200 || !strings.Contains(out, `"display_name":"jwt-jeff"`) {
		t.Errorf("lookup-self: %d %s", status, out)
	}
	if status, out := s.Vault("POST", "auth/token/renew-self", token, `{"increment":"1h"}`); status != 200 || !strings.Contains(out, `"lease_duration":3600`) {
		t.Errorf("renew-self: %d %s", status, out)
	}
	if status, out := s.Vault("POST", "auth/token/revoke-self", token, ""); status != 204 {
		t.Errorf("revoke-self: %d %s", status, out)
	}
	if status, out := s.Vault("GET", "secret/data/webapps/app", token, ""); status != 403 {
		t.Errorf("a revoked token: %d %s", status, out)
	}
}

func TestTheVaultGuideWorksWithLocalKeys(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := idptest.NewPlain(t)
		config, err := json.Marshal(map[string]any{"jwt_validation_pubkeys": string(idp.Key().PEM(t)), "bound_issuer": idp.Issuer()})
		if err != nil {
			t.Fatal(err)
		}
		vaultGuide(t, s, idp, string(config))
		if keys, discovery := idp.Fetches(); keys+discovery != 0 {
			t.Errorf("local keys, and the provider was asked %d times", keys+discovery)
		}
	})
}

func TestTheVaultGuideWorksWithDiscovery(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := idptest.NewPlain(t)
		vaultGuide(t, s, idp, `{"oidc_discovery_url":"`+idp.Issuer()+`"}`)
	})
}

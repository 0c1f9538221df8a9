package vaultapi

import (
	"testing"

	"github.com/jotgate/jotgate/internal/idptest"
)

func TestLoginGivesATokenThatCanDoWhatItsPoliciesSay(t *testing.T) {
	d := newDoor(t)
	key := idptest.NewKey(t, "k1", "RS256")
	d.do("POST", "sys/auth/jwt", rootToken, map[string]any{"type": "jwt"}).want(204)
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{
		"jwt_validation_pubkeys": string(key.PEM(t)), "bound_issuer": "https://issuer.example",
	}).want(204)
	d.do("PUT", "sys/policies/acl/demo", rootToken, map[string]any{"policy": `path "sys/auth" { capabilities = ["read"] }`}).want(204)
	d.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{
		"role_type": "jwt", "bound_audiences": "bao", "bound_subject": "user", "user_claim": "sub", "groups_claim": "groups",
		"policies": "demo", "ttl": "1h",
	}).want(204)
	now := d.clock.now().Unix()
	jwt := key.Token(t, map[string]any{"iss": "https://issuer.example", "sub": "user", "aud": "bao", "groups": []string{"dev"}, "iat": now, "exp": now + 600})
	a := d.do("PUT", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": jwt}).want(200)
	auth := a.json()["auth"].(map[string]any)
	token := auth["client_token"].(string)
	t.Logf("%s", a.body)
	d.do("GET", "sys/auth", token, nil).want(200)
	d.do("GET", "sys/mounts", token, nil).refused(403, "1 error occurred:\n\t* permission denied\n\n")
	d.do("GET", "sys/auth", "nonsense", nil).refused(403, "permission denied")
	d.do("GET", "sys/auth", "", nil).refused(403, "permission denied")
}

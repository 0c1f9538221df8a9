// Package pvault shows the wire behaviour of the pvault door.
package pvault

import (
	"maps"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/servertest"
	"github.com/jotgate/jotgate/spec/script"
)

// people are the callers of the scripts, by name: role and further claims.
var people = map[string]struct {
	role string
	more map[string]any
}{
	"operator": {"VaultAdminRole", nil},
	"nobody":   {"Nobody", nil},
	"support":  {"Support", nil},
	"alice":    {"VaultAdminRole", map[string]any{"https://app.piiano.io/prop/user_id": "alice"}},
	"late":     {"VaultAdminRole", map[string]any{"exp": time.Now().Unix() - 3600}},
	"stranger": {"VaultAdminRole", map[string]any{"iss": "https://elsewhere.test/"}},
	"two":      {"VaultAdminRole", map[string]any{"roles": []string{"VaultAdminRole", "Nobody"}}},
}

func configuration(t *testing.T, key *idptest.Key) string {
	return iam.DefaultText + `
[roles.Nobody]
capabilities = []
[roles.Support]
capabilities = ["CapDataReader"]
policies = ["PolSeeMasks"]
[policies.PolSeeMasks]
policy_type = "allow"
operations = ["read"]
reasons = ["AccountManagement"]
resources = ["*/types/EMAIL.mask", "*/properties/id"]
[idps.app]
type = "direct-jwt"
[idps.app.conf]
iss = "https://idp.test/"
aud = "vault"
keys = '''` + string(key.JWK(t)) + `'''
`
}

func TestScripts(t *testing.T) {
	script.Each(t, func(t *testing.T) script.World {
		key := idptest.NewKey(t, "k1", jwt.Algorithm("EdDSA"))
		s := servertest.Start(t, servertest.Options{IAM: configuration(t, key)})
		return script.World{Do: s.Do, As: func(who string) []string {
			if who == "admin" {
				return []string{"Authorization", "Bearer " + servertest.AdminKey}
			}
			return []string{"Authorization", "Bearer " + token(t, key, who)}
		}}
	})
}

func token(t *testing.T, key *idptest.Key, who string) string {
	person, ok := people[who]
	if !ok {
		t.Fatalf("there is no one called %q", who)
	}
	c := map[string]any{"iss": "https://idp.test/", "aud": "vault", "sub": who, "exp": time.Now().Add(time.Hour).Unix(), "roles": []string{person.role}}
	maps.Copy(c, person.more)
	return key.Token(t, c)
}

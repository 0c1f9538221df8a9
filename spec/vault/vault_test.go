// Package vault shows the wire behaviour of the Vault door.
package vault

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/servertest"
	"github.com/jotgate/jotgate/spec/script"
)

func TestScripts(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{
		"embedded": func(testing.TB) string { return "" },
		"postgres": servertest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			script.Each(t, func(t *testing.T) script.World {
				s := servertest.Start(t, servertest.Options{Postgres: dsn(t)})
				vars := tokens(t)
				vars["storage"] = name
				return script.World{Do: s.Do, Vars: vars, As: func(who string) []string {
					return []string{"X-Vault-Token", who} // "root", or a token that an answer named
				}}
			})
		})
	}
}

// tokens returns the JWTs of the scripts and the public key of their issuer, as
// it stands in JSON.
func tokens(t *testing.T) map[string]string {
	key := idptest.NewKey(t, "k1", jwt.Algorithm("RS256"))
	stranger := idptest.NewKey(t, "k1", jwt.Algorithm("RS256"))
	sign := func(k *idptest.Key, with map[string]any) string {
		now := time.Now().Unix()
		c := map[string]any{"iss": "https://idp.test/", "aud": "vault", "sub": "alice", "iat": now, "nbf": now, "exp": now + 3600,
			"team": "payments", "groups": []string{"engineering"}}
		for name, v := range with {
			if c[name] = v; v == nil {
				delete(c, name)
			}
		}
		return k.Token(t, c)
	}
	pem, err := json.Marshal(string(key.PEM(t)))
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour).Unix()
	return map[string]string{
		"key":       strings.Trim(string(pem), `"`),
		"alice":     sign(key, nil),
		"bob":       sign(key, map[string]any{"sub": "bob", "team": "search"}),
		"late":      sign(key, map[string]any{"iat": past - 60, "nbf": past - 60, "exp": past}),
		"elsewhere": sign(key, map[string]any{"aud": "another"}),
		"nobody":    sign(key, map[string]any{"sub": nil}),
		"forged":    sign(stranger, nil),
	}
}

package vaultapi

import (
	"fmt"
	"testing"

	"github.com/jotgate/jotgate/internal/idptest"
)

// jwtToken logs somebody in on a fresh mount and returns the client token.
func (d *door) jwtToken(b *testing.B) string {
	b.Helper()
	d.enableJWT()
	key := idptest.NewKey(b, "", "RS256")
	d.do("POST", "auth/jwt/config", rootToken, map[string]any{"jwt_validation_pubkeys": string(key.PEM(b)), "bound_issuer": "https://issuer.example"}).want(204)
	d.role("demo", nil).want(204)
	return d.login("demo", key.Token(b, d.claims(nil))).token()
}

func BenchmarkLookupSelf(b *testing.B) {
	d := newDoor(b)
	token := d.jwtToken(b)
	d.run(b, false, "GET", "auth/token/lookup-self", token, func(int) string { return "" })
}

func BenchmarkRenewSelf(b *testing.B) {
	d := newDoor(b)
	token := d.jwtToken(b)
	d.run(b, true, "PUT", "auth/token/renew-self", token, func(int) string { return fmt.Sprintf(`{"increment":%d}`, 600) })
}

package clients_test

import (
	"testing"
	"time"

	vault "github.com/hashicorp/vault/api"

	"github.com/jotgate/jotgate/internal/servertest"
)

// Clients in languages with types (VaultSharp, vaultrs, Quarkus) read times
// into dates and fail as a whole on a text that is none, "" included. What may
// be missing in the reference's answers may be null here, and nothing else.
func TestTimesAreDatesForClientsWithTypes(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	token, _ := login(t, s, "auth/jwt/login", map[string]any{"jwt": idp.Token(audience, nil)})
	lease, _ := at(call(t, s, "LIST", "sys/leases/lookup/auth/jwt/login", servertest.RootToken, nil, 200), "data", "keys").([]any)
	root := client(t, s, servertest.RootToken)
	root.SetWrappingLookupFunc(func(string, string) string { return "5m" })
	wrapped := must[*vault.Secret](t)(root.Logical().Read("secret/data/app/db")).WrapInfo.Token
	for what, c := range map[string]struct {
		answer map[string]any
		path   []string
	}{
		"build":   {call(t, s, "GET", "sys/seal-status", "", nil, 200), []string{"build_date"}},
		"leader":  {call(t, s, "GET", "sys/leader", "", nil, 200), []string{"active_time"}},
		"key":     {call(t, s, "GET", "sys/key-status", servertest.RootToken, nil, 200), []string{"data", "install_time"}},
		"issued":  {call(t, s, "GET", "auth/token/lookup-self", token, nil, 200), []string{"data", "issue_time"}},
		"expires": {call(t, s, "GET", "auth/token/lookup-self", token, nil, 200), []string{"data", "expire_time"}},
		"lease":   {call(t, s, "PUT", "sys/leases/lookup", servertest.RootToken, map[string]any{"lease_id": "auth/jwt/login/" + lease[0].(string)}, 200), []string{"data", "expire_time"}},
		"wrapped": {call(t, s, "POST", "sys/wrapping/lookup", "", map[string]any{"token": wrapped}, 200), []string{"data", "creation_time"}},
		"version": {call(t, s, "GET", "secret/data/app/db", token, nil, 200), []string{"data", "metadata", "created_time"}},
		"secret":  {call(t, s, "GET", "secret/metadata/app/db", token, nil, 200), []string{"data", "updated_time"}},
	} {
		text, _ := at(c.answer, c.path...).(string)
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Some of them send JSON under another name for it, older releases of
// VaultSharp as plain text.
func TestABodyIsJSONWhateverItIsCalled(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	body := jsonText(t, map[string]any{"jwt": idp.Token(audience, nil), "role": ""})
	for _, typ := range []string{"text/plain; charset=utf-8", "application/json; charset=UTF-8", "application/vnd.api+json", "application/octet-stream"} {
		if status, out := s.Do("POST", "/v1/auth/jwt/login", body, "Content-Type", typ); status != 200 {
			t.Errorf("%s: %d %s", typ, status, out)
		}
	}
}

package vaultapi

import (
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/idptest"
)

func TestOperatorsSeeWhichKeysCount(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	d.do("GET", "auth/jwt/keys", rootToken, nil).want(404)
	one, two := d.issuer(), d.issuer() // each with an RS256 and an ES256 key
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{"jwks_pairs": []any{
		map[string]any{"jwks_url": one.JWKSURL() + "?key=s3cr3t", "issuer": "https://one.example"},
		map[string]any{"oidc_discovery_url": two.Issuer()},
	}}).want(204)
	sources := func() []map[string]any {
		t.Helper()
		a := d.do("GET", "auth/jwt/keys", rootToken, nil).want(200)
		if s := string(a.body); strings.Contains(s, "s3cr3t") || strings.Contains(s, idptest.Secret) {
			t.Errorf("the answer shows what it must not: %s", s)
		}
		var out []map[string]any
		for _, s := range a.data()["sources"].([]any) {
			out = append(out, s.(map[string]any))
		}
		return out
	}
	got := sources()
	if len(got) != 2 || got[0]["issuer"] != "https://one.example" || got[1]["issuer"] != two.Issuer() || got[0]["source"] != "jwks" || got[1]["source"] != "discovery" {
		t.Fatal(got)
	}
	key := got[0]["keys"].([]any)[1].(map[string]any)
	want := one.Key().Public(t)
	if words(key["key_id"], key["type"], key["algorithms"], key["thumbprint"]) != words(want.ID(), want.Type(), want.Algorithms(), want.Thumbprint()) {
		t.Error(key)
	}
	for _, name := range []string{"last_fetch", "last_success", "next_fetch", "fresh_until", "usable_until"} {
		if at, err := time.Parse(time.RFC3339Nano, words(got[0][name])); err != nil || at.Before(d.clock.now().Add(-time.Second)) {
			t.Errorf("%s is %v", name, got[0][name])
		}
	}
	if words(got[0]["fetches"], got[0]["restored"], got[0]["last_error"], got[0]["skipped"]) != "1 false  []" {
		t.Error(got[0])
	}
	two.Fail(idptest.Status500)
	d.clock.add(61 * time.Minute)
	d.role("demo", nil).want(204)
	d.login("demo", two.Token("bao", nil)).want(400)
	if got = sources(); len(got[1]["keys"].([]any)) != 0 || !strings.HasSuffix(words(got[1]["last_error"]), ": the endpoint answered with status 500") {
		t.Error(got[1])
	}
	static := pemOf(t)
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{"jwt_validation_pubkeys": static, "bound_issuer": "i"}).want(204)
	if got = sources(); len(got) != 1 || words(got[0]["source"], got[0]["issuer"]) != "static i" || len(got[0]["keys"].([]any)) != 1 || len(got[0]) != 4 {
		t.Error(got)
	}
	d.do("GET", "auth/jwt/keys", d.token("default"), nil).refused(403, deniedAuthed)
	d.do("GET", "auth/jwt/keys", "", nil).refused(403, "permission denied")
	d.do("PUT", "auth/jwt/keys", rootToken, nil).refused(405, "1 error occurred:\n\t* unsupported operation\n\n")
}

package vaultapi

import (
	"testing"
	"time"
)

func TestTokenMayEndWithTheJWT(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{"token_ttl": "1h", "token_ttl_from_exp": true, "clock_skew_leeway": -1})
	tok := login("alice", nil).token() // exp in 600 s
	look := d.do("GET", "auth/token/lookup-self", tok, nil).want(200).data()
	if words(look["ttl"]) != "600" {
		t.Fatal(look)
	}
	d.clock.add(5 * time.Minute)
	a := d.do("PUT", "auth/token/renew-self", tok, map[string]any{"increment": 3600}).want(200)
	if words(a.auth()["lease_duration"]) != "300" {
		t.Fatal(string(a.body))
	}
	d.clock.add(5 * time.Minute)
	d.do("GET", "auth/token/lookup-self", tok, nil).refused(403, "permission denied")
}

func TestJWTMayBeTooOld(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{"max_token_age": "2m", "clock_skew_leeway": -1})
	login("alice", map[string]any{"iat": d.clock.now().Unix() - 119}).want(200)
	login("alice", map[string]any{"iat": d.clock.now().Unix() - 125}).want(400)
}

func TestGroupsClaimMayBeOptional(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{"groups_claim": "groups"})
	login("alice", nil).want(400)
	d.do("PATCH", "auth/jwt/role/demo", rootToken, `{"groups_claim_optional":true}`, "Content-Type", "application/merge-patch+json").want(204)
	login("alice", nil).want(200)
	login("alice", map[string]any{"groups": map[string]any{"a": 1}}).want(400)
	login("alice", map[string]any{"groups": nil}).want(400)
	role := d.do("GET", "auth/jwt/role/demo", rootToken, nil).want(200).data()
	if role["groups_claim_optional"] != true || role["role_type"] != "jwt" || role["token_ttl_from_exp"] != nil || role["max_token_age"] != nil {
		t.Fatal(role)
	}
	d.do("PATCH", "auth/jwt/role/none", rootToken, `{"groups_claim_optional":true}`, "Content-Type", "application/merge-patch+json").want(404)
}

package vaultapi

import (
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/idptest"
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

func TestJWTMayBeMadeForTooLong(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{"max_token_lifetime": "10m"})
	login("alice", nil).want(200) // 600 s
	login("alice", map[string]any{"exp": d.clock.now().Unix() + 601}).
		refused(400, "error validating token: invalid expiration time (exp) claim: token lives too long")
	key := d.withKey()
	d.login("demo", key.Token(t, d.claims(map[string]any{"iat": nil, "aud": "a"}))).
		refused(400, "error validating token: no issued at (iat) claim in token, so its lifetime is unknown")
	if got := d.do("GET", "auth/jwt/role/demo", rootToken, nil).want(200).data()["max_token_lifetime"]; words(got) != "600" {
		t.Error(got)
	}
}

// TestTheRoleSaysWhichGroupsCount: the entity becomes a member of what the
// role makes of the token's groups, and of nothing else.
func TestTheRoleSaysWhichGroupsCount(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{
		"groups_claim": "groups", "groups_filter": "ops-*", "groups_filter_type": "glob",
		"groups_map": map[string]any{"ops-eu": "operators", "dev": "operators"}, "max_groups": 1,
	})
	for _, name := range []string{"operators", "ops-eu", "dev"} {
		d.do("PUT", "sys/policies/acl/of-"+name, rootToken, map[string]any{"policy": `path "a" {}`}).want(204)
		id := d.do("POST", "identity/group", rootToken, map[string]any{"name": name, "type": "external", "policies": "of-" + name}).want(200).data()["id"]
		d.do("POST", "identity/group-alias", rootToken, map[string]any{"name": name, "mount_accessor": d.accessor("auth/jwt/"), "canonical_id": id}).want(200)
	}
	for _, tc := range []struct {
		groups []string
		want   string
	}{
		{[]string{"ops-eu", "dev", "other"}, "[of-operators]"},
		{[]string{"dev", "ops-us"}, "<nil>"},
		{nil, "<nil>"},
	} {
		auth := login("alice", map[string]any{"groups": append([]string{}, tc.groups...)}).want(200).auth()
		if got := words(auth["identity_policies"]); got != tc.want {
			t.Errorf("%v: identity policies %s, want %s", tc.groups, got, tc.want)
		}
	}
	role := d.do("GET", "auth/jwt/role/demo", rootToken, nil).want(200).data()
	if words(role["groups_filter"], role["groups_filter_type"], role["groups_map"], role["max_groups"]) != "[ops-*] glob map[dev:operators ops-eu:operators] 1" {
		t.Error(role)
	}
	change := func(with map[string]any) answer { return d.do("PUT", "auth/jwt/role/demo", rootToken, with) }
	change(map[string]any{"groups_map": map[string]any{}}).want(204)
	login("alice", map[string]any{"groups": []string{"ops-a", "ops-b", "dev"}}).refused(400, "the token has more groups than the role takes (1)")
	if e := d.audit.last(); e.Checks[len(e.Checks)-1].Reason != "too_many_groups" {
		t.Error(e.Checks)
	}
	change(map[string]any{"groups_filter": "", "groups_filter_type": "", "max_groups": 0}).want(204)
	role = d.do("GET", "auth/jwt/role/demo", rootToken, nil).want(200).data()
	for _, name := range []string{"groups_filter", "groups_filter_type", "groups_map", "max_groups"} {
		if _, there := role[name]; there {
			t.Errorf("%s reads back although it was taken away", name)
		}
	}
	for text, with := range map[string]map[string]any{
		"invalid 'groups_filter_type': regex":                          {"groups_filter_type": "regex"},
		"groups_filter, groups_map and max_groups need a groups_claim": {"groups_claim": "", "groups_filter": "a"},
		"max_groups must be between 1 and 1024":                        {"max_groups": 1025},
		"groups_map has an empty name":                                 {"groups_map": map[string]any{"a": ""}},
	} {
		change(with).refused(400, text)
	}
}

// withKey gives the mount another key and returns it.
func (d *door) withKey() *idptest.Key {
	d.t.Helper()
	key := idptest.NewKey(d.t, "", "ES256")
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{"jwt_validation_pubkeys": string(key.PEM(d.t))}).want(204)
	return key
}

package vaultapi

import (
	"strings"
	"testing"
)

// accessor returns the accessor of an auth mount.
func (d *door) accessor(path string) string {
	d.t.Helper()
	e, ok := d.rt.Mounts.Table().Get(path)
	if !ok {
		d.t.Fatal("no mount", path)
	}
	return e.Accessor
}

func TestLoginMakesAnEntityThatIdentityShows(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{"claim_mappings": map[string]string{"team": "team"}})
	d.do("LIST", "identity/entity/id", rootToken, nil).want(404)
	auth := login("alice", map[string]any{"team": "x"}).auth()
	id := auth["entity_id"].(string)
	a := d.do("GET", "identity/entity/id?list=true", rootToken, nil).want(200).data()
	info := a["key_info"].(map[string]any)[id].(map[string]any)
	alias := info["aliases"].([]any)[0].(map[string]any)
	if words(a["keys"], info["name"], alias["mount_path"], alias["mount_type"], alias["name"], alias["mount_accessor"]) !=
		words([]any{id}, "entity_"+id[:8], "auth/jwt/", "jwt", "alice", d.accessor("auth/jwt/")) {
		t.Fatal(a)
	}
	e := d.do("GET", "identity/entity/id/"+id, rootToken, nil).want(200).data()
	al := e["aliases"].([]any)[0].(map[string]any)
	if words(e["policies"], e["disabled"], e["group_ids"], e["metadata"], al["metadata"], al["canonical_id"], e["namespace_id"]) !=
		words("[]", false, "[]", nil, "map[role:demo team:x]", id, "root") {
		t.Fatal(e)
	}
	byName := d.do("GET", "identity/entity/name/"+e["name"].(string), rootToken, nil).want(200).data()
	if byName["id"] != id {
		t.Fatal(byName)
	}
	list := d.do("LIST", "identity/entity-alias/id", rootToken, nil).want(200).data()
	ai := list["key_info"].(map[string]any)[al["id"].(string)].(map[string]any)
	if strings.Join(keysOf(ai), " ") != "canonical_id custom_metadata local metadata mount_accessor mount_path mount_type name" {
		t.Fatal(ai)
	}
	// the default policy lets everybody read their own
	tok := auth["client_token"].(string)
	d.do("GET", "identity/entity/id/"+id, tok, nil).want(200)
	other := login("bob", nil).auth()["entity_id"].(string)
	d.do("GET", "identity/entity/id/"+other, tok, nil).refused(403, deniedAuthed)
}

func TestIdentityPoliciesCountAtOnce(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, nil)
	auth := login("alice", nil).auth()
	id, tok := auth["entity_id"].(string), auth["client_token"].(string)
	d.do("PUT", "sys/policies/acl/more", rootToken, map[string]any{"policy": `path "sys/mounts" { capabilities = ["read"] }`}).want(204)
	d.do("GET", "sys/mounts", tok, nil).refused(403, deniedAuthed)
	g := d.do("POST", "identity/group", rootToken, map[string]any{"name": "ops", "policies": "more", "member_entity_ids": id}).want(200).data()
	d.do("GET", "sys/mounts", tok, nil).want(200)
	look := d.do("GET", "auth/token/lookup-self", tok, nil).data()
	if words(look["policies"], look["identity_policies"]) != "[default demo] [more]" {
		t.Fatal(look)
	}
	again := login("alice", nil).auth()
	if words(again["policies"], again["token_policies"], again["identity_policies"]) != "[default demo more] [default demo] [more]" {
		t.Fatal(again)
	}
	d.do("DELETE", "identity/group/id/"+g["id"].(string), rootToken, nil).want(204)
	d.do("GET", "sys/mounts", tok, nil).refused(403, deniedAuthed)
	d.do("POST", "identity/entity/id/"+id, rootToken, map[string]any{"disabled": true}).want(204)
	d.do("GET", "auth/token/lookup-self", tok, nil).refused(403, "permission denied")
	login("alice", nil).refused(403, "permission denied")
	a := d.do("POST", "sys/capabilities", rootToken, map[string]any{"token": tok, "path": "sys/auth"}).want(200)
	if words(a.data()["sys/auth"]) != "[deny]" {
		t.Fatal(string(a.body))
	}
}

func TestGroupsOfTheIdentityProvider(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{"groups_claim": "groups"})
	g := d.do("POST", "identity/group", rootToken, map[string]any{"name": "devs", "type": "external", "policies": []string{"gp"}}).want(200).data()
	id := g["id"].(string)
	al := d.do("POST", "identity/group-alias", rootToken, map[string]any{
		"name": "idp-devs", "mount_accessor": d.accessor("auth/jwt/"), "canonical_id": id,
	}).want(200).data()
	auth := login("alice", map[string]any{"groups": []string{"idp-devs", "else"}}).auth()
	if words(auth["identity_policies"]) != "[gp]" {
		t.Fatal(auth)
	}
	read := d.do("GET", "identity/group/id/"+id, rootToken, nil).want(200).data()
	ga := read["alias"].(map[string]any)
	if words(read["member_entity_ids"], read["type"], ga["name"], ga["id"], ga["mount_path"]) !=
		words([]any{auth["entity_id"]}, "external", "idp-devs", al["id"], "auth/jwt/") {
		t.Fatal(read)
	}
	ls := d.do("LIST", "identity/group/id", rootToken, nil).want(200).data()["key_info"].(map[string]any)[id].(map[string]any)
	if words(ls["name"], ls["num_member_entities"], ls["num_parent_groups"]) != "devs 1 0" {
		t.Fatal(ls)
	}
	if a := login("alice", map[string]any{"groups": []string{}}).auth(); a["identity_policies"] != nil {
		t.Fatal(a)
	}
	tok := auth["client_token"].(string)
	if look := d.do("GET", "auth/token/lookup-self", tok, nil).data(); look["identity_policies"] != nil {
		t.Fatal("an older token keeps a membership that a login took away", look)
	}
	d.do("LIST", "identity/group-alias/id", rootToken, nil).want(200)
	lone := d.do("GET", "identity/group-alias/id/"+al["id"].(string), rootToken, nil).want(200).data()
	if words(lone["custom_metadata"], lone["local"], lone["namespace_id"], lone["name"]) != "<nil> false root idp-devs" {
		t.Fatal(lone)
	}
	d.do("DELETE", "identity/group-alias/id/"+al["id"].(string), rootToken, nil).want(204)
	if read := d.do("GET", "identity/group/name/DEVS", rootToken, nil).want(200).data(); words(read["alias"]) != "map[]" {
		t.Fatal(read)
	}
}

func TestIdentityLookups(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, nil)
	id := login("alice", nil).auth()["entity_id"].(string)
	e := d.do("GET", "identity/entity/id/"+id, rootToken, nil).data()
	alias := e["aliases"].([]any)[0].(map[string]any)["id"]
	for _, q := range []map[string]any{
		{"id": id}, {"name": e["name"]}, {"alias_id": alias}, {"alias_name": "alice", "alias_mount_accessor": d.accessor("auth/jwt/")},
	} {
		if got := d.do("POST", "identity/lookup/entity", rootToken, q).want(200).data(); got["id"] != id {
			t.Error(q, got)
		}
	}
	d.do("POST", "identity/lookup/entity", rootToken, map[string]any{"id": "none"}).want(204)
	d.do("POST", "identity/lookup/group", rootToken, map[string]any{"name": "none"}).want(204)
	d.do("POST", "identity/lookup/entity", rootToken, nil).refused(400, "query parameter not supplied")
	d.do("POST", "identity/lookup/entity", rootToken, map[string]any{"id": "a", "name": "b"}).refused(400,
		"query parameter conflict; please supply distinct set of query parameters")
	d.do("POST", "identity/lookup/group", rootToken, map[string]any{"alias_name": "a"}).refused(400,
		"both 'alias_name' and 'alias_mount_accessor' needs to be set")
}

// An alias outlives its mount, and then does not say where it is.
func TestAliasOfAMountThatIsGone(t *testing.T) {
	d := newDoor(t)
	id := withLogin(t, d, nil)("alice", nil).auth()["entity_id"].(string)
	g := d.do("POST", "identity/group", rootToken, map[string]any{"name": "g", "type": "external"}).want(200).data()["id"].(string)
	d.do("POST", "identity/group-alias", rootToken, map[string]any{"name": "idp", "mount_accessor": d.accessor("auth/jwt/"), "canonical_id": g}).want(200)
	d.do("DELETE", "sys/auth/jwt", rootToken, nil).want(204)
	for _, c := range []struct{ method, path string }{
		{"GET", "identity/entity/id/" + id}, {"GET", "identity/group/id/" + g}, {"LIST", "identity/entity/id"},
		{"LIST", "identity/entity-alias/id"}, {"LIST", "identity/group-alias/id"},
	} {
		a := d.do(c.method, c.path, rootToken, nil).want(200)
		if !strings.Contains(string(a.body), "mount_accessor") || strings.Contains(string(a.body), "mount_path") || strings.Contains(string(a.body), "mount_type") {
			t.Errorf("%s %s: %s", c.method, c.path, a.body)
		}
	}
}

// Only whoever names a group alias by its id changes it: by its name alone
// nobody takes it away from its group.
func TestGroupAliasIsNotTakenByItsName(t *testing.T) {
	d := newDoor(t)
	withLogin(t, d, nil)
	acc := d.accessor("auth/jwt/")
	group := func(name string) string {
		return d.do("POST", "identity/group", rootToken, map[string]any{"name": name, "type": "external"}).want(200).data()["id"].(string)
	}
	alias := func(path, name, group string) answer {
		return d.do("POST", path, rootToken, map[string]any{"name": name, "mount_accessor": acc, "canonical_id": group})
	}
	mine, other := group("mine"), group("other")
	al := alias("identity/group-alias", "idp", mine).want(200).data()
	for _, id := range []string{other, mine} {
		alias("identity/group-alias", "idp", id).refused(400, "combination of mount and group alias name is already in use")
	}
	if got := d.do("GET", "identity/group/id/"+mine, rootToken, nil).data()["alias"].(map[string]any); got["id"] != al["id"] {
		t.Fatal(got)
	}
	byID := "identity/group-alias/id/" + al["id"].(string)
	alias(byID, "idp", mine).want(204)
	if got := alias(byID, "idp", other).want(200).data(); words(got["id"], got["canonical_id"]) != words(al["id"], other) {
		t.Fatal(got)
	}
	if got := d.do("GET", "identity/group/id/"+mine, rootToken, nil).data()["alias"]; words(got) != "map[]" {
		t.Fatal(got)
	}
}

func TestIdentityCreateUpdateDelete(t *testing.T) {
	d := newDoor(t)
	withLogin(t, d, nil)
	made := d.do("POST", "identity/entity", rootToken, map[string]any{"name": "bob", "metadata": map[string]any{"k": "v"}, "policies": []string{"a"}}).want(200).data()
	id := made["id"].(string)
	if words(made["name"], made["aliases"]) != "bob <nil>" {
		t.Fatal(made)
	}
	d.do("POST", "identity/entity", rootToken, map[string]any{"name": "bob", "policies": "b,c"}).want(204)
	d.do("POST", "identity/entity/name/bob", rootToken, map[string]any{"disabled": false}).want(204)
	got := d.do("GET", "identity/entity/name/Bob", rootToken, nil).want(200).data()
	if words(got["id"], got["policies"], got["metadata"]) != words(id, "[b c]", "map[k:v]") {
		t.Fatal(got)
	}
	d.do("POST", "identity/entity", rootToken, map[string]any{"policies": " Root"}).refused(400, "policies cannot contain root")
	d.do("POST", "identity/entity/id/none", rootToken, nil).refused(400, "entity not found from id")
	al := d.do("POST", "identity/entity-alias", rootToken, map[string]any{"name": "s", "canonical_id": id, "mount_accessor": d.accessor("auth/jwt/")}).want(200).data()
	change := map[string]any{"custom_metadata": map[string]any{"a": "b"}}
	if got := d.do("POST", "identity/entity-alias/id/"+al["id"].(string), rootToken, change).want(200).data(); words(got) != words(al) {
		t.Fatal("a change answers as the making does", got)
	}
	d.do("POST", "identity/entity-alias/id/"+al["id"].(string), rootToken, change).want(204)
	d.do("POST", "identity/entity-alias", rootToken, map[string]any{"name": "s", "mount_accessor": d.accessor("auth/jwt/")}).want(204)
	read := d.do("GET", "identity/entity-alias/id/"+al["id"].(string), rootToken, nil).want(200).data()
	if words(read["custom_metadata"], read["metadata"], read["name"]) != "map[a:b] <nil> s" {
		t.Fatal(read)
	}
	d.do("POST", "identity/entity-alias", rootToken, map[string]any{"name": "x", "mount_accessor": "zz"}).refused(400, `invalid mount accessor "zz"`)
	d.do("DELETE", "identity/entity-alias/id/"+al["id"].(string), rootToken, nil).want(204)
	d.do("GET", "identity/entity-alias/id/"+al["id"].(string), rootToken, nil).want(404)
	from := d.do("POST", "identity/entity", rootToken, map[string]any{"name": "old"}).want(200).data()["id"]
	d.do("POST", "identity/entity/merge", rootToken, map[string]any{"from_entity_ids": from, "to_entity_id": id}).want(204)
	if got := d.do("GET", "identity/entity/id/"+id, rootToken, nil).data(); words(got["merged_entity_ids"]) != words([]any{from}) {
		t.Fatal(got)
	}
	// Who may read the old one does not read the one that it went into.
	d.do("GET", "identity/entity/id/"+from.(string), rootToken, nil).want(404)
	d.do("POST", "identity/lookup/entity", rootToken, map[string]any{"id": from}).want(204)
	d.do("POST", "identity/entity/batch-delete", rootToken, map[string]any{"entity_ids": []any{id}}).want(204)
	d.do("GET", "identity/entity/id/"+id, rootToken, nil).want(404)
	if e := d.do("GET", "identity/entity/name/bob", rootToken, nil).want(404).errors(); len(e) != 0 {
		t.Fatal(e)
	}
	g := d.do("POST", "identity/group/name/team", rootToken, nil).want(200).data()["id"].(string)
	d.do("POST", "identity/group", rootToken, map[string]any{"id": g, "member_group_ids": g}).refused(400,
		`cyclic relationship detected for member group ID "`+g+`"`)
	d.do("DELETE", "identity/group/name/team", rootToken, nil).want(204)
	d.do("GET", "identity/group/id/"+g, rootToken, nil).want(404)
}

func TestListsOfEntitiesComeInPages(t *testing.T) {
	d := newDoor(t)
	for range 5 {
		d.do("POST", "identity/entity", rootToken, nil).want(200)
	}
	seen, after := map[string]bool{}, ""
	for range 3 {
		a := d.do("GET", "identity/entity/id?list=true&limit=2&after="+after, rootToken, nil)
		if a.status == 404 {
			break
		}
		for _, k := range a.want(200).data()["keys"].([]any) {
			after = k.(string)
			if seen[after] {
				t.Fatal("seen twice", after)
			}
			seen[after] = true
		}
	}
	if len(seen) != 5 {
		t.Fatal(seen)
	}
}

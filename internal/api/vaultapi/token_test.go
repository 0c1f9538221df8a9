package vaultapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/idptest"
)

// withLogin sets up a JWT mount with the role "demo" and returns what makes
// logins of a subject.
func withLogin(t *testing.T, d *door, role map[string]any) func(sub string, extra map[string]any) answer {
	t.Helper()
	key := idptest.NewKey(t, "k1", "RS256")
	d.do("POST", "sys/auth/jwt", rootToken, map[string]any{"type": "jwt"}).want(204)
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{"jwt_validation_pubkeys": string(key.PEM(t))}).want(204)
	r := map[string]any{"role_type": "jwt", "bound_audiences": "a", "user_claim": "sub", "token_policies": "demo", "token_ttl": "1h"}
	for k, v := range role {
		r[k] = v
	}
	d.do("PUT", "sys/policies/acl/demo", rootToken, map[string]any{"policy": `path "sys/auth" { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["update"] }`}).want(204)
	if a := d.do("PUT", "auth/jwt/role/demo", rootToken, r); a.status >= 300 {
		t.Fatal(string(a.body))
	}
	return func(sub string, extra map[string]any) answer {
		claims := map[string]any{"sub": sub, "aud": "a", "exp": d.clock.now().Unix() + 600, "iat": d.clock.now().Unix()}
		for k, v := range extra {
			claims[k] = v
		}
		return d.do("PUT", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": key.Token(t, claims)})
	}
}

func (a answer) token() string { a.t.Helper(); return a.auth()["client_token"].(string) }

func keysOf(m map[string]any) []string {
	out := []string{}
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

const deniedAuthed = "1 error occurred:\n\t* permission denied\n\n"

func TestLookupSelfHasTheReferencesFields(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, nil)
	tok := login("alice", nil).want(200).token()
	a := d.do("GET", "auth/token/lookup-self", tok, nil).want(200)
	want := strings.Fields("accessor creation_time creation_ttl display_name entity_id expire_time explicit_max_ttl id issue_time meta num_uses orphan path policies renewable ttl type")
	data := a.data()
	if got := keysOf(data); !slices.Equal(got, want) {
		t.Fatalf("fields %v\nwant   %v", got, want)
	}
	if words(data["id"], data["ttl"], data["type"], data["path"], data["display_name"], data["orphan"], data["renewable"], data["policies"], data["meta"]) !=
		words(tok, 3600, "service", "auth/jwt/login", "jwt-alice", true, true, "[default demo]", "map[role:demo]") {
		t.Fatalf("%v", data)
	}
	if _, err := time.Parse(time.RFC3339Nano, data["expire_time"].(string)); err != nil {
		t.Fatal(err)
	}
	root := d.do("GET", "auth/token/lookup-self", rootToken, nil).want(200).data()
	if root["expire_time"] != nil || root["renewable"] != nil || root["meta"] != nil || words(root["ttl"]) != "0" {
		t.Fatalf("%v", root)
	}
	d.do("POST", "auth/token/lookup", rootToken, nil).want(200)
	byRoot := d.do("POST", "auth/token/lookup", rootToken, map[string]any{"token": tok}).want(200).data()
	if byRoot["id"] != tok {
		t.Fatal(byRoot)
	}
	byAcc := d.do("POST", "auth/token/lookup-accessor", rootToken, map[string]any{"accessor": data["accessor"]}).want(200).data()
	if byAcc["id"] != "" || byAcc["display_name"] != "jwt-alice" {
		t.Fatal(byAcc)
	}
	d.do("POST", "auth/token/lookup", rootToken, map[string]any{"token": "nope"}).refused(403, "bad token")
	d.do("POST", "auth/token/lookup-accessor", rootToken, nil).refused(400, "missing accessor")
	d.do("POST", "auth/token/lookup-accessor", rootToken, map[string]any{"accessor": "x"}).refused(400, "invalid accessor")
}

func TestRenewSelfFollowsTheMeasuredExample(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{"token_ttl": "20m", "token_max_ttl": "1h"})
	tok := login("alice", nil).token()
	for _, c := range []struct {
		inc     any
		ttl     string
		warning string
	}{
		{30, "30", "[]"}, {"100h", "3600", `[TTL of "100h" exceeded the effective max_ttl of "1h"; TTL value is capped accordingly]`}, {0, "1200", "[]"},
	} {
		a := d.do("PUT", "auth/token/renew-self", tok, map[string]any{"increment": c.inc}).want(200)
		w, _ := a.json()["warnings"].([]any)
		if words(a.auth()["lease_duration"]) != c.ttl || words(w) != c.warning || a.token() != tok {
			t.Fatalf("%v: %s", c, a.body)
		}
	}
	d.do("PUT", "auth/token/renew-self", tok, map[string]any{"increment": "-5s"}).
		refused(400, `Field validation failed: error converting input for field "increment": cannot provide negative value '-5'`)
	look := d.do("GET", "auth/token/lookup-self", tok, nil).data()
	if look["last_renewal"] == nil || look["last_renewal_time"] == nil {
		t.Fatal(look)
	}
	d.do("DELETE", "auth/jwt/role/demo", rootToken, nil).want(204)
	d.do("PUT", "auth/token/renew-self", tok, nil).refused(400, "1 error occurred:\n\t* failed to renew entry: role demo does not exist during renewal\n\n")
	d.do("PUT", "auth/token/renew", rootToken, map[string]any{"token": "nope"}).refused(400, "token not found")
	d.do("PUT", "auth/token/renew", rootToken, nil).refused(400, "missing token ID")
	d.do("PUT", "auth/token/renew-self", rootToken, nil).refused(400, "invalid lease ID")
	d.do("PUT", "auth/token/renew-accessor", rootToken, map[string]any{"accessor": "x"}).refused(400, "invalid accessor")
}

func TestRenewByAccessorNeverShowsTheToken(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, nil)
	auth := login("alice", nil).auth()
	a := d.do("POST", "auth/token/renew-accessor", rootToken, map[string]any{"accessor": auth["accessor"]}).want(200)
	if a.token() != "" || strings.Contains(string(a.body), auth["client_token"].(string)) {
		t.Fatal(string(a.body))
	}
}

func TestEveryWayToRevoke(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, nil)
	for name, revoke := range map[string]func(auth map[string]any) answer{
		"self": func(a map[string]any) answer {
			return d.do("PUT", "auth/token/revoke-self", a["client_token"].(string), nil)
		},
		"token": func(a map[string]any) answer {
			return d.do("PUT", "auth/token/revoke", rootToken, map[string]any{"token": a["client_token"]})
		},
		"accessor": func(a map[string]any) answer {
			return d.do("POST", "auth/token/revoke-accessor", rootToken, map[string]any{"accessor": a["accessor"]})
		},
		"orphan": func(a map[string]any) answer {
			return d.do("PUT", "auth/token/revoke-orphan", rootToken, map[string]any{"token": a["client_token"]})
		},
		"prefix": func(map[string]any) answer { return d.do("PUT", "sys/leases/revoke-prefix/auth/jwt", rootToken, nil) },
		"force": func(map[string]any) answer {
			return d.do("PUT", "sys/leases/revoke-force/auth/jwt/login", rootToken, nil)
		},
		"disable": func(map[string]any) answer { return d.do("PUT", "sys/revoke-prefix/auth/jwt", rootToken, nil) },
	} {
		auth := login("alice", nil).want(200).auth()
		tok := auth["client_token"].(string)
		child := d.do("POST", "auth/token/create", tok, nil).want(200).token()
		d.do("GET", "auth/token/lookup-self", child, nil).want(200)
		revoke(auth).want(204)
		d.do("GET", "auth/token/lookup-self", tok, nil).refused(403, "permission denied")
		if a := d.do("GET", "auth/token/lookup-self", child, nil); (a.status == 200) != (name == "orphan") {
			t.Errorf("%s: child got %d", name, a.status)
		}
	}
	d.do("PUT", "auth/token/revoke", rootToken, map[string]any{"token": "nope"}).want(204)
	d.do("PUT", "auth/token/revoke-orphan", rootToken, map[string]any{"token": "nope"}).refused(400, "token to revoke not found")
	a := d.do("PUT", "auth/token/revoke-accessor", rootToken, map[string]any{"accessor": "nope"}).want(200)
	if words(a.json()["warnings"]) != "[No token found with this accessor]" {
		t.Fatal(string(a.body))
	}
}

func TestBatchTokenOnTheWire(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{"token_type": "batch"})
	a := login("alice", nil).want(200)
	tok := a.token()
	if !strings.HasPrefix(tok, "hvb.") || a.auth()["accessor"] != "" || a.auth()["renewable"] != false {
		t.Fatal(string(a.body))
	}
	look := d.do("GET", "auth/token/lookup-self", tok, nil).want(200).data()
	if look["type"] != "batch" || look["id"] != tok || look["renewable"] != false || look["accessor"] != "" {
		t.Fatal(look)
	}
	d.do("PUT", "auth/token/renew-self", tok, nil).refused(400, "batch tokens cannot be renewed")
	d.do("PUT", "auth/token/revoke-self", tok, nil).refused(400, "batch tokens cannot be revoked")
	d.do("POST", "auth/token/create", tok, nil).refused(400, "batch tokens cannot create more tokens")
}

func TestCreateAnswersLikeTheReference(t *testing.T) {
	d := newDoor(t)
	a := d.do("POST", "auth/token/create", rootToken, map[string]any{
		"display_name": "", "entity_alias": "", "explicit_max_ttl": "0s", "num_uses": 0, "period": "0s", "policies": []string{"demo"},
		"renewable": true, "ttl": "10m0s", "type": "service",
	}).want(200)
	auth := a.auth()
	if words(auth["lease_duration"], auth["orphan"], auth["policies"], auth["metadata"], auth["token_type"], auth["entity_id"]) !=
		words(600, false, "[default demo]", nil, "service", "") {
		t.Fatal(string(a.body))
	}
	if words(a.json()["warnings"]) != `[Policy "demo" does not exist]` {
		t.Fatal(string(a.body))
	}
	user := a.token()
	d.do("POST", "auth/token/create", user, nil).refused(403, deniedAuthed)
	// Terraform's child token.
	d.do("PUT", "sys/policies/acl/tf", rootToken, map[string]any{"policy": `path "auth/token/create" { capabilities = ["update"] }`}).want(204)
	tf := d.do("POST", "auth/token/create", rootToken, map[string]any{"policies": "tf"}).want(200).token()
	child := d.do("POST", "auth/token/create", tf, map[string]any{
		"ttl": "1200s", "explicit_max_ttl": "1200s", "renewable": false, "display_name": "terraform",
	}).want(200).auth()
	if words(child["lease_duration"], child["renewable"]) != "1200 false" {
		t.Fatal(child)
	}
	d.do("POST", "auth/token/create", tf, map[string]any{"no_parent": true}).refused(400, "root or sudo privileges required to create orphan token")
	d.do("POST", "auth/token/create", tf, map[string]any{"policies": "root"}).refused(400, "child policies must be subset of parent")
	d.do("POST", "auth/token/create", tf, map[string]any{"policies": []string{" ROOT"}}).refused(400, "child policies must be subset of parent")
	d.do("POST", "auth/token/create/none", rootToken, nil).refused(400, "unknown role none")
}

// A token role may give what its caller has not, so that only whose policies
// name its path may use it: never by a name in the body or in the query.
func TestTokenRoleIsUsedByItsPathOnly(t *testing.T) {
	d := newDoor(t)
	d.do("POST", "auth/token/roles/adm", rootToken, map[string]any{"allowed_policies": "strong"}).want(204)
	d.do("POST", "auth/token/roles/low", rootToken, map[string]any{"allowed_policies": "weak"}).want(204)
	for name, path := range map[string]string{"weak": `path "auth/token/create" { capabilities = ["update"] }
		path "auth/token/create-orphan" { capabilities = ["update"] }
		path "auth/token/create/low" { capabilities = ["update"] }`, "other": `path "auth/token/create/adm" { capabilities = ["update"] }`} {
		d.do("PUT", "sys/policies/acl/"+name, rootToken, map[string]any{"policy": path}).want(204)
	}
	weak := d.token("weak")
	d.do("POST", "auth/token/create/adm", weak, nil).want(403)
	for _, path := range []string{"auth/token/create", "auth/token/create-orphan"} {
		for _, token := range []string{weak, rootToken} {
			d.do("POST", path, token, map[string]any{"role_name": "adm"}).
				refused(400, "a token role is named by the path: create the token at auth/token/create/<role_name>")
		}
		if a := d.do("POST", path+"?role_name=adm", weak, nil).want(200).auth(); words(a["policies"]) != "[default weak]" {
			t.Errorf("%s: %v", path, a)
		}
	}
	if a := d.do("POST", "auth/token/create/low", weak, map[string]any{"role_name": "adm"}).want(200).auth(); words(a["policies"]) != "[default weak]" {
		t.Error(a)
	}
	if a := d.do("POST", "auth/token/create/adm", d.token("other"), nil).want(200).auth(); words(a["policies"]) != "[default strong]" {
		t.Error(a)
	}
}

func TestTokenRolesReadBack(t *testing.T) {
	d := newDoor(t)
	d.do("LIST", "auth/token/roles", rootToken, nil).want(404)
	d.do("POST", "auth/token/roles/ci", rootToken, map[string]any{
		"allowed_policies": "a,b", "period": "1h", "orphan": true, "token_bound_cidrs": []string{"10.0.0.0/8", "192.0.2.1/32"},
		"allowed_entity_aliases": "CI-*",
	}).want(204)
	got := d.do("GET", "auth/token/roles/ci", rootToken, nil).want(200).data()
	text, _ := json.Marshal(got)
	want := `{"allowed_entity_aliases":["ci-*"],"allowed_policies":["a","b"],"allowed_policies_glob":[],"disallowed_policies":[],` +
		`"disallowed_policies_glob":[],"explicit_max_ttl":0,"name":"ci","orphan":true,"path_suffix":"","period":3600,"renewable":true,` +
		`"token_bound_cidrs":["10.0.0.0/8","192.0.2.1"],"token_explicit_max_ttl":0,"token_no_default_policy":false,"token_period":3600,"token_type":"default-service"}`
	if string(text) != want {
		t.Fatalf("%s\nwant %s", text, want)
	}
	a := d.do("POST", "auth/token/roles/ci", rootToken, map[string]any{"period": 5, "token_period": 7}).want(200)
	if words(a.json()["warnings"]) != "[Both 'token_period' and deprecated 'period' value supplied, ignoring the deprecated value]" {
		t.Fatal(string(a.body))
	}
	d.do("POST", "auth/token/roles/ci", rootToken, map[string]any{"token_type": "batch"}).refused(400,
		"'token_type' cannot be 'batch' when role is set to generate periodic tokens")
	if keys := d.do("LIST", "auth/token/roles", rootToken, nil).want(200).data()["keys"]; words(keys) != "[ci]" {
		t.Fatal(keys)
	}
	tok := d.do("POST", "auth/token/create/ci", rootToken, nil).want(200).auth()
	if words(tok["policies"], tok["lease_duration"], tok["orphan"]) != "[a b default] 7 true" {
		t.Fatal(tok)
	}
	d.do("DELETE", "auth/token/roles/ci", rootToken, nil).want(204)
	d.do("GET", "auth/token/roles/ci", rootToken, nil).want(404)
}

func TestAccessorsNeedSudo(t *testing.T) {
	d := newDoor(t)
	d.do("PUT", "sys/policies/acl/p", rootToken, map[string]any{"policy": `path "auth/token/*" { capabilities = ["list", "update", "read"] }`}).want(204)
	tok := d.do("POST", "auth/token/create", rootToken, map[string]any{"policies": "p"}).token()
	d.do("LIST", "auth/token/accessors", tok, nil).refused(403, deniedAuthed)
	d.do("PUT", "auth/token/revoke-orphan", tok, map[string]any{"token": tok}).refused(403, deniedAuthed)
	if keys := d.do("LIST", "auth/token/accessors", rootToken, nil).want(200).data()["keys"].([]any); len(keys) != 2 {
		t.Fatal(keys)
	}
}

func TestUsesAreCountedOnTheWire(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{"token_num_uses": 3})
	tok := login("alice", nil).token()
	d.do("GET", "sys/mounts", tok, nil).refused(403, deniedAuthed) // denied, and counted
	d.do("POST", "auth/token/create", tok, nil).refused(400, "restricted use token cannot generate child tokens")
	d.do("GET", "auth/token/lookup-self", tok, nil).want(200)
	d.do("GET", "auth/token/lookup-self", tok, nil).refused(403, "permission denied")
}

func TestLeasesOnTheWire(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, nil)
	d.do("LIST", "sys/leases/lookup/auth/jwt/login", rootToken, nil).want(404)
	tok := login("alice", nil).token()
	if keys := d.do("LIST", "sys/leases/lookup", rootToken, nil).want(200).data()["keys"]; words(keys) != "[auth/]" {
		t.Fatal(keys)
	}
	keys := d.do("GET", "sys/leases/lookup/auth/jwt/login?list=true", rootToken, nil).want(200).data()["keys"].([]any)
	lease := "auth/jwt/login/" + keys[0].(string)
	l := d.do("PUT", "sys/leases/lookup", rootToken, map[string]any{"lease_id": lease}).want(200).data()
	if words(l["id"], l["ttl"], l["renewable"], l["last_renewal"]) != words(lease, 3600, true, nil) {
		t.Fatal(l)
	}
	for _, p := range []string{"sys/leases/renew", "sys/renew"} {
		d.do("PUT", p, rootToken, map[string]any{"lease_id": lease}).refused(400, "tokens cannot be renewed through this endpoint")
		d.do("PUT", p, rootToken, map[string]any{"lease_id": "x"}).refused(400, "lease not found")
		d.do("PUT", p, rootToken, nil).refused(400, "lease_id must be specified")
	}
	d.do("PUT", "sys/leases/lookup", rootToken, map[string]any{"lease_id": "x"}).refused(400, "invalid lease")
	d.do("PUT", "sys/leases/lookup", tok, map[string]any{"lease_id": lease}).want(200) // the default policy
	d.do("PUT", "sys/leases/revoke", tok, map[string]any{"lease_id": lease}).refused(403, deniedAuthed)
	d.do("PUT", "sys/leases/revoke/"+lease, rootToken, nil).want(204)
	d.do("GET", "auth/token/lookup-self", tok, nil).refused(403, "permission denied")
}

func TestWrappingOnTheWire(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, nil)
	user := login("alice", nil).token()
	d.do("POST", "sys/wrapping/wrap", user, map[string]any{"a": 1}).refused(400, "endpoint requires response wrapping to be used")
	wrap := func() map[string]any {
		a := d.do("POST", "sys/wrapping/wrap", user, `{"big":12345678901234567890.10,"s":"x"}`, "X-Vault-Wrap-TTL", "60s").want(200)
		w := a.json()["wrap_info"].(map[string]any)
		if words(w["ttl"], w["creation_path"], a.json()["data"], a.json()["request_id"]) != words(60, "sys/wrapping/wrap", nil, "") {
			t.Fatal(string(a.body))
		}
		return w
	}
	w := wrap()
	tok := w["token"].(string)
	look := d.do("POST", "sys/wrapping/lookup", "", map[string]any{"token": tok}).want(200).data()
	if words(look["creation_ttl"], look["creation_path"], look["creation_time"]) != words(60, "sys/wrapping/wrap", w["creation_time"]) {
		t.Fatal(look)
	}
	a := d.do("PUT", "sys/wrapping/unwrap", user, map[string]any{"token": tok}).want(200)
	if !strings.Contains(string(a.body), `"data":{"big":12345678901234567890.10,"s":"x"}`) {
		t.Fatal(string(a.body))
	}
	gone := "wrapping token is not valid or does not exist"
	d.do("PUT", "sys/wrapping/unwrap", user, map[string]any{"token": tok}).refused(400, gone)
	d.do("POST", "sys/wrapping/lookup", "", map[string]any{"token": tok}).refused(400, gone)
	d.do("POST", "sys/wrapping/lookup", "", nil).refused(400, `missing "token" value in input`)

	tok = wrap()["token"].(string)
	d.do("PUT", "sys/wrapping/unwrap", tok, nil).want(200)
	d.do("PUT", "sys/wrapping/unwrap", tok, nil).refused(400, gone)
	d.do("PUT", "sys/wrapping/unwrap", tok, map[string]any{"token": tok}).refused(400, gone)
	d.do("PUT", "sys/wrapping/unwrap", tok, map[string]any{"token": wrap()["token"]}).refused(403, "permission denied")
	d.do("PUT", "sys/wrapping/unwrap", "", nil).refused(403, "permission denied")
	d.do("PUT", "sys/mounts/x", tok, nil).refused(403, "permission denied")

	tok = wrap()["token"].(string)
	again := d.do("POST", "sys/wrapping/rewrap", rootToken, map[string]any{"token": tok}).want(200).json()["wrap_info"].(map[string]any)
	d.do("PUT", "sys/wrapping/unwrap", user, map[string]any{"token": tok}).refused(400, gone)
	d.do("PUT", "sys/wrapping/unwrap", again["token"].(string), map[string]any{"token": again["token"]}).want(200)

	// Whoever uses a wrapping token for anything else has spent it.
	tok = wrap()["token"].(string)
	d.do("GET", "auth/token/lookup-self", tok, nil).refused(403, deniedAuthed)
	d.do("PUT", "sys/wrapping/unwrap", user, map[string]any{"token": tok}).refused(400, gone)
}

func TestWrappedLoginHandsOutTheTokenOnce(t *testing.T) {
	d := newDoor(t)
	key := idptest.NewKey(t, "k1", "RS256")
	d.do("POST", "sys/auth/jwt", rootToken, map[string]any{"type": "jwt"}).want(204)
	d.do("PUT", "auth/jwt/config", rootToken, map[string]any{"jwt_validation_pubkeys": string(key.PEM(t))}).want(204)
	d.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{"role_type": "jwt", "bound_audiences": "a", "user_claim": "sub"})
	jwt := key.Token(t, map[string]any{"sub": "u", "aud": "a", "exp": d.clock.now().Unix() + 60, "iat": d.clock.now().Unix()})
	a := d.do("PUT", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": jwt}, "X-Vault-Wrap-TTL", "1m0s").want(200)
	w := a.json()["wrap_info"].(map[string]any)
	if a.json()["auth"] != nil || w["wrapped_accessor"] == "" || w["creation_path"] != "auth/jwt/login" {
		t.Fatal(string(a.body))
	}
	auth := d.do("PUT", "sys/wrapping/unwrap", w["token"].(string), nil).want(200).auth()
	if auth["accessor"] != w["wrapped_accessor"] {
		t.Fatal(auth)
	}
	d.do("GET", "auth/token/lookup-self", auth["client_token"].(string), nil).want(200)
	for _, e := range d.audit.entries {
		if e.Resp != nil && e.Resp.Auth != nil && e.Resp.Auth.ClientToken != "" && e.Req.Path == "auth/jwt/login" {
			t.Fatal("the audit entry of a wrapped login shows what it hides")
		}
	}
}

func TestCapabilities(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, nil)
	auth := login("alice", nil).auth()
	tok := auth["client_token"].(string)
	a := d.do("POST", "sys/capabilities-self", tok, map[string]any{"path": "sys/auth", "token": tok}).want(200)
	if words(a.json()["capabilities"], a.data()["sys/auth"], a.json()["sys/auth"]) != "[read] [read] [read]" {
		t.Fatal(string(a.body))
	}
	a = d.do("POST", "sys/capabilities", rootToken, map[string]any{"token": tok, "paths": []string{"sys/auth", "sys/mounts"}}).want(200)
	if words(a.data()) != "map[sys/auth:[read] sys/mounts:[deny]]" {
		t.Fatal(string(a.body))
	}
	a = d.do("POST", "sys/capabilities-accessor", rootToken, map[string]any{"accessor": auth["accessor"], "paths": "sys/auth"}).want(200)
	if words(a.data()["capabilities"]) != "[read]" {
		t.Fatal(string(a.body))
	}
	a = d.do("POST", "sys/capabilities-self", rootToken, map[string]any{"paths": "x/y"}).want(200)
	if words(a.data()["capabilities"]) != "[root]" {
		t.Fatal(string(a.body))
	}
	d.do("POST", "sys/capabilities-self", tok, nil).refused(400, "paths must be supplied")
	d.do("POST", "sys/capabilities", rootToken, map[string]any{"token": "x", "path": "a"}).refused(400, "invalid token")
	d.do("POST", "sys/capabilities-accessor", rootToken, map[string]any{"accessor": "x", "path": "a"}).refused(400, "invalid accessor")
	d.do("POST", "sys/capabilities-accessor", rootToken, map[string]any{"path": "a"}).refused(400, "missing accessor")

	r := d.do("GET", "sys/internal/ui/resultant-acl", tok, nil).want(200).data()
	if r["root"] != false || words(r["exact_paths"].(map[string]any)["sys/auth"]) != "map[capabilities:[read]]" {
		t.Fatal(r)
	}
	if r := d.do("GET", "sys/internal/ui/resultant-acl", rootToken, nil).want(200).data(); r["root"] != true {
		t.Fatal(r)
	}
}

func TestTidyStarts(t *testing.T) {
	d := newDoor(t)
	a := d.do("POST", "auth/token/tidy", rootToken, nil).want(202)
	if len(a.json()["warnings"].([]any)) != 1 {
		t.Fatal(string(a.body))
	}
}

// words is the values with a blank between each two.
func words(v ...any) string { return strings.TrimSpace(fmt.Sprintln(v...)) }

func TestCreateNamesTheParameterThatIsNegative(t *testing.T) {
	d := newDoor(t)
	for _, name := range []string{"ttl", "lease", "period", "explicit_max_ttl"} {
		d.do("POST", "auth/token/create", rootToken, map[string]any{name: "-5s"}).refused(400, name+" must be positive")
	}
}

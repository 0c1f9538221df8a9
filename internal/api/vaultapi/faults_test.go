package vaultapi

import (
	"bytes"
	"testing"

	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// request is one that a test sends again and again.
type request struct {
	method, path, token string
	body                any
	headers             []string
}

// Whatever call of the storage fails, the answer is that the server cannot
// serve the request now: never that the caller is not allowed or did something
// wrong, never an internal error, and never a token.
func TestStorageThatFailsIsSaidToBeUnavailable(t *testing.T) {
	d := newDoor(t)
	key := d.withConfig()
	d.do("PUT", "sys/policies/acl/demo", rootToken, map[string]any{"policy": `path "secret/*" { capabilities = ["read", "create", "update", "patch", "list", "delete"] } path "cubbyhole/*" { capabilities = ["read", "create", "update"] }`}).want(204)
	d.role("demo", map[string]any{"token_policies": "demo"}).want(204)
	d.do("POST", "sys/mounts/secret", rootToken, map[string]any{"type": "kv", "options": map[string]string{"version": "2"}}).want(204)
	d.do("POST", "secret/data/a", rootToken, map[string]any{"data": map[string]any{"k": "v"}}).want(200)
	login := func() string { return d.login("demo", key.Token(t, d.claims(nil))).auth()["client_token"].(string) }
	user := login()
	d.do("POST", "cubbyhole/a", user, map[string]any{"k": "v"}).want(204)
	entity := d.do("GET", "auth/token/lookup-self", user, nil).want(200).data()["entity_id"].(string)
	wrapped := func() string {
		a := d.do("GET", "secret/data/a", user, nil, "X-Vault-Wrap-TTL", "60").want(200)
		return a.json()["wrap_info"].(map[string]any)["token"].(string)
	}
	fixed := func(r request) func() request { return func() request { return r } }
	for name, prepare := range map[string]func() request{
		"login": func() request {
			return request{"PUT", "auth/jwt/login", "", map[string]any{"role": "demo", "jwt": key.Token(t, d.claims(nil))}, nil}
		},
		"read":      fixed(request{"GET", "secret/data/a", user, nil, nil}),
		"list":      fixed(request{"LIST", "secret/metadata", user, nil, nil}),
		"write":     fixed(request{"POST", "secret/data/a", user, map[string]any{"data": map[string]any{"k": "w"}}, nil}),
		"patch":     fixed(request{"PATCH", "secret/data/a", user, map[string]any{"data": map[string]any{"k": "x"}}, []string{"Content-Type", "application/merge-patch+json"}}),
		"cubbyhole": fixed(request{"GET", "cubbyhole/a", user, nil, nil}),
		"wrap":      fixed(request{"GET", "secret/data/a", user, nil, []string{"X-Vault-Wrap-TTL", "60"}}),
		"unwrap": func() request {
			return request{"PUT", "sys/wrapping/unwrap", user, map[string]any{"token": wrapped()}, nil}
		},
		"unwrap self": func() request { return request{"PUT", "sys/wrapping/unwrap", wrapped(), nil, nil} },
		"rewrap": func() request {
			return request{"PUT", "sys/wrapping/rewrap", rootToken, map[string]any{"token": wrapped()}, nil}
		},
		"lookup self":  fixed(request{"GET", "auth/token/lookup-self", user, nil, nil}),
		"renew self":   fixed(request{"PUT", "auth/token/renew-self", user, nil, nil}),
		"revoke self":  func() request { return request{"PUT", "auth/token/revoke-self", login(), nil, nil} },
		"create":       fixed(request{"POST", "auth/token/create", rootToken, map[string]any{"policies": []string{"demo"}}, nil}),
		"accessors":    fixed(request{"LIST", "auth/token/accessors", rootToken, nil, nil}),
		"capabilities": fixed(request{"PUT", "sys/capabilities-self", user, map[string]any{"paths": []string{"secret/data/a"}}, nil}),
		"leases":       fixed(request{"LIST", "sys/leases/lookup/auth/jwt/login", rootToken, nil, nil}),
		"mounts":       fixed(request{"GET", "sys/mounts", rootToken, nil, nil}),
		"tune":         fixed(request{"POST", "sys/mounts/secret/tune", rootToken, map[string]any{"description": "d"}, nil}),
		"policy":       fixed(request{"PUT", "sys/policies/acl/other", rootToken, map[string]any{"policy": `path "x" { capabilities = ["list"] }`}, nil}),
		"role":         fixed(request{"POST", "auth/jwt/role/other", rootToken, map[string]any{"role_type": "jwt", "user_claim": "sub", "bound_subject": "x"}, nil}),
		"read a role":  fixed(request{"GET", "auth/jwt/role/demo", rootToken, nil, nil}),
		"token role":   fixed(request{"POST", "auth/token/roles/r", rootToken, map[string]any{"orphan": true}, nil}),
		"entity":       fixed(request{"GET", "identity/entity/id/" + entity, rootToken, nil, nil}),
		"entities":     fixed(request{"LIST", "identity/entity/id", rootToken, nil, nil}),
		"group":        fixed(request{"POST", "identity/group", rootToken, map[string]any{"name": "g", "member_entity_ids": []string{entity}}, nil}),
	} {
		t.Run(name, func(t *testing.T) {
			if a := d.send(prepare()); a.status >= 300 {
				t.Fatalf("status %d to begin with: %s", a.status, a.body)
			}
			hits := 0
			for n := int64(1); ; n++ {
				r := prepare()
				f := &storagetest.Faulty{Store: d.plain, FailAt: n}
				d.raw.Use(f)
				a := d.send(r)
				d.raw.Use(nil)
				if a.status == 503 {
					hits++
					a.errors()
					if bytes.Contains(a.body, []byte("hvs.")) {
						t.Errorf("call %d failed, and the answer holds a token: %s", n, a.body)
					}
				} else if a.status >= 300 { // it succeeds where a reload in the background met the failure
					t.Errorf("call %d failed: %d %s", n, a.status, a.body)
				}
				if f.Calls() < n {
					break
				}
			}
			if hits == 0 {
				t.Error("the storage was not asked")
			}
		})
	}
}

func (d *door) send(r request) answer {
	d.t.Helper()
	return d.do(r.method, r.path, r.token, r.body, r.headers...)
}

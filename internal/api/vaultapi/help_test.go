package vaultapi

import (
	"slices"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/api/route"
)

var allBackends = map[string]**Backend{
	"system": &systemBackend, "token": &tokenBackend, "jwt": &jwtBackend, "identity": &identityBackend,
	"kv1": &kv1Backend, "kv2": &kv2Backend, "cubbyhole": &cubbyholeBackend,
}

// TestEveryRowIsWhole: a row that forgets its help, its body limit or the help
// of a parameter is a hole in the documents that clients generate from it.
func TestEveryRowIsWhole(t *testing.T) {
	for name, b := range allBackends {
		actions := map[string]bool{}
		for _, r := range (*b).table.Rows() {
			where := name + " " + strings.Join(r.Verbs, ",") + " " + r.Pattern
			if r.Help == "" || r.Action == "" || r.Handler.Do == nil {
				t.Errorf("%s has no help, action or handler", where)
			}
			for _, v := range r.Verbs {
				if (v == Update || v == Patch) && (r.Body <= 0 || r.Body > LargeBody) {
					t.Errorf("%s takes a body of %d bytes", where, r.Body)
				}
				if v == Create {
					t.Errorf("%s: rows say update, create is found out", where)
				}
			}
			if r.Auth == route.Public && r.Body > SmallBody {
				t.Errorf("%s is public and takes %d bytes", where, r.Body)
			}
			for _, f := range r.Handler.Fields {
				if f.Help == "" {
					t.Errorf("%s: parameter %s has no help", where, f.Name)
				}
			}
			if actions[r.Action] {
				t.Errorf("%s: action %s is taken", where, r.Action)
			}
			actions[r.Action] = true
		}
	}
}

func TestHelpIsOpenToEveryTokenAndHoldsNoSecret(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	token := d.token("none")
	for _, path := range []string{"auth/jwt", "auth/jwt/", "auth/jwt/config", "auth/jwt/role/x", "auth/jwt/login", "sys", "sys/mounts", "sys/policies/acl/x"} {
		a := d.do("GET", path+"?help=1", token, nil).want(200)
		m := a.json()
		if m["help"] == "" || m["openapi"] == nil || len(m) != 3 || strings.Contains(string(a.body), token) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	d.do("GET", "auth/jwt/config?help=1", "", nil).want(403)
	d.do("GET", "auth/jwt/login?help=1", "", nil).want(200)
	d.do("GET", "auth/jwt/nothing?help=1", token, nil).want(404)
	d.do("GET", "nothing?help=1", token, nil).want(404)
}

// A request for help does nothing else, whatever its verb says.
func TestHelpActsOnNothing(t *testing.T) {
	d := newDoor(t)
	sealer := &fakeSealer{initialized: true}
	d.h.sealer = sealer
	for _, c := range []struct{ method, path string }{
		{"PUT", "sys/policies/acl/p?help=1"}, {"POST", "sys/policies/acl/p?help=yes"}, {"DELETE", "sys/policies/acl/p?help=0"},
		{"PATCH", "sys/policies/acl/p?help=1"}, {"LIST", "sys/policies/acl?help=1"},
		{"PUT", "sys/seal?help=1"}, {"PUT", "sys/unseal?help=1"}, {"GET", "sys/health?help=1"}, {"PUT", "auth/token/revoke-self?help=1"},
	} {
		a := d.do(c.method, c.path, rootToken, map[string]any{"policy": `path "a" { capabilities = ["read"] }`, "key": "aa"}).want(200)
		if a.json()["openapi"] == nil {
			t.Errorf("%s %s: %s", c.method, c.path, a.body)
		}
	}
	d.do("GET", "sys/policies/acl/p", rootToken, nil).want(404)
	if len(sealer.did) != 0 {
		t.Error(sealer.did)
	}
}

// What a GET is to be must be readable: a list that was meant must not become
// a read of something else.
func TestListMustBeTrueOrFalse(t *testing.T) {
	d := newDoor(t)
	for _, q := range []string{"list=yes", "list=x&list=true", "scan=2"} {
		name, _, _ := strings.Cut(q, "=")
		d.do("GET", "sys/policies/acl/default?"+q, rootToken, nil).refused(400, `query parameter "`+name+`" must be true or false`)
	}
	for _, q := range []string{"list=false", "list=", "list=F&scan=0"} {
		d.do("GET", "sys/policies/acl/default?"+q, rootToken, nil).want(200)
	}
	for _, q := range []string{"list=true", "list=1", "list=T"} {
		d.do("GET", "sys/policies/acl?"+q, rootToken, nil).want(200)
	}
}

// Every operation of every mount has a place of its own in the document: none
// hides another, a list not the read of the same path.
func TestOpenAPIHoldsEveryOperation(t *testing.T) {
	d := hostileDoor(t)
	doc := d.do("GET", "sys/internal/specs/openapi", rootToken, nil).want(200).json()
	found := map[string]int{}
	for path, item := range doc["paths"].(map[string]any) {
		for verb, v := range item.(map[string]any) {
			op, ok := v.(map[string]any)
			if !ok || op["operationId"] == nil {
				continue
			}
			found[op["operationId"].(string)]++
			_, list := op["parameters"]
			if tags, ok := op["tags"].([]any); !ok || len(tags) != 1 || list != (strings.HasSuffix(path, "/") && verb == "get") {
				t.Errorf("%s %s is described as %v", verb, path, op)
			}
		}
	}
	for _, m := range mountsOf {
		for _, r := range (*m.b).table.Rows() {
			verbs := slices.DeleteFunc(slices.Clone(r.Verbs), func(v string) bool { return v == Scan }) // OpenAPI has no such verb
			if found[r.Action] < len(verbs) {
				t.Errorf("%s%s %v: %s is described %d times", m.path, r.Pattern, r.Verbs, r.Action, found[r.Action])
			}
		}
	}
}

func TestOpenAPIOfLogin(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	doc := d.do("GET", "auth/jwt/login?help=1", "", nil).json()["openapi"].(map[string]any)
	item := doc["paths"].(map[string]any)["/login"].(map[string]any)
	post := item["post"].(map[string]any)
	if item["x-vault-unauthenticated"] != true || post["operationId"] != "jwt-login" || doc["openapi"] != "3.0.2" {
		t.Errorf("login is described as %v", item)
	}
	schema := doc["components"].(map[string]any)["schemas"].(map[string]any)["JwtLoginRequest"].(map[string]any)
	role := schema["properties"].(map[string]any)["role"].(map[string]any)
	if role["format"] != "lowercase" || role["type"] != "string" {
		t.Errorf("role is described as %v", role)
	}
}

// TestRootPathsNeedSudo holds the rows to the reference's list of paths for
// which the plain capability is not enough.
func TestRootPathsNeedSudo(t *testing.T) {
	for _, p := range []struct {
		backend **Backend
		verb    string
		path    string
	}{
		{&systemBackend, Read, "auth/x"}, {&systemBackend, Update, "auth/x"}, {&systemBackend, Delete, "auth/x"},
		{&systemBackend, Read, "auth/x/tune"}, {&systemBackend, Update, "auth/x/tune"},
		{&systemBackend, Update, "remount"}, {&systemBackend, Read, "audit"}, {&systemBackend, Update, "audit/x"}, {&systemBackend, Delete, "audit/x"},
		{&systemBackend, Update, "rotate"}, {&systemBackend, Update, "rotate/keyring"}, {&systemBackend, Update, "rotate/root/init"}, {&systemBackend, Update, "rotate/root/update"}, {&systemBackend, Update, "rotate/root/verify"},
		{&systemBackend, Read, "config/cors"}, {&systemBackend, Update, "config/cors"}, {&systemBackend, Delete, "config/cors"},
		{&systemBackend, Read, "config/auditing/request-headers"}, {&systemBackend, Update, "config/auditing/request-headers/x"},
		{&systemBackend, Update, "revoke-prefix/x"}, {&systemBackend, Update, "leases/revoke-prefix/x"}, {&systemBackend, Update, "leases/revoke-force/x"},
		{&systemBackend, List, "config/ui/headers"}, {&systemBackend, Read, "config/ui/headers/x"}, {&systemBackend, Update, "config/ui/headers/x"}, {&systemBackend, Delete, "config/ui/headers/x"},
		{&systemBackend, Read, "rekey/backup"}, {&systemBackend, Delete, "rekey/backup"}, {&systemBackend, Read, "rotate/root/backup"}, {&systemBackend, Delete, "rotate/root/backup"},
		{&systemBackend, Update, "loggers"}, {&systemBackend, Delete, "loggers"}, {&systemBackend, Update, "loggers/core"}, {&systemBackend, Delete, "loggers/core"},
		{&systemBackend, List, "leases/lookup/x"}, {&systemBackend, Update, "seal"}, {&systemBackend, Update, "step-down"},
		{&tokenBackend, List, "accessors"}, {&tokenBackend, Update, "revoke-orphan"},
	} {
		row, _, outcome := (*p.backend).table.Find(p.verb, p.path)
		if outcome != route.Found {
			t.Errorf("%s %s is not served", p.verb, p.path)
			continue
		}
		if !row.Sudo || row.Auth == route.Public {
			t.Errorf("%s %s needs no sudo", p.verb, p.path)
		}
	}
}

// TestPublicRows: whoever adds an endpoint that answers strangers must say so
// here as well.
func TestPublicRows(t *testing.T) {
	want := map[string]bool{
		"system internal/ui/mounts": true, "system internal/ui/mounts/{path...}": true,
		"system wrapping/lookup": true, "system wrapping/unwrap": true, "jwt login": true, "jwt oidc/auth_url": true,
		"system health": true, "system seal-status": true, "system leader": true, "system init": true, "system unseal": true,
		"system internal/ui/feature-flags": true, "system replication/status": true,
		"system mfa/validate": true,
	}
	for name, b := range allBackends {
		for _, r := range (*b).table.Rows() {
			if r.Auth == route.Public && !want[name+" "+r.Pattern] {
				t.Errorf("%s %s answers strangers", name, r.Pattern)
			}
		}
	}
}

// TestTheOverviewNamesEachPathOnce, with all that can be done there.
func TestTheOverviewNamesEachPathOnce(t *testing.T) {
	for name, b := range allBackends {
		text := overview(*b, (*b).table.Rows())
		for _, r := range (*b).table.Rows() {
			pattern := r.Pattern
			if pattern == "" {
				pattern = "(the mount itself)"
			}
			if n := strings.Count(text, "\n    "+pattern+"\n"); n != 1 {
				t.Errorf("%s: %q stands there %d times", name, pattern, n)
			}
			if !strings.Contains(text, "        "+strings.Join(r.Verbs, ", ")+": "+r.Help+"\n") {
				t.Errorf("%s: what %q is for is not said", name, pattern)
			}
		}
	}
}

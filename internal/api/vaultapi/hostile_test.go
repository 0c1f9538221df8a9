package vaultapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// hostileValues are things that no parameter is meant to be.
var hostileValues = []string{
	`null`, `true`, `-1`, `0`, `1e400`, `1.5`, `99999999999999999999`, `""`, `" "`, `"\u0000"`, `"../../x"`, `"a\nb"`, `"*"`,
	`"` + strings.Repeat("A", 5000) + `"`, `[]`, `[null]`, `[1,"a",true]`, `[[["x"]]]`, `{}`, `{"a":null}`, `{"a":{"b":[1]}}`,
	`"-5s"`, `"99999999999h"`, `"\ud83d\ude00"`, `"root"`, `["Root "]`, `"hvs.x"`, `"hvb.x"`, `"{{identity.entity.id}}"`, `"%2e%2e%2f"`,
}

var hostileSegments = []string{
	"x", "ROOT", "a*b", "+", strings.Repeat("s", 3000), "é\u200b", "{{x}}", "a b", "..x", "%00", "hvs.abc", "a\x00b", "\xff\xfe",
}

// mountsOf lists one mount for each backend of the door.
var mountsOf = []struct {
	path string
	b    **Backend
}{
	{"sys/", &systemBackend}, {"auth/token/", &tokenBackend}, {"auth/jwt/", &jwtBackend}, {"identity/", &identityBackend},
	{"kv1/", &kv1Backend}, {"kv2/", &kv2Backend}, {"cubbyhole/", &cubbyholeBackend},
}

func hostileDoor(t *testing.T) *door {
	d := newDoor(t)
	d.h.sealer = &fakeSealer{initialized: true}
	withLogin(t, d, nil)
	d.do("POST", "sys/mounts/kv1", rootToken, map[string]any{"type": "kv"}).want(204)
	d.do("POST", "sys/mounts/kv2", rootToken, map[string]any{"type": "kv", "options": map[string]any{"version": "2"}}).want(204)
	return d
}

// method returns the HTTP method that asks for an operation.
func method(op string) string {
	switch op {
	case Read:
		return "GET"
	case List:
		return "LIST"
	case Scan:
		return "SCAN"
	case Delete:
		return "DELETE"
	case Patch:
		return "PATCH"
	}
	return "POST"
}

// path fills the parameters of a pattern.
func fill(pattern, with string) string {
	segs := strings.Split(pattern, "/")
	for i, s := range segs {
		if strings.HasPrefix(s, "{") {
			segs[i] = with
		}
	}
	return strings.Join(segs, "/")
}

// destroys are rows that would end the test itself: they take away the token
// or the mounts that it works with.
func destroys(r *Row) bool {
	return slices.Contains([]string{"token-revoke-self", "seal"}, r.Action) || strings.HasPrefix(r.Action, "unmount") ||
		strings.Contains(r.Action, "disable") || strings.Contains(r.Action, "remount")
}

// No request, however malformed, is the server's fault: every parameter of
// every row is given everything that it is not.
func TestNoParameterOfAnyRowMakesAServerError(t *testing.T) {
	d := hostileDoor(t)
	n := 0
	for _, m := range mountsOf {
		for _, r := range (*m.b).table.Rows() {
			if destroys(r) {
				continue
			}
			for _, op := range r.Verbs {
				path := m.path + fill(r.Pattern, "x")
				for _, f := range r.Handler.Fields {
					for _, v := range hostileValues {
						name, err := json.Marshal(f.Name)
						must(t, err)
						n += d.mustNotFail(op, path, fmt.Sprintf(`{%s:%s}`, name, v), "")
					}
				}
				n += d.mustNotFail(op, path, `[1]`, "")
				n += d.mustNotFail(op, path, `{"a":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`}`, "")
			}
		}
	}
	if n < 1000 {
		t.Fatal("only", n, "requests were made")
	}
}

func TestNoPathOfAnyRowMakesAServerError(t *testing.T) {
	d := hostileDoor(t)
	for _, m := range mountsOf {
		for _, r := range (*m.b).table.Rows() {
			if destroys(r) || !strings.Contains(r.Pattern, "{") {
				continue
			}
			for _, op := range r.Verbs {
				for _, s := range hostileSegments {
					d.mustNotFail(op, m.path+fill(r.Pattern, s), `{"policy":"x","type":"jwt","data":{"a":1}}`, "after=%00&limit=-1&version=x")
				}
			}
		}
	}
}

func (d *door) mustNotFail(op, path, body, query string) int {
	d.t.Helper()
	var b any
	headers := []string{}
	if op == Update || op == Patch {
		b = body
	}
	if op == Patch {
		headers = []string{"Content-Type", "application/merge-patch+json"}
	}
	if query != "" {
		path += "?" + query
	}
	a := d.do(method(op), path, rootToken, b, headers...)
	if a.status >= 500 {
		d.t.Errorf("%s %.80q %.120s: %d %.300s", op, path, body, a.status, a.body)
	}
	return 1
}

// Identity values in policy templates never widen a rule (GHSA-59w7-v8rr-pr4p).
func TestSubjectsWithWildcardsWidenNothing(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{"claim_mappings": map[string]string{"team": "team"}})
	acc := d.accessor("auth/jwt/")
	d.do("POST", "sys/mounts/kv1", rootToken, map[string]any{"type": "kv"}).want(204)
	d.do("PUT", "kv1/alice/a", rootToken, map[string]any{"v": 1}).want(204)
	d.do("PUT", "sys/policies/acl/demo", rootToken, map[string]any{"policy": fmt.Sprintf(`
path "kv1/{{identity.entity.aliases.%s.name}}/*" { capabilities = ["read", "list"] }
path "kv1/{{identity.entity.aliases.%s.metadata.team}}/*" { capabilities = ["read", "list"] }`, acc, acc)}).want(204)
	alice := login("alice", map[string]any{"team": "none"}).token()
	d.do("GET", "kv1/alice/a", alice, nil).want(200)
	for _, evil := range []string{"*", "+", "a*", "alice/../alice", "alice/a", "..", "x/../alice", "+/+", "al\u0000ice", " "} {
		for _, claims := range []map[string]any{{"team": "safe"}, {"team": evil}} {
			sub := evil
			if claims["team"] == evil {
				sub = "bob"
			}
			a := login(sub, claims)
			if a.status != 200 {
				continue // the login itself may refuse such a subject
			}
			tok := a.token()
			for _, p := range []string{"kv1/alice/a", "kv1/alice", "kv1/"} {
				if got := d.do("GET", p, tok, nil); got.status != 403 {
					t.Errorf("sub %q claims %v: GET %s is %d", sub, claims, p, got.status)
				}
			}
		}
	}
}

// CVE-2025-5999 and its like: no spelling of root gets through anywhere.
func TestNoSpellingOfRootIsGranted(t *testing.T) {
	d := newDoor(t)
	withLogin(t, d, nil)
	d.do("PUT", "sys/policies/acl/maker", rootToken, map[string]any{"policy": `path "auth/token/*" { capabilities = ["update", "sudo"] }`}).want(204)
	maker := d.do("POST", "auth/token/create", rootToken, map[string]any{"policies": "maker"}).want(200).token()
	for _, p := range []string{"root", "ROOT", " root", "Root ", "\troot"} {
		d.do("POST", "auth/token/create", maker, map[string]any{"policies": []string{p}}).refused(400,
			"root tokens may not be created without parent token being root")
		d.do("POST", "identity/entity", rootToken, map[string]any{"policies": []string{p}}).refused(400, "policies cannot contain root")
		d.do("POST", "identity/group", rootToken, map[string]any{"policies": []string{p}}).refused(400, "policies cannot contain root")
		d.do("POST", "auth/token/roles/r", rootToken, map[string]any{"allowed_policies": []string{p}}).want(204)
		d.do("POST", "auth/token/create/r", maker, nil).refused(400, "root tokens may not be created without parent token being root")
		d.do("POST", "auth/token/roles/r", rootToken, map[string]any{"allowed_policies": []string{}, "allowed_policies_glob": "*"}).want(204)
		d.do("POST", "auth/token/create/r", maker, map[string]any{"policies": []string{p}}).refused(400,
			"root tokens may not be created without parent token being root")
	}
}

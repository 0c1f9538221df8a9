package vaultapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

type obj = map[string]any

// kvDoor is a door with a version 2 mount at secret/ and a version 1 mount at kv1/.
func kvDoor(t *testing.T) *door {
	t.Helper()
	d := newDoor(t)
	d.do("POST", "sys/mounts/secret", rootToken, obj{"type": "kv", "options": obj{"version": "2"}}).want(204)
	d.do("POST", "sys/mounts/kv1", rootToken, obj{"type": "kv"}).want(204)
	return d
}

// tokenWith is a token that has one policy with the given text.
func (d *door) tokenWith(text string) string {
	d.t.Helper()
	d.do("POST", "sys/policies/acl/only", rootToken, obj{"policy": text}).want(204)
	return d.token("only")
}

// What a policy says of parameters holds for what the door reads, from a body
// and from a query.
func TestAPolicyJudgesTheParametersOfARequest(t *testing.T) {
	const denial = "1 error occurred:\n\t* permission denied\n\n"
	d := kvDoor(t)
	tok := d.tokenWith(`path "sys/policies/acl/x" { capabilities = ["create", "update"] denied_parameters = { "cas_required" = [] } }
		path "sys/auth/ci" { capabilities = ["create", "update", "sudo"] allowed_parameters = { "type" = ["jwt"], "description" = [] } required_parameters = ["description"] }
		path "cubbyhole/x" { capabilities = ["read", "create", "update"] denied_parameters = { "version" = ["7"] } }`)
	policy := func(with obj) obj {
		with["policy"] = `path "a" { capabilities = ["read"] }`
		return with
	}
	d.do("PUT", "sys/policies/acl/x", tok, policy(obj{"cas_required": true})).refused(403, denial)
	d.do("PUT", "sys/policies/acl/x", tok, policy(obj{"CAS_Required": true})).refused(403, denial)
	d.do("PUT", "sys/policies/acl/x", tok, policy(obj{})).want(204)
	d.do("POST", "sys/auth/ci", tok, obj{"type": "jwt"}).refused(403, denial)
	d.do("POST", "sys/auth/ci", tok, obj{"type": "oidc", "description": "d"}).refused(403, denial)
	d.do("POST", "sys/auth/ci", tok, obj{"type": "jwt", "description": "d", "local": true}).refused(403, denial)
	d.do("POST", "sys/auth/ci", tok, obj{"type": "jwt", "description": "d"}).want(204)
	d.do("PUT", "cubbyhole/x", tok, obj{"k": "v"}).want(204)
	if e := d.audit.last(); e.Req.Data["k"] != "v" {
		t.Errorf("the audit entry holds %v", e.Req.Data)
	}
	d.do("GET", "cubbyhole/x?version=7", tok, nil).refused(403, denial)
	d.do("GET", "cubbyhole/x?version=6", tok, nil).want(200)
}

// Both are hashed by the device; without them nobody could tell which token did
// something, or where it came from.
func TestTheAuditEntryHasTheCallersTokenAndTheNewOne(t *testing.T) {
	d := newDoor(t)
	a := d.do("POST", "auth/token/create", rootToken, obj{"policies": "default"}).want(200)
	made, _ := a.json()["auth"].(map[string]any)
	e := d.audit.last()
	if e.Auth.ClientToken != rootToken || e.Resp == nil || e.Resp.Auth == nil {
		t.Fatalf("caller %v, answer %+v", e.Auth.ClientToken != "", e.Resp)
	}
	if string(e.Resp.Auth.ClientToken) != made["client_token"] || string(e.Resp.Auth.Accessor) != made["accessor"] {
		t.Error("the entry names another token than the answer")
	}
}

// bodyIs compares an answer with golden JSON, request id aside.
func (a answer) bodyIs(want string) {
	a.t.Helper()
	got := a.json()
	delete(got, "request_id")
	text, _ := json.Marshal(got)
	var w any
	dec := json.NewDecoder(strings.NewReader(want))
	dec.UseNumber()
	if err := dec.Decode(&w); err != nil {
		a.t.Fatal(err)
	}
	wtext, _ := json.Marshal(w)
	if string(text) != string(wtext) {
		a.t.Errorf("body\n%s\nwant\n%s", text, wtext)
	}
}

func envelope(data string) string {
	return `{"auth":null,"data":` + data + `,"lease_duration":0,"lease_id":"","renewable":false,"warnings":null,"wrap_info":null}`
}

func TestKV2AnswersAreTheReferences(t *testing.T) {
	d := kvDoor(t)
	at := d.clock.now().UTC().Format(time.RFC3339Nano)
	meta := fmt.Sprintf(`{"created_time":%q,"custom_metadata":null,"deletion_time":"","destroyed":false,"version":1}`, at)
	d.do("PUT", "secret/data/app", rootToken, `{"data":{"pw":"x","n":12345678901234567890},"options":{}}`).want(200).bodyIs(envelope(meta))
	read := d.do("GET", "secret/data/app", rootToken, nil).want(200)
	read.bodyIs(envelope(`{"data":{"n":12345678901234567890,"pw":"x"},"metadata":` + meta + `}`))
	if !strings.Contains(string(read.body), "12345678901234567890") {
		t.Errorf("digits were lost: %s", read.body)
	}
	d.do("GET", "secret/metadata?list=true", rootToken, nil).want(200).bodyIs(envelope(`{"keys":["app"]}`))
	d.do("GET", "secret/metadata/app", rootToken, nil).want(200).bodyIs(envelope(fmt.Sprintf(
		`{"cas_required":false,"created_time":%q,"current_metadata_version":0,"current_version":1,"custom_metadata":null,"delete_version_after":"0s",`+
			`"max_versions":0,"metadata_cas_required":false,"oldest_version":0,"updated_time":%q,"versions":{"1":{"created_time":%q,"deletion_time":"","destroyed":false}}}`, at, at, at)))
	d.do("DELETE", "secret/data/app", rootToken, nil).want(204)
	gone := fmt.Sprintf(`{"created_time":%q,"custom_metadata":null,"deletion_time":%q,"destroyed":false,"version":1}`, at, at)
	d.do("GET", "secret/data/app", rootToken, nil).want(404).bodyIs(envelope(`{"data":null,"metadata":` + gone + `}`))
	d.do("PATCH", "secret/data/app", rootToken, `{"data":{}}`, "Content-Type", "application/merge-patch+json").want(404).bodyIs(envelope(`{"data":null,"metadata":` + gone + `}`))
	if e := d.do("GET", "secret/data/none", rootToken, nil).want(404).errors(); len(e) != 0 {
		t.Errorf("errors %q", e)
	}
	d.do("GET", "secret/config", rootToken, nil).want(200).bodyIs(envelope(`{"cas_required":false,"delete_version_after":"0s","max_versions":0}`))
}

func TestKV2Lifecycle(t *testing.T) {
	d := kvDoor(t)
	for i := range 3 {
		d.do("POST", "secret/data/a/b", rootToken, obj{"data": obj{"k": i + 1}}).want(200)
	}
	k := func(query string) any {
		t.Helper()
		m, _ := d.do("GET", "secret/data/a/b"+query, rootToken, nil).want(200).data()["data"].(obj)
		return fmt.Sprint(m["k"])
	}
	if k("") != "3" || k("?version=1") != "1" {
		t.Error("versions mixed up")
	}
	d.do("POST", "secret/delete/a/b", rootToken, obj{"versions": []int{1, 2}}).want(204)
	d.do("GET", "secret/data/a/b?version=1", rootToken, nil).want(404)
	d.do("PUT", "secret/undelete/a/b", rootToken, obj{"versions": "1,2"}).want(204)
	if k("?version=1") != "1" {
		t.Error("undelete")
	}
	d.do("PUT", "secret/destroy/a/b", rootToken, obj{"versions": []int{1}}).want(204)
	if m, _ := d.do("GET", "secret/data/a/b?version=1", rootToken, nil).want(404).data()["metadata"].(obj); m["destroyed"] != true {
		t.Errorf("destroyed: %v", m)
	}
	d.do("PATCH", "secret/data/a/b", rootToken, `{"data":{"k":null,"x":{"y":1,"z":[1]}}}`, "Content-Type", "application/merge-patch+json").want(200)
	d.do("GET", "secret/subkeys/a/b?depth=1", rootToken, nil).want(200)
	if s, _ := d.do("GET", "secret/subkeys/a/b", rootToken, nil).want(200).data()["subkeys"].(obj); fmt.Sprint(s) != "map[x:map[y:<nil> z:<nil>]]" {
		t.Errorf("subkeys: %v", s)
	}
	d.do("LIST", "secret/metadata/a", rootToken, nil).want(200).bodyIs(envelope(`{"keys":["b"]}`))
	d.do("LIST", "secret/detailed-metadata/a", rootToken, nil).want(200)
	if e := d.do("LIST", "secret/metadata/none", rootToken, nil).want(404).errors(); len(e) != 0 {
		t.Errorf("errors %q", e)
	}
	d.do("POST", "secret/metadata/a/b", rootToken, obj{"custom_metadata": obj{"owner": "me", "x": "y"}, "max_versions": 2, "delete_version_after": "1h"}).want(204)
	d.do("PATCH", "secret/metadata/a/b", rootToken, `{"custom_metadata":{"x":null,"n":5},"max_versions":null}`, "Content-Type", "application/merge-patch+json").want(204)
	m := d.do("GET", "secret/metadata/a/b", rootToken, nil).want(200).data()
	if fmt.Sprint(m["custom_metadata"]) != "map[n:5 owner:me]" || fmt.Sprint(m["max_versions"]) != "0" || m["delete_version_after"] != "1h0m0s" {
		t.Errorf("metadata: %v", m)
	}
	d.do("PATCH", "secret/metadata/none", rootToken, `{}`, "Content-Type", "application/merge-patch+json").want(404)
	d.do("DELETE", "secret/metadata/a/b", rootToken, nil).want(204)
	d.do("GET", "secret/metadata/a/b", rootToken, nil).want(404)
}

func TestKV2Refusals(t *testing.T) {
	d := kvDoor(t)
	d.do("POST", "secret/config", rootToken, obj{"cas_required": true}).want(204)
	d.do("POST", "secret/data/a", rootToken, obj{"data": obj{}}).refused(400, "check-and-set parameter required for this call")
	d.do("POST", "secret/data/a", rootToken, obj{"data": obj{}, "options": obj{"cas": 1}}).refused(400, "check-and-set parameter did not match the current version")
	d.do("POST", "secret/data/a", rootToken, obj{"data": obj{}, "options": obj{"cas": "x"}}).refused(400, "error parsing check-and-set parameter")
	d.do("POST", "secret/data/a", rootToken, obj{"data": obj{}, "options": obj{"cas": "0"}}).want(200)
	for name, body := range map[string]any{"none": nil, "null": obj{"data": nil}, "other": obj{"k": "v"}} {
		if a := d.do("POST", "secret/data/a", rootToken, body); a.status != 400 || a.errors()[0] != "no data provided" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for _, body := range []string{`{"data":[]}`, `{"data":"x"}`, `{"data":1}`, `{"data":{"a":1,"a":2}}`, `{"data":{}`, `[]`, `{"data":` + strings.Repeat(`{"a":`, 200) + `1` + strings.Repeat("}", 200) + `}`} {
		d.do("POST", "secret/data/a", rootToken, body).want(400)
	}
	d.do("POST", "secret/delete/a", rootToken, obj{}).refused(400, "No version number provided")
	d.do("POST", "secret/destroy/a", rootToken, obj{}).refused(400, "no version number provided")
	d.do("POST", "secret/delete/a", rootToken, obj{"versions": []string{"x"}}).want(400)
	d.do("POST", "secret/metadata/a", rootToken, obj{"max_versions": -1}).want(400)
	d.do("POST", "secret/metadata/a", rootToken, obj{"delete_version_after": "-1s"}).want(400)
	d.do("POST", "secret/metadata/a", rootToken, obj{"custom_metadata": obj{"k": strings.Repeat("v", 513)}}).want(400)
	d.do("POST", "secret/metadata/a", rootToken, obj{"custom_metadata": obj{"k": []int{1}}}).want(400)
	d.do("GET", "secret/data/a?version=-1", rootToken, nil).want(404)
	d.do("GET", "secret/data/a?version=99", rootToken, nil).want(404)
	d.do("GET", "secret/data/a?version=x", rootToken, nil).want(400)
	d.do("PATCH", "secret/data/a", rootToken, `{"data":{}}`, "Content-Type", "application/json").want(415)
	d.do("POST", "secret/data/"+strings.Repeat("a", 901), rootToken, obj{"data": obj{}, "options": obj{"cas": 0}}).want(400)
}

func TestKV2PathsOfVersionOneAreExplained(t *testing.T) {
	d := kvDoor(t)
	for _, c := range []struct{ method, path, want string }{
		{"GET", "secret/app", "use 'vault kv get' for this operation."},
		{"PUT", "secret/app", "use 'vault kv put' for this operation."},
		{"DELETE", "secret/a/b", "use 'vault kv delete' for this operation."},
		{"LIST", "secret/", "use 'vault kv list' for this operation."},
		{"GET", "secret/data", "Non-listing operations on the root of a K/V v2 mount are not supported."},
	} {
		w, _ := d.do(c.method, c.path, rootToken, nil).want(404).json()["warnings"].([]any)
		if len(w) != 1 || !strings.HasSuffix(fmt.Sprint(w[0]), c.want) {
			t.Errorf("%s %s: %v", c.method, c.path, w)
		}
	}
}

func TestKV1(t *testing.T) {
	d := kvDoor(t)
	d.do("PUT", "kv1/a/b", rootToken, `{"k":"v","n":1.50,"ttl":"30m"}`).want(204)
	r := d.do("GET", "kv1/a/b", rootToken, nil).want(200)
	if fmt.Sprint(r.data()) != "map[k:v n:1.50 ttl:30m]" || fmt.Sprint(r.json()["lease_duration"]) != "1800" {
		t.Errorf("read: %s", r.body)
	}
	d.do("POST", "kv1/c", rootToken, "k=v&x=y", "Content-Type", "application/x-www-form-urlencoded").want(204)
	r = d.do("GET", "kv1/c", rootToken, nil).want(200)
	if fmt.Sprint(r.data()) != "map[k:v x:y]" || fmt.Sprint(r.json()["lease_duration"]) != "2764800" {
		t.Errorf("form: %s", r.body)
	}
	d.do("LIST", "kv1/", rootToken, nil).want(200).bodyIs(envelope(`{"keys":["a/","c"]}`))
	d.do("LIST", "kv1/a", rootToken, nil).want(200).bodyIs(envelope(`{"keys":["b"]}`))
	d.do("POST", "kv1/c", rootToken, nil).refused(400, "missing data fields")
	d.do("POST", "kv1/c", rootToken, obj{}).refused(400, "missing data fields")
	d.do("DELETE", "kv1/c", rootToken, nil).want(204)
	d.do("GET", "kv1/c", rootToken, nil).want(404)
	d.do("POST", "sys/mounts/kv1/tune", rootToken, obj{"options": obj{"version": "2"}}).want(204)
	if m, _ := d.do("GET", "kv1/data/a/b", rootToken, nil).want(200).data()["metadata"].(obj); fmt.Sprint(m["version"]) != "1" {
		t.Errorf("after the upgrade to version 2: %v", m)
	}
}

func TestKVSecretsNeedTheirPolicy(t *testing.T) {
	d := kvDoor(t)
	d.do("PUT", "secret/data/app", rootToken, obj{"data": obj{"k": "v"}}).want(200)
	d.do("PUT", "kv1/app", rootToken, obj{"k": "v"}).want(204)
	tok := d.tokenWith(`path "secret/data/mine" { capabilities = ["create"] } path "kv1/mine" { capabilities = ["create"] }`)
	if tok == "" {
		t.Fatal("no token")
	}
	const denied = "1 error occurred:\n\t* permission denied\n\n"
	for _, c := range []struct{ method, path string }{
		{"GET", "secret/data/app"}, {"PUT", "secret/data/app"}, {"DELETE", "secret/data/app"}, {"PATCH", "secret/data/app"},
		{"POST", "secret/delete/app"}, {"POST", "secret/undelete/app"}, {"POST", "secret/destroy/app"}, {"GET", "secret/subkeys/app"},
		{"GET", "secret/metadata/app"}, {"POST", "secret/metadata/app"}, {"DELETE", "secret/metadata/app"}, {"LIST", "secret/metadata/"},
		{"LIST", "secret/detailed-metadata/"}, {"GET", "secret/config"}, {"POST", "secret/config"}, {"GET", "secret/app"},
		{"GET", "kv1/app"}, {"PUT", "kv1/app"}, {"DELETE", "kv1/app"}, {"LIST", "kv1/"},
	} {
		var body any
		if c.method != "GET" && c.method != "LIST" && c.method != "DELETE" {
			body = obj{"data": obj{"k": "stolen"}, "versions": []int{1}}
		}
		d.do(c.method, c.path, tok, body, "Content-Type", "application/merge-patch+json").refused(403, denied)
		d.do(c.method, c.path, "", body, "Content-Type", "application/merge-patch+json").refused(403, "permission denied")
	}
	d.do("PUT", "secret/data/mine", tok, obj{"data": obj{"k": 1}}).want(200)
	d.do("PUT", "secret/data/mine", tok, obj{"data": obj{"k": 2}}).refused(403, denied) // create is not update
	d.do("PUT", "kv1/mine", tok, obj{"k": 1}).want(204)
	d.do("PUT", "kv1/mine", tok, obj{"k": 2}).refused(403, denied)
	if m, _ := d.do("GET", "secret/data/app", rootToken, nil).want(200).data()["data"].(obj); m["k"] != "v" {
		t.Errorf("a refused request changed something: %v", m)
	}
}

func TestCubbyholeIsPrivate(t *testing.T) {
	d := kvDoor(t)
	mine := d.tokenWith(`path "cubbyhole/*" { capabilities = ["create","read","update","delete","list"] }`)
	d.do("PUT", "cubbyhole/a/b", mine, obj{"k": "v"}).want(204)
	if v := d.do("GET", "cubbyhole/a/b", mine, nil).want(200).data(); v["k"] != "v" {
		t.Errorf("own value: %v", v)
	}
	d.do("LIST", "cubbyhole/", mine, nil).want(200).bodyIs(envelope(`{"keys":["a/"]}`))
	d.do("GET", "cubbyhole/a/b", rootToken, nil).want(404)
	d.do("LIST", "cubbyhole/", rootToken, nil).want(404)
	d.do("POST", "cubbyhole/a", mine, nil).refused(400, "missing data fields")
	d.do("DELETE", "cubbyhole/a/b", mine, nil).want(204)
	d.do("GET", "cubbyhole/a/b", mine, nil).want(404)
}

func TestKVAuditShowsNoValue(t *testing.T) {
	d := kvDoor(t)
	d.do("PUT", "secret/data/app", rootToken, obj{"data": obj{"k": "v"}}).want(200)
	d.do("GET", "secret/data/app", rootToken, nil).want(200)
	e := d.audit.last()
	if e.Req.Path != "secret/data/app" || e.Req.MountType != "kv" || e.Resp == nil || e.Resp.Status != 200 || e.Resp.Data["data"] == nil {
		t.Errorf("entry: %+v", e)
	}
}

func TestKVFollowsItsMount(t *testing.T) {
	d := kvDoor(t)
	d.do("PUT", "secret/data/a", rootToken, obj{"data": obj{"k": "v"}}).want(200)
	d.do("POST", "sys/remount", rootToken, obj{"from": "secret", "to": "moved/deep"}).want(200)
	d.do("GET", "moved/deep/data/a", rootToken, nil).want(200)
	d.do("LIST", "moved/deep/metadata", rootToken, nil).want(200)
	d.do("GET", "secret/data/a", rootToken, nil).want(404)
	d.do("DELETE", "sys/mounts/moved/deep", rootToken, nil).want(204)
	must(t, d.store.View(t.Context(), func(tx storage.ReadTx) error {
		items, err := tx.Scan([]byte("kv/"), nil, 10)
		if len(items) != 0 {
			t.Errorf("a disabled mount left %d keys behind", len(items))
		}
		return err
	}))
	d.do("POST", "sys/mounts/moved/deep", rootToken, obj{"type": "kv", "options": obj{"version": "2"}}).want(204)
	d.do("GET", "moved/deep/data/a", rootToken, nil).want(404)
}

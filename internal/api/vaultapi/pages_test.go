package vaultapi

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// keys returns the names of a list.
func (a answer) keys() string {
	a.t.Helper()
	var out []string
	for _, k := range a.want(200).data()["keys"].([]any) {
		out = append(out, k.(string))
	}
	return strings.Join(out, " ")
}

// Every list can be read page by page; a client that goes on after the last
// name it got must come to an end.
func TestEveryListHasPages(t *testing.T) {
	d := kvDoor(t)
	for i := range 3 {
		d.do("PUT", fmt.Sprintf("sys/policies/acl/p%d", i), rootToken, obj{"policy": `path "a" { capabilities = ["read"] }`}).want(204)
		d.do("PUT", fmt.Sprintf("auth/token/roles/r%d", i), rootToken, obj{}).want(204)
		d.do("POST", "identity/group", rootToken, obj{"name": fmt.Sprintf("g%d", i)}).want(200)
		d.do("PUT", fmt.Sprintf("secret/data/s%d", i), rootToken, `{"data":{}}`).want(200)
		d.do("PUT", fmt.Sprintf("cubbyhole/c%d", i), rootToken, `{"a":1}`).want(204)
		d.token("default")
	}
	for _, path := range []string{
		"sys/policies/acl", "auth/token/roles", "auth/token/accessors", "identity/group/name", "identity/group/id", "secret/metadata", "cubbyhole", "sys/leases/lookup/auth/token/create",
	} {
		all := strings.Fields(d.do("LIST", path, rootToken, nil).keys())
		var paged []string
		for after := ""; ; {
			a := d.do("LIST", path+"?limit=2&after="+after, rootToken, nil)
			if a.status == 404 {
				break
			}
			page := strings.Fields(a.keys())
			if len(page) > 2 || len(paged) > len(all) {
				t.Fatalf("%s: a page of %d after %d of %d names", path, len(page), len(paged), len(all))
			}
			if info, ok := a.data()["key_info"].(map[string]any); ok && len(info) != len(page) {
				t.Errorf("%s: %d names with %d descriptions", path, len(page), len(info))
			}
			if strings.Contains(string(a.body), "unrecognized") {
				t.Errorf("%s: %s", path, a.body)
			}
			paged = append(paged, page...)
			after = page[len(page)-1]
		}
		seen := map[string]bool{}
		for _, k := range paged {
			seen[k] = true
		}
		if len(seen) != len(all) || len(paged) != len(all) {
			t.Errorf("%s: %v in pages, %v at once", path, paged, all)
		}
	}
	d.do("LIST", "sys/policies/acl?limit=x", rootToken, nil).want(400)
	if got := d.do("LIST", "sys/policies/acl?limit=-1", rootToken, nil).keys(); !strings.HasPrefix(got, "default ") {
		t.Error(got)
	}
}

func TestScanListsWhatLiesBelow(t *testing.T) {
	d := kvDoor(t)
	for _, p := range []string{"a", "b/c", "b/d/e", "z"} {
		d.do("PUT", "secret/data/"+p, rootToken, `{"data":{}}`).want(200)
		d.do("PUT", "kv1/"+p, rootToken, `{"x":1}`).want(204)
	}
	for path, want := range map[string]string{
		"secret/metadata": "a b/c b/d/e z", "secret/metadata/b": "c d/e", "secret/metadata/b/": "c d/e", "secret/metadata?limit=2&after=a": "b/c b/d/e",
		"kv1": "a b/c b/d/e z", "kv1/b": "c d/e", "kv1/?limit=1": "a",
	} {
		if got := d.do("SCAN", path, rootToken, nil).keys(); got != want {
			t.Errorf("SCAN %s = %s, want %s", path, got, want)
		}
	}
	if got := d.do("GET", "secret/metadata?scan=true", rootToken, nil).keys(); got != "a b/c b/d/e z" {
		t.Error(got)
	}
	d.do("SCAN", "secret/metadata/none", rootToken, nil).want(404)
	d.do("SCAN", "sys/policies/acl", rootToken, nil).want(405)
	if got := d.do("SCAN", "secret/b", rootToken, nil).want(404).json()["warnings"]; !reflect.DeepEqual(got, d.do("LIST", "secret/b", rootToken, nil).json()["warnings"]) {
		t.Error(got)
	}

	// scan is the verb, and no parameter that the endpoint would not know.
	if a := d.do("GET", "secret/metadata?scan=true", rootToken, nil).want(200).json(); a["warnings"] != nil {
		t.Error(a["warnings"])
	}

	// The right to list is not the right to scan, and a deny counts for both
	// spellings of a path.
	lister := d.tokenWith(`path "secret/metadata/*" { capabilities = ["list", "read"] }`)
	d.do("SCAN", "secret/metadata/b", lister, nil).want(403)
	d.do("GET", "secret/metadata/b?scan=true", lister, nil).want(403)
	scanner := d.tokenWith(`path "secret/metadata/*" { capabilities = ["scan"] }
path "secret/metadata/b" { capabilities = ["deny"] }`)
	d.do("SCAN", "secret/metadata/z", scanner, nil).want(404)
	d.do("SCAN", "secret/metadata/b", scanner, nil).want(403)
	d.do("SCAN", "secret/metadata/b/", scanner, nil).want(403)
	d.do("LIST", "secret/metadata/z", scanner, nil).want(403)
	if got := d.do("SCAN", "secret/metadata", scanner, nil).keys(); got != "a b/c b/d/e z" { // as documented: scan shows every name below
		t.Error(got)
	}
}

package vaultapi

import (
	"reflect"
	"testing"
)

func TestTheCatalogNamesWhatCanBeMounted(t *testing.T) {
	d := newDoor(t)
	all := d.do("GET", "sys/plugins/catalog", rootToken, nil).want(200).data()
	for kind, want := range map[string][]any{"auth": {"jwt", "oidc"}, "database": {}, "secret": {"kv"}} {
		if !reflect.DeepEqual(all[kind], want) {
			t.Errorf("%s: %v", kind, all[kind])
		}
		for _, verb := range []string{"GET", "LIST"} {
			if got := d.do(verb, "sys/plugins/catalog/"+kind, rootToken, nil).want(200).data()["keys"]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s %s: %v", verb, kind, got)
			}
		}
		for _, name := range want {
			mounts := map[string]string{"auth": "sys/auth/tried", "secret": "sys/mounts/tried"}
			d.do("POST", mounts[kind], rootToken, map[string]any{"type": name}).want(204)
			d.do("DELETE", mounts[kind], rootToken, nil).want(204)
			if e := d.do("GET", "sys/plugins/catalog/"+kind+"/"+name.(string), rootToken, nil).want(200).data(); e["name"] != name || e["builtin"] != true {
				t.Errorf("%s: %v", name, e)
			}
		}
	}
	if list := all["detailed"].([]any); len(list) != 3 {
		t.Errorf("detailed: %v", list)
	}
	for _, path := range []string{"sys/plugins/catalog/engine", "sys/plugins/catalog/secret/aws"} {
		d.do("GET", path, rootToken, nil).want(404)
	}
	d.do("PUT", "sys/plugins/catalog/secret/evil", rootToken, map[string]any{"command": "sh", "sha256": "00"}).want(405)
	reader := d.tokenWith(`path "sys/plugins/*" { capabilities = ["read"] }`)
	d.do("GET", "sys/plugins/catalog", reader, nil).want(200)
	d.do("GET", "sys/plugins/catalog/auth", reader, nil).want(403) // needs sudo
}

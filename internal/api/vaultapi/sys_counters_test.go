package vaultapi

import (
	"encoding/json"
	"strings"
	"testing"
)

// Every endpoint of sys explains itself, those that work while sealed as well.
func TestStatusEndpointsHaveHelp(t *testing.T) {
	d := newDoor(t)
	doc := string(d.do("GET", "sys/internal/specs/openapi", rootToken, nil).want(200).body)
	for _, p := range []string{"health", "seal-status", "leader", "init", "unseal"} {
		help := d.do("GET", "sys/"+p+"?help=1", rootToken, nil).want(200).json()
		if !strings.Contains(help["help"].(string), "Matching Route: "+p) {
			t.Errorf("%s: %v", p, help["help"])
		}
		if !strings.Contains(doc, `"/sys/`+p+`"`) {
			t.Errorf("OpenAPI lacks sys/%s", p)
		}
	}
	if a := d.do("GET", "sys/health/", "", nil).want(200); a.json()["sealed"] != false {
		t.Errorf("%s", a.body)
	}
	d.do("LIST", "sys/health", "", nil).want(405)
}

func TestCounters(t *testing.T) {
	d := newDoor(t)
	total := func(name, key string) string {
		t.Helper()
		c := d.do("GET", "sys/internal/counters/"+name, rootToken, nil).want(200).data()["counters"].(map[string]any)
		return string(c[key].(map[string]any)["total"].(json.Number))
	}
	if got := total("tokens", "service_tokens") + total("entities", "entities"); got != "00" {
		t.Errorf("an empty store counts %s", got)
	}
	token := d.token("default")
	d.do("POST", "identity/entity", rootToken, `{"name":"a"}`).want(200)
	if got := total("tokens", "service_tokens") + total("entities", "entities"); got != "11" {
		t.Errorf("one token and one entity count %s", got)
	}
	for _, p := range []string{"tokens", "entities", "config", "activity", "activity/monthly"} {
		d.do("GET", "sys/internal/counters/"+p, token, nil).want(403)
		d.do("GET", "sys/internal/counters/"+p, "", nil).want(403)
	}
	d.do("GET", "sys/internal/counters/activity?start_time=1&end_time=2", rootToken, nil).want(204)
	d.do("GET", "sys/internal/counters/activity/monthly", rootToken, nil).want(204)
	if on := d.do("GET", "sys/internal/counters/config", rootToken, nil).want(200).data()["enabled"]; on != "default-disabled" {
		t.Error(on)
	}
}

func TestFactsForUserInterfaces(t *testing.T) {
	d := newDoor(t)
	if b := string(d.do("GET", "sys/internal/ui/feature-flags", "", nil).want(200).body); b != `{"feature_flags":[]}`+"\n" {
		t.Error(b)
	}
	nodes := d.do("GET", "sys/ha-status", rootToken, nil).want(200)
	if n := nodes.json()["nodes"].([]any); len(n) != 1 || n[0].(map[string]any)["active_node"] != true || len(nodes.data()["nodes"].([]any)) != 1 {
		t.Errorf("%s", nodes.body)
	}
	d.do("LIST", "sys/namespaces", rootToken, nil).want(404)
	d.do("GET", "sys/leases/count", rootToken, nil).refused(400, `'type' must be "irrevocable"`)
	if a := d.do("GET", "sys/leases/count?type=irrevocable", rootToken, nil).want(200); a.data()["lease_count"] != json.Number("0") {
		t.Errorf("%s", a.body)
	}
	// Sudo, like the lists of leases.
	reader := d.tokenWith(`path "sys/leases" { capabilities = ["read"] }`)
	d.do("GET", "sys/leases?type=irrevocable", reader, nil).want(403)
	d.do("GET", "sys/leases?type=irrevocable", rootToken, nil).want(200)
}

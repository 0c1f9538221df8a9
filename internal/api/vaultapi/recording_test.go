package vaultapi

import (
	"errors"
	"testing"
)

// TestOnlyWhatChangesNothingIsRecordedTogether: the entry of every other
// request is written before it is acted on.
func TestOnlyWhatChangesNothingIsRecordedTogether(t *testing.T) {
	d := newDoor(t)
	d.do("POST", "sys/mounts/secret", rootToken, obj{"type": "kv", "options": obj{"version": "2"}}).want(204)
	d.do("PUT", "secret/data/a/b", rootToken, obj{"data": obj{"k": "v"}}).want(200)
	for _, c := range []struct {
		method, path string
		body         any
		headers      []string
		together     bool
	}{
		{"GET", "secret/data/a/b", nil, nil, true},
		{"HEAD", "secret/data/a/b", nil, nil, true},
		{"LIST", "secret/metadata/a", nil, nil, true},
		{"GET", "secret/metadata/a?list=true", nil, nil, true},
		{"SCAN", "secret/metadata/a", nil, nil, true},
		{"GET", "secret?help=1", nil, nil, true},
		{"GET", "auth/token/lookup-self", nil, nil, true},
		{"GET", "secret/data/a/b", nil, []string{"X-Vault-Wrap-TTL", "60"}, false},
		{"LIST", "secret/metadata/a", nil, []string{"X-Vault-Wrap-TTL", "60"}, false},
		{"POST", "auth/token/lookup-self", obj{}, nil, false},
		{"PUT", "secret/data/a/c", obj{"data": obj{"k": "v"}}, nil, false},
		{"POST", "auth/token/create", obj{}, nil, false},
		{"DELETE", "secret/data/a/c", nil, nil, false},
	} {
		pairs, entries := d.audit.pairs, len(d.audit.entries)
		a := d.do(c.method, c.path, rootToken, c.body, c.headers...)
		if a.status >= 400 {
			t.Fatalf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
		if got := d.audit.pairs > pairs; got != c.together || len(d.audit.entries) != entries+2 {
			t.Errorf("%s %s %v: together %v, %d entries", c.method, c.path, c.headers, got, len(d.audit.entries)-entries)
		}
	}
	d.audit.fail = errors.New("disk full")
	d.do("PUT", "secret/data/a/d", rootToken, obj{"data": obj{"k": "v"}}).want(500)
	if a := d.do("GET", "secret/data/a/b", rootToken, nil).want(500); string(a.body) == "" || len(a.body) > 100 {
		t.Errorf("an answer without its entries: %s", a.body)
	}
	d.audit.fail = nil
	d.do("GET", "secret/data/a/d", rootToken, nil).want(404)
}

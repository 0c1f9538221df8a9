package vaultapi

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAuditDevices(t *testing.T) {
	d := newDoor(t)
	d.do("GET", "sys/audit", rootToken, nil).want(200).bodyIs(envelope(`{}`))
	d.do("PUT", "sys/audit/file", rootToken, obj{"type": "file", "description": "d", "options": obj{"file_path": "log"}}).want(204)
	const one = `{"path":"file/","type":"file","description":"d","local":false,"options":{"file_path":"log"}}`
	d.do("GET", "sys/audit", rootToken, nil).want(200).bodyIs(`{"file/":` + one + `,` + envelope(`{"file/":` + one + `}`)[1:])
	if _, err := os.Stat(filepath.Join(d.auditDir, "log")); err != nil {
		t.Error(err)
	}
	d.do("PUT", "sys/audit/file", rootToken, obj{"type": "file", "options": obj{"file_path": "log"}}).refused(400, `path already in use: "file/"`)
	for name, body := range map[string]obj{
		"type": {"type": "http"}, "nothing": {}, "no path": {"type": "file"}, "outside": {"type": "file", "options": obj{"file_path": "../x"}},
		"executable": {"type": "file", "options": obj{"file_path": "y", "mode": "0777"}}, "option": {"type": "file", "options": obj{"file_path": "y", "x": "y"}},
	} {
		if a := d.do("PUT", "sys/audit/other", rootToken, body); a.status != 400 || len(a.errors()) != 1 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}

	h, _ := d.do("POST", "sys/audit-hash/file", rootToken, obj{"input": "x"}).want(200).data()["hash"].(string)
	if want, err := d.broker.Hash("file", "x"); h != want || err != nil || !strings.HasPrefix(h, "hmac-sha256:") {
		t.Errorf("hash %q, want %q, %v", h, want, err)
	}
	d.do("POST", "sys/audit-hash/nope", rootToken, obj{"input": "x"}).refused(400, `unknown audit backend "nope/"`)
	d.do("POST", "sys/audit-hash/file", rootToken, obj{}).refused(400, `the "input" parameter is empty`)

	for range 2 {
		d.do("DELETE", "sys/audit/file", rootToken, nil).want(204)
	}
	d.do("GET", "sys/audit", rootToken, nil).want(200).bodyIs(envelope(`{}`))
}

func TestAuditEndpointsNeedSudo(t *testing.T) {
	d := newDoor(t)
	tok := d.tokenWith(`path "sys/*" { capabilities = ["create","read","update","delete","list"] }`)
	const denied = "1 error occurred:\n\t* permission denied\n\n"
	for _, c := range []struct{ method, path string }{
		{"GET", "sys/audit"}, {"PUT", "sys/audit/file"}, {"DELETE", "sys/audit/file"}, {"GET", "sys/config/auditing/request-headers"},
		{"GET", "sys/config/auditing/request-headers/x"}, {"PUT", "sys/config/auditing/request-headers/x"}, {"DELETE", "sys/config/auditing/request-headers/x"},
	} {
		d.do(c.method, c.path, tok, nil).refused(403, denied)
		d.do(c.method, c.path, "", nil).refused(403, "permission denied")
	}
}

func TestAuditedHeaders(t *testing.T) {
	d := newDoor(t)
	d.do("PUT", "sys/config/auditing/request-headers/X-Forwarded-For", rootToken, obj{}).want(204)
	d.do("PUT", "sys/config/auditing/request-headers/X-Key", rootToken, obj{"hmac": true}).want(204)
	const all = `{"x-forwarded-for":{"hmac":false},"x-key":{"hmac":true}}`
	d.do("GET", "sys/config/auditing/request-headers", rootToken, nil).want(200).bodyIs(`{"headers":` + all + `,` + envelope(`{"headers":` + all + `}`)[1:])
	d.do("GET", "sys/config/auditing/request-headers/X-Key", rootToken, nil).want(200)
	d.do("GET", "sys/config/auditing/request-headers/other", rootToken, nil).refused(400, "Could not find header in config")
	d.do("GET", "sys/audit", rootToken, nil, "X-Key", "k", "X-Forwarded-For", "1.2.3.4", "User-Agent", "u").want(200)
	e := d.audit.last()
	if e.Req.Headers["x-key"] != "k" || e.Req.Headers["x-forwarded-for"] != "1.2.3.4" || len(e.Req.Headers) != 2 || len(e.Req.HashHeaders) != 1 {
		t.Errorf("headers of the entry: %v, hashed %v", e.Req.Headers, e.Req.HashHeaders)
	}
	d.do("DELETE", "sys/config/auditing/request-headers/x-key", rootToken, nil).want(204)
	d.do("GET", "sys/audit", rootToken, nil, "X-Key", "k").want(200)
	if e := d.audit.last(); e.Req.Headers["x-key"] != "" {
		t.Errorf("a header that nobody asked for: %v", e.Req.Headers)
	}
}

// It writes the entries of real requests to a real file and looks
// for what must not be there.
func TestNoSecretReachesTheAuditLog(t *testing.T) {
	d := kvDoor(t)
	d.do("PUT", "sys/audit/file", rootToken, obj{"type": "file", "options": obj{"file_path": "log"}}).want(204)
	d.do("PUT", "secret/data/app", rootToken, obj{"data": obj{"pw": "hunter2", "deep": []any{obj{"k": "hunter3"}}}}).want(200)
	d.do("GET", "secret/data/app", rootToken, nil).want(200)
	d.do("POST", "auth/jwt/login", "", obj{"role": "hunter-role", "jwt": "hunter.jwt.text"})
	d.do("GET", "secret/data/app", "hvs.hunter-token", nil).want(403)
	d.do("POST", "sys/audit/x", rootToken, `{"broken": "hunter4"`).want(400)
	for _, e := range d.audit.entries {
		if err := d.broker.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(d.auditDir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "hunter") || strings.Contains(string(raw), `"`+rootToken+`"`) && !strings.Contains(string(raw), `"display_name":"root"`) {
		t.Errorf("a secret stands in the log:\n%s", raw)
	}
	for l := range strings.Lines(string(raw)) {
		var m struct {
			Auth struct {
				ClientToken string `json:"client_token"`
			}
		}
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		if tok := m.Auth.ClientToken; tok != "" && !strings.HasPrefix(tok, "hmac-sha256:") {
			t.Errorf("token %q in clear", tok)
		}
	}
}

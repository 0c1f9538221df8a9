package vaultapi

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/gate"
)

// BenchmarkKVRead is a whole read through the door: token, policy, both audit
// lines on disk, engine, answer. Only the network is missing.
func BenchmarkKVRead(b *testing.B) {
	d := newDoor(b)
	d.do("POST", "sys/mounts/secret", rootToken, obj{"type": "kv", "options": obj{"version": "2"}}).want(204)
	d.do("PUT", "secret/data/app", rootToken, obj{"data": obj{"user": "alice", "pw": "correct horse battery staple"}}).want(200)
	d.do("POST", "sys/policies/acl/only", rootToken, obj{"policy": `path "secret/data/app" { capabilities = ["read"] }`}).want(204)
	tok := d.token("only")
	br := audit.New(audit.Options{Log: slog.New(slog.DiscardHandler)})
	must(b, br.Enable(audit.Device{Path: "f", Type: "file", Salt: make([]byte, 32), Options: map[string]string{"file_path": filepath.Join(b.TempDir(), "log")}}))
	b.Cleanup(func() { _ = br.Close() })
	d.rt.Gate = gate.New(br, d.clock.now)
	r := httptest.NewRequest(http.MethodGet, "http://vault.test/v1/secret/data/app", nil)
	r.Header.Set("X-Vault-Token", tok)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		d.h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}

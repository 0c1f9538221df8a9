package vaultapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/gate"
)

// benchDoor is a door with a real audit file, and a token for secret/.
func benchDoor(b *testing.B) (*door, string) {
	b.Helper()
	d := newDoor(b)
	d.do("POST", "sys/mounts/secret", rootToken, obj{"type": "kv", "options": obj{"version": "2"}}).want(204)
	d.do("POST", "sys/policies/acl/only", rootToken, obj{"policy": `path "secret/data/*" { capabilities = ["create", "read", "update"] }`}).want(204)
	br := audit.New(audit.Options{Log: slog.New(slog.DiscardHandler)})
	must(b, br.Enable(audit.Device{Path: "f", Type: "file", Salt: make([]byte, 32), Options: map[string]string{"file_path": filepath.Join(b.TempDir(), "log")}}))
	b.Cleanup(func() { _ = br.Close() })
	d.rt.Gate = gate.New(br, d.clock.now)
	return d, d.token("only")
}

// BenchmarkKVWrite is a whole durable write through the door by eight callers.
func BenchmarkKVWrite(b *testing.B) {
	d, tok := benchDoor(b)
	var n atomic.Int64
	b.SetParallelism(4)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		url := fmt.Sprint("http://vault.test/v1/secret/data/app", n.Add(1))
		for pb.Next() {
			r := httptest.NewRequest(http.MethodPut, url, strings.NewReader(`{"data":{"user":"alice","pw":"correct horse battery staple"}}`))
			r.Header.Set("X-Vault-Token", tok)
			w := httptest.NewRecorder()
			d.h.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Error(w.Code, w.Body)
				return
			}
		}
	})
}

// BenchmarkKVRead is a whole read through the door: token, policy, both audit
// lines on disk, engine, answer. Only the network is missing.
func BenchmarkKVRead(b *testing.B) {
	d, tok := benchDoor(b)
	d.do("PUT", "secret/data/app", rootToken, obj{"data": obj{"user": "alice", "pw": "correct horse battery staple"}}).want(200)
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

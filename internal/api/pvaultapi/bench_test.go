package pvaultapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jotgate/jotgate/internal/api/pvaultapi"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/gate"
)

// silent takes every entry.
type silent struct{}

func (silent) Record(context.Context, *audit.Entry) error { return nil }

// sink is a response writer that costs nothing.
type sink struct{ h http.Header }

func (s sink) Header() http.Header         { return s.h }
func (s sink) Write(b []byte) (int, error) { return len(b), nil }
func (s sink) WriteHeader(int)             {}

func bench(b *testing.B, w *world, cred, method, path string) {
	req := httptest.NewRequest(method, pvaultapi.Prefix+path, nil)
	req.Header.Set("Authorization", "Bearer "+cred)
	b.ReportAllocs()
	for b.Loop() {
		w.door.ServeHTTP(sink{http.Header{}}, req)
	}
}

func quiet(o *pvaultapi.Options) { o.Gate = gate.New(silent{}, o.Now) }

func BenchmarkVersion(b *testing.B) {
	w := newWorld(b, quiet)
	bench(b, w, w.jwt("alice", "all"), "GET", version)
}

func BenchmarkGetObject(b *testing.B) {
	w := newWorld(b, quiet)
	w.must("key-all", "POST", "ctl/collections", schema)
	id := w.add("key-all", `{"email":"Bob@Example.COM","name":"Bob B","ssn":"123456789","born":"1990-05-01","points":3,"user_id":"bob"}`)
	bench(b, w, w.jwt("alice", "all"), "GET", buyers+"objects/"+id+why+"&options=unsafe")
}

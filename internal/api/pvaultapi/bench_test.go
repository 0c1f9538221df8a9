package pvaultapi_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/api/pvaultapi"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/gate"
)

// silent takes every entry.
type silent struct{}

func (silent) Record(context.Context, *audit.Entry) error { return nil }

func (silent) RecordPair(context.Context, *audit.Entry, *audit.Entry) error { return nil }

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

func BenchmarkAddObject(b *testing.B) {
	w := newWorld(b, quiet)
	w.must("key-all", "POST", "ctl/collections", schema)
	cred := w.jwt("alice", "all")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.must(cred, "POST", buyers+"objects"+why, fmt.Sprintf(`{"email":"u%d@b.c","user_id":"u%d","group":"g","ssn":"123-45-6789","born":"1990-05-01","points":%d}`, i, i, i%10))
	}
}

// filled is a vault with n objects, ten per user.
func filled(b *testing.B, n int) *world {
	w := newWorld(b, quiet)
	w.must("key-all", "POST", "ctl/collections", schema)
	for i := 0; i < n; i += 1000 {
		var body strings.Builder
		for j := i; j < i+1000; j++ {
			fmt.Fprintf(&body, `,{"email":"u%d@b.c","user_id":"u%d","points":%d}`, j, j/10, j%10)
		}
		w.must("key-all", "POST", buyers+"bulk/objects"+why, "["+body.String()[1:]+"]")
	}
	b.ResetTimer()
	return w
}

func BenchmarkSearchObjects(b *testing.B) {
	for _, n := range []int{1000, 50000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			w := filled(b, n)
			cred := w.jwt("alice", "all")
			for b.Loop() {
				w.must(cred, "POST", buyers+"query/objects"+why+"&props=email,points", `{"match":{"user_id":"u7"}}`)
			}
		})
	}
}

func BenchmarkListPage(b *testing.B) {
	w := filled(b, 5000)
	cred := w.jwt("alice", "all")
	for b.Loop() {
		w.must(cred, "GET", buyers+"objects"+why+"&props=email,points,user_id&page_size=100", "")
	}
}

// BenchmarkRSACheck is the unit in which the other figures are carried between
// machines: one raw verification with RSA-2048.
func BenchmarkRSACheck(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256(make([]byte, 600))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], sig); err != nil {
			b.Fatal(err)
		}
	}
}

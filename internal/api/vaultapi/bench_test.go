package vaultapi

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/idptest"
)

type discard struct{}

func (discard) Record(context.Context, *audit.Entry) error { return nil }

func (discard) RecordPair(context.Context, *audit.Entry, *audit.Entry) error { return nil }

// cpu returns what this process has used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// run serves the same request again and again and reports CPU per request; the
// wall time of a durable write says more about the disk.
func (d *door) run(b *testing.B, parallel bool, method, path, token string, body func(i int) string) {
	b.Helper()
	d.rt.Gate = gate.New(discard{}, d.clock.now)
	one := func(i int) {
		r := httptest.NewRequest(http.MethodPost, "http://vault.test/v1/"+path, strings.NewReader(body(i)))
		r.Method = method
		r.Header.Set("X-Vault-Token", token)
		w := httptest.NewRecorder()
		d.h.ServeHTTP(w, r)
		if w.Code > 299 {
			b.Fatalf("status %d: %s", w.Code, w.Body)
		}
	}
	one(0)
	b.ReportAllocs()
	start := cpu()
	b.ResetTimer()
	if parallel {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				one(0)
			}
		})
	} else {
		for i := range b.N {
			one(i)
		}
	}
	b.ReportMetric(float64((cpu()-start).Microseconds())/float64(b.N), "cpu-µs/op")
}

func BenchmarkLogin(b *testing.B) {
	for _, typ := range []string{"service", "batch"} {
		b.Run(typ, func(b *testing.B) {
			d := newDoor(b)
			d.enableJWT()
			key := idptest.NewKey(b, "", "RS256")
			d.do("POST", "auth/jwt/config", rootToken, map[string]any{"jwt_validation_pubkeys": string(key.PEM(b)), "bound_issuer": "https://issuer.example"}).want(204)
			d.role("demo", map[string]any{"token_type": typ}).want(204)
			body := fmt.Sprintf(`{"role":"demo","jwt":%q}`, key.Token(b, d.claims(nil)))
			d.run(b, true, "PUT", "auth/jwt/login", "", func(int) string { return body })
		})
	}
}

func BenchmarkRead(b *testing.B) {
	d := newDoor(b)
	d.do("PUT", "sys/policies/acl/p", rootToken, map[string]any{"policy": `path "sys/policies/*" { capabilities = ["read"] }`}).want(204)
	d.run(b, false, "GET", "sys/policies/acl/p", d.token("p"), func(int) string { return "" })
}

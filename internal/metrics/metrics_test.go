package metrics

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

// has fails unless each line is in the text.
func has(t *testing.T, m *Metrics, lines ...string) {
	t.Helper()
	text, err := m.Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if !strings.Contains(string(text), l+"\n") {
			t.Errorf("no line %q in\n%s", l, text)
		}
	}
}

func TestEachOutcomeIsCountedByWhatItWas(t *testing.T) {
	sealed, stats := false, audit.Stats{Entries: 7, Refused: 2, Failures: 3}
	m := New(Options{Version: "1.2.3", Sealed: func() bool { return sealed }, Audit: func() audit.Stats { return stats }})
	denied := fault.New(fault.Denied, "no").WithReason("path")
	expired := fmt.Errorf("wrapped: %w", fault.New(fault.Unauthenticated, "no").WithReason("expired"))
	for _, o := range []gate.Outcome{
		{Door: "vault", Operation: "read", Took: 3 * time.Millisecond},
		{Door: "vault", Operation: "read"},
		{Door: "vault", Operation: "update", Failure: denied},
		{Door: "vault", Operation: "update", Issuer: "auth/jwt/", Failure: fault.New(fault.Invalid, "no").WithReason("expired")},
		{Door: "vault", Operation: "update", Failure: fault.New(fault.Invalid, "bad body").WithReason("x")},
		{Door: "vault", Failure: fault.New(fault.Unsupported, "")},
		{Door: "pvault", Operation: "get-version", Issuer: "one", Failure: expired},
		{Door: "pvault", Operation: "get-version", Failure: fault.New(fault.Unauthenticated, "no")},
		{Door: "pvault", Operation: "get-version", Failure: errors.New("a defect")},
		{Door: "pvault", Operation: "get-version", Failure: fault.New(fault.Unavailable, "later")},
	} {
		m.Observe(o)
	}
	m.KeysFetched(nil)
	m.KeysFetched(errors.New("x"))
	m.KeysFetched(errors.New("x"))
	has(t, m,
		`jotgate_requests_total{door="vault",operation="read",status="2xx"} 2`,
		`jotgate_requests_total{door="vault",operation="update",status="4xx"} 3`,
		`jotgate_requests_total{door="vault",operation="none",status="4xx"} 1`,
		`jotgate_requests_total{door="pvault",operation="get-version",status="4xx"} 2`,
		`jotgate_requests_total{door="pvault",operation="get-version",status="5xx"} 2`,
		`jotgate_refusals_total{door="vault",issuer="",reason="path"} 1`,
		`jotgate_refusals_total{door="vault",issuer="auth/jwt/",reason="expired"} 1`,
		`jotgate_refusals_total{door="pvault",issuer="one",reason="expired"} 1`,
		`jotgate_refusals_total{door="pvault",issuer="",reason="unauthenticated"} 1`,
		`jotgate_request_seconds_bucket{door="vault",le="0.0025"} 5`,
		`jotgate_request_seconds_bucket{door="vault",le="0.005"} 6`,
		`jotgate_key_fetches_total{result="ok"} 1`,
		`jotgate_key_fetches_total{result="failed"} 2`,
		`jotgate_audit_entries_total 7`, `jotgate_audit_refused_total 2`, `jotgate_audit_device_failures_total 3`,
		`jotgate_sealed 0`, `jotgate_build_info{version="1.2.3"} 1`,
	)
	if text, _ := m.Text(); strings.Contains(string(text), `reason="x"`) {
		t.Error("a request that makes no sense counts as a refused caller")
	}
	sealed = true
	has(t, m, `jotgate_sealed 1`)
}

func TestLabelsAreBounded(t *testing.T) {
	m := New(Options{})
	for i := range 3 * maxIssuers {
		m.Observe(gate.Outcome{Door: "pvault", Operation: "o", Issuer: fmt.Sprint("idp", i), Failure: fault.New(fault.Denied, "").WithReason(fmt.Sprint("r", i))})
	}
	for _, bad := range []string{strings.Repeat("x", maxLabel+1), "a\nb", "a\xffb"} {
		m.Observe(gate.Outcome{Door: "pvault", Operation: "o", Issuer: bad, Failure: fault.New(fault.Denied, "")})
	}
	text, err := m.Text()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "jotgate_refusals_total{"); n > maxReasons+2 {
		t.Errorf("%d label sets", n)
	}
	if !strings.Contains(string(text), `issuer="other"`) || strings.Contains(string(text), "idp250") {
		t.Error("more names than allowed are told apart")
	}
}

func BenchmarkObserve(b *testing.B) {
	m := New(Options{})
	o := gate.Outcome{Door: "vault", Operation: "read", Took: 20 * time.Microsecond}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Observe(o)
		}
	})
}

package gate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/principal"
)

// recorder keeps entries and fails the n-th one.
type recorder struct {
	entries []audit.Entry
	failAt  int
}

var errDisk = errors.New("no space left on device")

func (r *recorder) Record(_ context.Context, e *audit.Entry) error {
	if r.failAt > 0 && len(r.entries)+1 >= r.failAt {
		return errDisk
	}
	r.entries = append(r.entries, *e)
	return nil
}

func (r *recorder) RecordPair(ctx context.Context, request, response *audit.Entry) error {
	return errors.Join(r.Record(ctx, request), r.Record(ctx, response))
}

func (r *recorder) types() string {
	var out []string
	for _, e := range r.entries {
		out = append(out, string(e.Type))
	}
	return strings.Join(out, " ")
}

type doorman struct {
	who      *principal.Principal
	authErr  error
	decision policy.Decision
	asker    gate.Asker
	decErr   error
}

func (d doorman) Authenticate(context.Context, *gate.Request) (*principal.Principal, error) {
	return d.who, d.authErr
}

func (d doorman) Authorise(context.Context, *gate.Request, *principal.Principal) (policy.Decision, gate.Asker, error) {
	return d.decision, d.asker, d.decErr
}

type asker struct{}

func (asker) Ask(op gate.Operation, resource string) policy.Decision {
	return policy.Decision{Allowed: op == "read" && resource == "email"}
}

var (
	now   = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	alice = principal.New(principal.Attrs{Kind: principal.ServiceToken, Name: "jwt-alice", TokenPolicies: []string{"default"}})
	allow = policy.Decision{Allowed: true, Rule: `path "secret/*"`, Granting: []string{"default"}}
)

func request() *gate.Request {
	return &gate.Request{
		Door: "vault", Operation: "read", Path: "secret/a", Mount: gate.Mount{Path: "secret/"},
		Credential: "hvs.very-secret", Remote: netip.MustParseAddrPort("[::ffff:192.0.2.7]:4711"),
	}
}

func TestAnAllowedRequestIsRecordedBeforeAndAfterTheAct(t *testing.T) {
	rec := &recorder{}
	g := gate.New(rec, func() time.Time { return now })
	r := request()
	err := g.Do(t.Context(), doorman{who: alice, decision: allow}, r, func(_ context.Context, p gate.Pass) (*gate.Result, error) {
		if rec.types() != "request" {
			t.Errorf("recorded before the act: %q", rec.types())
		}
		if err := p.Check("read", "secret/a"); err != nil {
			t.Errorf("the pass does not open what it was given for: %v", err)
		}
		p.NoteObject("id-1")
		p.NoteProperty("email", "email")
		return &gate.Result{Status: 200}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if rec.types() != "request response" {
		t.Fatalf("recorded %q", rec.types())
	}
	q, a := rec.entries[0], rec.entries[1]
	if q.Req.ID != r.ID || a.Req.ID != r.ID || r.ID == "" {
		t.Error("the entries do not share the request's id")
	}
	if q.Auth.DisplayName != "jwt-alice" || !q.Auth.Allowed || q.Auth.Rule != allow.Rule || q.Req.RemoteAddr != "192.0.2.7" || q.Req.RemotePort != 4711 || !q.Time.Equal(now) {
		t.Errorf("request entry = %+v", q)
	}
	if q.Auth.ClientToken != "hvs.very-secret" || a.Auth.ClientToken != "hvs.very-secret" {
		t.Error("the credential is not there to be hashed")
	}
	if a.Resp.Status != 200 || len(a.Req.Objects) != 1 || len(a.Req.Properties) != 1 || a.Error != "" {
		t.Errorf("response entry = %+v", a)
	}
}

// What the entries of one request share must be over with it: no line may show
// the caller of another.
func TestEachLineShowsItsOwnCaller(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	b := audit.New(audit.Options{Log: slog.New(slog.DiscardHandler)})
	defer b.Close()
	if err := b.Enable(audit.Device{Path: "f", Type: "file", Salt: make([]byte, 32), Options: map[string]string{"file_path": log}}); err != nil {
		t.Fatal(err)
	}
	g := gate.New(b, func() time.Time { return now })
	const requests = 50
	for i := range requests {
		r := request()
		r.ID = fmt.Sprint("id-", i)
		who := principal.New(principal.Attrs{Kind: principal.ServiceToken, Name: fmt.Sprint("caller-", i)})
		err := g.Do(t.Context(), doorman{who: who, decision: allow}, r, func(context.Context, gate.Pass) (*gate.Result, error) {
			return &gate.Result{Status: 200}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if len(lines) != 2*requests {
		t.Fatalf("%d lines of %d requests", len(lines), requests)
	}
	for i, line := range lines {
		if !strings.Contains(line, fmt.Sprintf(`"id":"id-%d"`, i/2)) || !strings.Contains(line, fmt.Sprintf(`"display_name":"caller-%d"`, i/2)) {
			t.Errorf("line %d shows another: %s", i, line)
		}
	}
}

func TestARefusalIsRecordedAndTheActNeverRuns(t *testing.T) {
	late := principal.New(principal.Attrs{Expires: now})
	for name, c := range map[string]struct {
		d    doorman
		kind fault.Kind
		text string
	}{
		"no credential": {doorman{authErr: fault.New(fault.Unauthenticated, "unauthorized")}, fault.Unauthenticated, "unauthorized"},
		"policy denies": {doorman{who: alice, decision: policy.Deny(policy.Check{Name: "capability"})}, fault.Denied, "permission denied"},
		"zero decision": {doorman{who: alice}, fault.Denied, "permission denied"},
		"expired":       {doorman{who: late, decision: allow}, fault.Denied, "permission denied"},
		"broken policy": {doorman{who: alice, decision: allow, decErr: errors.New("storage is away")}, fault.Internal, "internal error"},
	} {
		rec := &recorder{}
		g := gate.New(rec, func() time.Time { return now })
		err := g.Do(t.Context(), c.d, request(), func(context.Context, gate.Pass) (*gate.Result, error) {
			t.Errorf("%s: the act ran", name)
			return nil, nil
		})
		if !fault.Is(err, c.kind) || fault.PublicText(err) != c.text {
			t.Errorf("%s: %v", name, err)
		}
		if rec.types() != "request response" {
			t.Errorf("%s: recorded %q", name, rec.types())
			continue
		}
		if e := rec.entries[1]; e.Error == "" || e.Diagnosis != e.Req.ID || e.Resp.Status != 0 {
			t.Errorf("%s: response entry %+v does not say why", name, e)
		}
	}
}

func TestWithoutAnAuditEntryNothingHappens(t *testing.T) {
	for name, failAt := range map[string]int{"before": 1, "after": 2} {
		rec := &recorder{failAt: failAt}
		ran := false
		err := gate.New(rec, nil).Do(t.Context(), doorman{who: alice, decision: allow}, request(),
			func(context.Context, gate.Pass) (*gate.Result, error) { ran = true; return &gate.Result{}, nil })
		if !errors.Is(err, gate.ErrAudit) || !errors.Is(err, errDisk) {
			t.Errorf("%s: %v, want an audit failure", name, err)
		}
		if fault.PublicText(err) != "internal error" {
			t.Errorf("%s: the caller learns %q", name, fault.PublicText(err))
		}
		if ran != (name == "after") {
			t.Errorf("%s: the act ran: %v", name, ran)
		}
	}
	err := gate.New(nil, nil).Do(t.Context(), doorman{who: alice, decision: allow}, request(),
		func(context.Context, gate.Pass) (*gate.Result, error) { t.Error("the act ran"); return nil, nil })
	if err == nil {
		t.Error("a gate without a recorder let a request in")
	}
}

func TestAReadOnlyRequestIsRecordedOnceBeforeTheAnswer(t *testing.T) {
	rec := &recorder{}
	r := request()
	r.Recording = gate.RecordOnce
	if err := gate.New(rec, nil).Do(t.Context(), doorman{who: alice, decision: allow}, r,
		func(context.Context, gate.Pass) (*gate.Result, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	if rec.types() != "response" {
		t.Errorf("recorded %q", rec.types())
	}
	if err := gate.New(&recorder{failAt: 1}, nil).Do(t.Context(), doorman{who: alice, decision: allow}, r,
		func(context.Context, gate.Pass) (*gate.Result, error) { return nil, nil }); !errors.Is(err, gate.ErrAudit) {
		t.Errorf("the answer would leave without an entry: %v", err)
	}
}

func TestARequestThatChangesNothingIsRecordedTogetherBeforeTheAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		fails error
		d     doorman
		first string // error in the request's entry
		last  string // error in the answer's
	}{
		"success":     {nil, doorman{who: alice, decision: allow}, "", ""},
		"not there":   {fault.New(fault.NotFound, "no such secret"), doorman{who: alice, decision: allow}, "", "no such secret"},
		"not allowed": {nil, doorman{who: alice}, "permission denied", "permission denied"},
	} {
		clock, rec, r := now, &recorder{}, request()
		r.Recording = gate.RecordTogether
		_ = gate.New(rec, func() time.Time { return clock }).Do(t.Context(), c.d, r, func(context.Context, gate.Pass) (*gate.Result, error) {
			if len(rec.entries) != 0 {
				t.Errorf("%s: recorded before the act", name)
			}
			clock = clock.Add(time.Second)
			return &gate.Result{Status: 200}, c.fails
		})
		if rec.types() != "request response" {
			t.Fatalf("%s: recorded %q", name, rec.types())
		}
		q, a := rec.entries[0], rec.entries[1]
		if q.Error != c.first || a.Error != c.last || (q.Diagnosis == "") != (q.Error == "") || q.Resp != nil || a.Resp == nil || !q.Time.Equal(now) || !a.Time.Equal(clock) || q.Req.ID != a.Req.ID {
			t.Errorf("%s: %+v\n%+v", name, q, a)
		}
	}
	r := request()
	r.Recording = gate.RecordTogether
	if err := gate.New(&recorder{failAt: 2}, nil).Do(t.Context(), doorman{who: alice, decision: allow}, r,
		func(context.Context, gate.Pass) (*gate.Result, error) { return nil, nil }); !errors.Is(err, gate.ErrAudit) {
		t.Errorf("the answer would leave without its entry: %v", err)
	}
}

type refusedLogin struct{ error }

func (refusedLogin) Checks() []policy.Check { return []policy.Check{{Name: "audience"}} }

func TestAFailedActIsRecordedWithItsChecksAndWithoutItsAnswer(t *testing.T) {
	rec := &recorder{}
	ctx, cancel := context.WithCancel(t.Context())
	err := gate.New(rec, nil).Do(ctx, doorman{who: alice, decision: allow}, request(),
		func(context.Context, gate.Pass) (*gate.Result, error) {
			cancel() // the caller hangs up; the line is written all the same
			return &gate.Result{Data: map[string]any{"k": "v"}}, refusedLogin{errors.New("wrong audience")}
		})
	if err == nil || len(rec.entries) != 2 {
		t.Fatalf("%v, %d entries", err, len(rec.entries))
	}
	e := rec.entries[1]
	if e.Error != "wrong audience" || len(e.Checks) != 1 || e.Checks[0].Name != "audience" || e.Resp.Data != nil {
		t.Errorf("entry = %+v", e)
	}
}

func TestAPassOpensOnlyWhatItWasGivenFor(t *testing.T) {
	var kept gate.Pass
	err := gate.New(&recorder{}, nil).Do(t.Context(), doorman{who: alice, decision: allow, asker: asker{}}, request(),
		func(_ context.Context, p gate.Pass) (*gate.Result, error) {
			kept = p
			for _, c := range []struct {
				op   gate.Operation
				path string
				ok   bool
			}{{"read", "secret/a", true}, {"delete", "secret/a", false}, {"read", "secret/b", false}, {"", "", false}} {
				if got := p.Check(c.op, c.path) == nil; got != c.ok {
					t.Errorf("Check(%q, %q) = %v", c.op, c.path, got)
				}
			}
			if p.CheckOperation("read", "secret/") != nil || p.CheckOperation("read", "kv/") == nil || p.CheckOperation("list", "secret/") == nil {
				t.Error("CheckOperation does not hold to operation and mount")
			}
			if !p.Ask("read", "email").Allowed || p.Ask("read", "ssn").Allowed {
				t.Error("Ask does not ask")
			}
			if p.Principal() != alice || p.RequestID() == "" {
				t.Error("the pass forgot its request")
			}
			return nil, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]gate.Pass{"zero": {}, "after its request": kept} {
		if p.Check("read", "secret/a") == nil || p.CheckOperation("read", "secret/") == nil || p.Ask("read", "email").Allowed || p.Principal() != nil {
			t.Errorf("a pass opens something: %s", name)
		}
	}
	if (gate.Pass{}).RequestID() != "" {
		t.Error("the zero pass has a request")
	}
	(gate.Pass{}).NoteObject("x")
	(gate.Pass{}).NoteProperty("x")
}

func TestAPassWithoutAnAskerAnswersNo(t *testing.T) {
	_ = gate.New(&recorder{}, nil).Do(t.Context(), doorman{who: alice, decision: allow}, request(),
		func(_ context.Context, p gate.Pass) (*gate.Result, error) {
			if d := p.Ask("read", "email"); d.Allowed {
				t.Error("nobody was asked and the answer is yes")
			} else if c, ok := d.Failed(); !ok || c.Name != "pass" {
				t.Errorf("decision = %+v", d)
			}
			return nil, nil
		})
}

func TestNewIDIsARandomUUID(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	a, b := gate.NewID(), gate.NewID()
	if a == b || !form.MatchString(a) || !form.MatchString(b) {
		t.Errorf("%s %s", a, b)
	}
}

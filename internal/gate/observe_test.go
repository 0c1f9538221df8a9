package gate_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/principal"
)

// vouched is a refusal that knows whose rules refused.
type vouched struct{ error }

func (vouched) Issuer() string  { return "one" }
func (v vouched) Unwrap() error { return v.error }

func TestEachRequestIsObservedOnceWithHowItEnded(t *testing.T) {
	nothing := func(context.Context, gate.Pass) (*gate.Result, error) { return nil, nil }
	no := fault.New(fault.Unauthenticated, "no").WithReason("expired")
	bearer := principal.New(principal.Attrs{Kind: principal.BearerJWT, Name: "x", Issuer: "two"})
	login, pvault := request(), request()
	login.Mount = gate.Mount{Path: "auth/jwt/", Type: "jwt"}
	pvault.Door = "pvault"
	for name, c := range map[string]struct {
		r      *gate.Request
		d      doorman
		act    func(context.Context, gate.Pass) (*gate.Result, error)
		failAt int
		kind   fault.Kind // of the failure
		issuer string
		good   bool
	}{
		"allowed":              {request(), doorman{who: alice, decision: allow}, nothing, 0, 0, "", true},
		"denied":               {request(), doorman{who: alice, decision: policy.Decision{}}, nothing, 0, fault.Denied, "", false},
		"the act fails":        {request(), doorman{who: alice, decision: allow}, func(context.Context, gate.Pass) (*gate.Result, error) { return nil, no }, 0, fault.Unauthenticated, "", false},
		"no device":            {request(), doorman{who: alice, decision: allow}, nothing, 2, fault.Internal, "", false},
		"a login":              {login, doorman{authErr: no}, nothing, 0, fault.Unauthenticated, "auth/jwt/", false},
		"a refusal by a rule":  {pvault, doorman{authErr: fmt.Errorf("wrapped: %w", vouched{no})}, nothing, 0, fault.Unauthenticated, "one", false},
		"a caller with issuer": {pvault, doorman{who: bearer, decision: allow}, nothing, 0, 0, "two", true},
	} {
		g := gate.New(&recorder{failAt: c.failAt}, func() time.Time { return now })
		var seen []gate.Outcome
		g.Observe(func(o gate.Outcome) { seen = append(seen, o) })
		r := *c.r
		_ = g.Do(t.Context(), c.d, &r, c.act)
		if len(seen) != 1 {
			t.Fatalf("%s: observed %d times", name, len(seen))
		}
		o := seen[0]
		if (o.Failure == nil) != c.good || !c.good && fault.Of(o.Failure) != c.kind || o.Issuer != c.issuer || o.Door != r.Door || o.Operation != "read" {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestACrashIsRecordedAsAFailureAndGoesOn(t *testing.T) {
	rec := &recorder{}
	g := gate.New(rec, func() time.Time { return now })
	var seen []gate.Outcome
	g.Observe(func(o gate.Outcome) { seen = append(seen, o) })
	defer func() {
		if v := recover(); v != "crash" {
			t.Errorf("recovered %v", v)
		}
		if len(rec.entries) != 2 || rec.entries[1].Error == "" || len(seen) != 1 || fault.Of(seen[0].Failure) != fault.Internal || seen[0].Failure == nil {
			t.Errorf("entries %d, outcomes %+v", len(rec.entries), seen)
		}
	}()
	err := g.Do(t.Context(), doorman{who: alice, decision: allow}, request(), func(context.Context, gate.Pass) (*gate.Result, error) { panic("crash") })
	t.Errorf("Do returned %v", errors.Join(err))
}

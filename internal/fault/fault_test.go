package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
)

func TestAnErrorWithoutAKindIsInternalAndShowsNothing(t *testing.T) {
	err := fmt.Errorf("open /secret/path: %w", io.ErrUnexpectedEOF)
	if got := fault.Of(err); got != fault.Internal {
		t.Errorf("Of = %v, want internal", got)
	}
	if got := fault.PublicText(err); got != "internal error" {
		t.Errorf("PublicText = %q reveals the cause", got)
	}
	if got := fault.PublicText(fault.New(fault.Internal, "pool exhausted at 10.0.0.1")); got != "internal error" {
		t.Errorf("PublicText of an internal failure = %q, want it hidden", got)
	}
}

func TestWrapKeepsTheCausePrivateAndFindable(t *testing.T) {
	err := fmt.Errorf("login: %w", fault.Wrap(fault.Denied, io.EOF, "permission denied"))
	if !errors.Is(err, io.EOF) {
		t.Error("the cause is lost")
	}
	if !fault.Is(err, fault.Denied) || fault.Is(err, fault.Invalid) || fault.Is(nil, fault.Internal) {
		t.Error("Is does not follow the kind")
	}
	if got := fault.PublicText(err); got != "permission denied" {
		t.Errorf("PublicText = %q, want only the public text", got)
	}
	if got := err.Error(); got != "login: permission denied: EOF" {
		t.Errorf("Error = %q, want cause included for the log", got)
	}
}

func TestReasonAndDetailDoNotChangeTheOriginal(t *testing.T) {
	base := fault.New(fault.Unauthenticated, "the request is unauthorized")
	a := base.WithReason("expired").WithDetail("jwt_error", "expired")
	if base.Reason() != "" || base.Detail() != nil {
		t.Error("the shared original was changed")
	}
	if fault.ReasonOf(a) != "expired" || a.Detail()["jwt_error"] != "expired" {
		t.Errorf("copy = %q %v", a.Reason(), a.Detail())
	}
	b := a.WithDetail("idp", "app1")
	if _, ok := a.Detail()["idp"]; ok || len(b.Detail()) != 2 {
		t.Error("WithDetail shares its map")
	}
	if fault.ReasonOf(io.EOF) != "" {
		t.Error("a plain error has no reason")
	}
}

func TestKindNamesAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for k := fault.Internal; k <= fault.NotImplemented; k++ {
		if n := k.String(); n == "" || seen[n] {
			t.Errorf("kind %d has the name %q", k, n)
		} else {
			seen[n] = true
		}
	}
	if got := fault.Kind(200).String(); got != "kind(200)" {
		t.Errorf("unknown kind prints %q", got)
	}
}

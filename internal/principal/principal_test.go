package principal_test

import (
	"slices"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/principal"
)

func TestNilAndZeroPrincipalsAreAnonymousWithoutRights(t *testing.T) {
	for name, p := range map[string]*principal.Principal{"nil": nil, "zero": {}} {
		if p.Kind() != principal.Anonymous || p.Name() != "" || p.Role() != "" || len(p.Policies()) != 0 || p.Narrowing() != nil {
			t.Errorf("%s principal has rights: %+v", name, p.Attrs())
		}
		if p.Expired(time.Now()) {
			t.Errorf("%s principal expires", name)
		}
	}
}

func TestNewCopiesWhatItIsGiven(t *testing.T) {
	in := principal.Attrs{
		Kind: principal.BearerJWT, Name: "alice", Role: "r",
		TokenPolicies: []string{"b"}, IdentityPolicies: []string{"a", "b"},
		Metadata:  map[string]string{"role": "demo"},
		Narrowing: []principal.Narrowing{{Property: "user_id", Values: []string{"1"}}},
	}
	p := principal.New(in)
	in.TokenPolicies[0], in.Metadata["role"], in.Narrowing[0].Values[0] = "root", "evil", "2"
	if got := p.Policies(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("Policies = %v", got)
	}
	if p.Attrs().Metadata["role"] != "demo" || p.Narrowing()[0].Values[0] != "1" {
		t.Error("the principal changed with the caller's slices")
	}
	if p.Name() != "alice" || p.Role() != "r" || p.Kind() != principal.BearerJWT {
		t.Error("attributes are lost")
	}
}

func TestExpiryIncludesTheInstantItself(t *testing.T) {
	now := time.Unix(1000, 0)
	p := principal.New(principal.Attrs{Expires: now})
	if !p.Expired(now) || !p.Expired(now.Add(1)) || p.Expired(now.Add(-1)) {
		t.Error("a credential is over from its expiry on, and not before")
	}
}

func TestKindNames(t *testing.T) {
	want := []string{"anonymous", "service", "batch", "jwt", "api_key", "admin"}
	for i, w := range want {
		if got := principal.Kind(i).String(); got != w {
			t.Errorf("Kind(%d) = %q, want %q", i, got, w)
		}
	}
}

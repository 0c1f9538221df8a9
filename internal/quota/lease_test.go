package quota

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

func TestLeasesAreBounded(t *testing.T) {
	s, c, _ := open(t)
	ctx := context.Background()
	stored, asked := 3, 0
	count := func(_ context.Context, below string, limit int) (int, error) {
		asked++
		if below != "auth/jwt/" {
			t.Errorf("asked for %q", below)
		}
		return min(stored, limit), nil
	}
	may := func(path string) bool {
		ok, err := s.AllowLease(ctx, path, count)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			s.LeaseMade(path)
		}
		return ok
	}
	if !may("auth/jwt/login") || asked != 0 {
		t.Error("without rules a lease is refused or counted")
	}
	if err := s.PutLease(ctx, LeaseRule{Name: "l", Path: "auth/jwt/", Max: 5}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false} {
		if got := may("auth/jwt/login"); got != want {
			t.Errorf("3 stored, 5 allowed: lease %d is let through: %v", i+4, got)
		}
	}
	if asked != 1 {
		t.Errorf("the store was counted %d times", asked)
	}
	if !may("auth/token/create") || !may("auth/jwtx/login") {
		t.Error("a lease at another path is bounded")
	}
	stored = 4 // one of the two has ended
	c.t = c.t.Add(fullFor)
	if !may("auth/jwt/login") || may("auth/jwt/login") {
		t.Error("a lease that ended makes no room")
	}
	c.t = c.t.Add(countFor)
	for range 10 { // requests that come to nothing
		if ok, err := s.AllowLease(ctx, "auth/jwt/login", count); err != nil || !ok {
			t.Errorf("%v %v", ok, err)
		}
	}
	c.t = c.t.Add(countFor)
	if _, err := s.AllowLease(ctx, "auth/jwt/login", func(context.Context, string, int) (int, error) { return 0, errors.New("down") }); err == nil {
		t.Error("leases that cannot be counted are let through")
	}
	for _, r := range []LeaseRule{{Name: "x", Max: 0}, {Name: "", Max: 1}, {Name: "x", Path: "a*", Max: 1}, {Name: "x", Path: "auth/jwt/", Max: 1}, {Name: "x", Max: maxLeases + 1}} {
		if err := s.PutLease(ctx, r); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if r, ok := s.Lease("l"); !ok || r.Max != 5 || len(s.Leases()) != 1 {
		t.Errorf("%+v %q", r, s.Leases())
	}
	if err := s.DeleteLease(ctx, "l"); err != nil || len(s.Leases()) != 0 {
		t.Error(err)
	}
	c.t = c.t.Add(time.Hour)
	if !may("auth/jwt/login") {
		t.Error("a deleted rule still counts")
	}
}

// The most specific rule counts, below its path and not beside it, and its
// count outlives a change of its number and another rule's.
func TestWhichRuleCountsALease(t *testing.T) {
	s, _, _ := open(t)
	ctx := t.Context()
	for _, r := range []LeaseRule{{Name: "all", Max: 9}, {Name: "jwt", Path: "auth/jwt", Max: 5}, {Name: "role", Path: "auth/jwt/login/app", Max: 1}} {
		if err := s.PutLease(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"auth/jwt": "auth/jwt", "auth/jwt/login": "auth/jwt", "auth/jwt/login/app": "auth/jwt/login/app", "auth/jwt/login/app/x": "auth/jwt/login/app",
		"auth/jwt/login/apps": "auth/jwt", "auth/jwtx": "", "kv/a": "",
	} {
		for range 20 { // a map has no order
			if r := s.snap.Load().leaseRule(path); r == nil || r.Path != want {
				t.Fatalf("%s is counted by %+v, want %q", path, r, want)
			}
		}
	}
	stored := 0
	count := func(context.Context, string, int) (int, error) { return stored, nil }
	may := func() bool {
		ok, err := s.AllowLease(ctx, "auth/jwt/login/app", count)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !may() {
		t.Fatal("the first lease is refused")
	}
	s.LeaseMade("auth/jwt/login/app")
	if err := s.PutLease(ctx, LeaseRule{Name: "jwt", Path: "auth/jwt", Max: 6}); err != nil {
		t.Fatal(err)
	}
	if may() {
		t.Error("a change of another rule starts the count over")
	}
	if err := s.PutLease(ctx, LeaseRule{Name: "role", Path: "auth/jwt/login", Max: 1}); err != nil {
		t.Fatal(err)
	}
	if !may() {
		t.Error("a rule that was moved keeps the count of its old path")
	}
}

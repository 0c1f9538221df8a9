package quota

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func open(t *testing.T) (*Store, *clock, storage.Store) {
	t.Helper()
	raw, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	st := storagetest.Twice(raw)
	c := &clock{time.Unix(1_000_000, 0)}
	s, err := Open(context.Background(), st, Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, c, st
}

func (s *Store) put(t *testing.T, r Rule) {
	t.Helper()
	if err := s.Put(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

// at returns an address for a letter or a number.
func at(name string) netip.Addr {
	n, err := strconv.Atoi(name)
	if err != nil {
		n = 1<<24 + int(name[0])
	}
	return netip.AddrFrom4([4]byte{byte(10 + n>>24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// passed counts how many of n requests pass.
func (s *Store) passed(path, addr string, n int) (ok int) {
	for range n {
		if s.Allow(path, at(addr)).OK {
			ok++
		}
	}
	return ok
}

func TestWithoutRulesEverythingPasses(t *testing.T) {
	s, _, _ := open(t)
	if got := s.passed("x", "a", 1000); got != 1000 {
		t.Errorf("%d of 1000 pass", got)
	}
}

func TestEachAddressHasItsOwnCount(t *testing.T) {
	s, c, _ := open(t)
	s.put(t, Rule{Name: "g", Rate: 5, Interval: 10})
	for _, addr := range []string{"a", "b"} {
		if got := s.passed("x", addr, 20); got != 5 {
			t.Errorf("%d pass of %s, want 5", got, addr)
		}
	}
	v := s.Allow("x", at("a"))
	if v.OK || v.Limit != 5 || v.Remaining != 0 || v.Wait <= 0 || v.Wait > 2*time.Second {
		t.Errorf("verdict %+v", v)
	}
	c.t = c.t.Add(4 * time.Second)
	if got := s.passed("x", "a", 20); got != 2 {
		t.Errorf("%d pass after 4 s, want 2", got)
	}
	c.t = c.t.Add(time.Hour)
	if got := s.passed("x", "a", 20); got != 5 {
		t.Errorf("%d pass after an hour, want 5: a pause must not add up", got)
	}
}

func TestTheMostSpecificRuleCounts(t *testing.T) {
	s, _, _ := open(t)
	s.put(t, Rule{Name: "all", Rate: 100})
	s.put(t, Rule{Name: "mount", Path: "auth/jwt/", Rate: 10})
	s.put(t, Rule{Name: "glob", Path: "auth/jwt/role/*", Rate: 5})
	s.put(t, Rule{Name: "login", Path: "auth/jwt/login", Rate: 2})
	s.put(t, Rule{Name: "part", Path: "kv/te*", Rate: 3})
	clients := 0
	for path, want := range map[string]int{
		"x": 100, "auth/jwt/config": 10, "auth/jwt/role/x": 5, "auth/jwt/login": 2, "auth/jwt/login/x": 10, "kv/team/a": 3, "kv/tx": 100,
	} {
		clients++ // two paths may share a rule
		if got := s.passed(path, strconv.Itoa(clients), 200); got != want {
			t.Errorf("%s: %d pass, want %d", path, got, want)
		}
	}
	if err := s.SetConfig(context.Background(), Config{Exempt: []string{"auth/jwt/login", "free/*"}, Headers: true}); err != nil {
		t.Fatal(err)
	}
	if s.passed("auth/jwt/login", "a", 10) != 10 || s.passed("free/x", "a", 500) != 500 {
		t.Error("exempt paths are counted")
	}
	if s.passed("auth/jwt/login/x", "c", 50) != 10 {
		t.Error("what lies below an exempt path is exempt")
	}
	if v := s.Allow("auth/jwt/config", at("b")); !v.Headers {
		t.Error("headers are not asked for")
	}
}

func TestBlockedAddressesWait(t *testing.T) {
	s, c, _ := open(t)
	s.put(t, Rule{Name: "g", Rate: 1, Block: 60})
	s.passed("x", "a", 2)
	c.t = c.t.Add(59 * time.Second)
	if v := s.Allow("x", at("a")); v.OK || v.Wait != time.Second {
		t.Errorf("verdict %+v one second before the end of the block", v)
	}
	c.t = c.t.Add(2 * time.Second)
	if !s.Allow("x", at("a")).OK {
		t.Error("still blocked after the end")
	}
}

func TestRulesThatCannotMeanAnythingAreRefused(t *testing.T) {
	s, _, _ := open(t)
	s.put(t, Rule{Name: "a", Path: "p", Rate: 1})
	for _, r := range []Rule{
		{Name: "", Rate: 1}, {Name: "x", Rate: 0}, {Name: "x", Rate: -1}, {Name: "x", Rate: math.NaN()}, {Name: "x", Rate: math.Inf(1)}, {Name: "x", Rate: 1.1e9},
		{Name: "x", Rate: 1, Interval: -1}, {Name: "x", Rate: 1, Interval: 1 << 40}, {Name: "x", Rate: 1, Block: -1}, {Name: "x", Rate: 1, Block: 86401},
		{Name: "a\x00", Rate: 1}, {Name: "x", Path: strings.Repeat("p", 1025), Rate: 1},
		{Name: "x", Path: "p", Rate: 1}, {Name: strings.Repeat("x", 300), Rate: 1}, {Name: "x", Path: "a\x00", Rate: 1},
	} {
		if err := s.Put(context.Background(), r); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if l := s.List(); len(l) != 1 {
		t.Errorf("list %q", l)
	}
	if err := s.Delete(context.Background(), "a"); err != nil || len(s.List()) != 0 {
		t.Errorf("%v %q", err, s.List())
	}
}

func TestRulesAreBounded(t *testing.T) {
	s, _, st := open(t)
	ctx := t.Context()
	err := st.Update(ctx, func(tx storage.Tx) error {
		for i := range maxRules {
			if err := errors.Join(
				tx.Put(fmt.Appendf(nil, "%sr%d", rulePrefix, i), fmt.Appendf(nil, `{"path":"p%d","rate":1,"interval":1}`, i), time.Time{}),
				tx.Put(fmt.Appendf(nil, "%sr%d", leasePref, i), fmt.Appendf(nil, `{"path":"p%d","max_leases":1}`, i), time.Time{})); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, Rule{Name: "new", Path: "new", Rate: 1}); !fault.Is(err, fault.Conflict) {
		t.Errorf("one rule more: %v", err)
	}
	if err := s.PutLease(ctx, LeaseRule{Name: "new", Path: "new", Max: 1}); !fault.Is(err, fault.Conflict) {
		t.Errorf("one rule about leases more: %v", err)
	}
	if err := errors.Join(s.Put(ctx, Rule{Name: "r0", Path: "p0", Rate: 2}), s.PutLease(ctx, LeaseRule{Name: "r0", Path: "p0", Max: 2})); err != nil {
		t.Errorf("other numbers for one of them: %v", err)
	}
	if err := s.SetConfig(ctx, Config{Exempt: make([]string, maxRules+1)}); !fault.Is(err, fault.Invalid) {
		t.Errorf("one exempt path more: %v", err)
	}
}

func TestAVerdictTellsWhatIsLeft(t *testing.T) {
	s, c, _ := open(t)
	s.put(t, Rule{Name: "g", Rate: 2, Interval: 60, Block: 90})
	for _, want := range []Verdict{{OK: true, Limit: 2, Remaining: 1}, {OK: true, Limit: 2}, {Limit: 2, Wait: 90 * time.Second}} {
		if v := s.Allow("x", at("a")); v != want {
			t.Errorf("%+v, want %+v", v, want)
		}
	}
	c.t = c.t.Add(-time.Hour) // a clock that is set back neither gives nor takes
	if v := s.Allow("x", at("a")); v.OK && v.Remaining > 1 {
		t.Errorf("%+v", v)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s, c, _ := open(t)
	s.put(t, Rule{Name: "g", Rate: 1, Interval: 60})
	for i := range maxAddresses + 10 {
		s.Allow("x", at(strconv.Itoa(i)))
	}
	n := &s.snap.Load().rules["g"].counts
	if len(n.m) > maxAddresses+1 {
		t.Errorf("%d addresses are remembered", len(n.m))
	}
	if s.Allow("x", netip.MustParseAddr("192.0.2.1")).OK {
		t.Error("a newcomer in the crowd has a count of its own")
	}
	if s.Allow("x", at("0")).OK {
		t.Error("an address that was counted before the crowd came starts over")
	}
	for range 2 {
		c.t = c.t.Add(61 * time.Second)
		s.Allow("x", at("l"))
	}
	if len(n.m)+len(n.old) > 2 {
		t.Errorf("%d quiet addresses are remembered", len(n.m)+len(n.old))
	}
}

func TestCountsOutliveAReload(t *testing.T) {
	s, _, st := open(t)
	s.put(t, Rule{Name: "g", Rate: 3, Interval: 60})
	s.passed("x", "a", 3)
	if err := s.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s.Allow("x", at("a")).OK {
		t.Error("a reload starts the counts over")
	}
	other, err := Open(context.Background(), st, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if r, ok := other.Get("g"); !ok || r.Rate != 3 || r.Interval != 60 {
		t.Errorf("another node reads %+v", r)
	}
}

func TestASubscriberIsOneClient(t *testing.T) {
	s, _, _ := open(t)
	s.put(t, Rule{Name: "g", Rate: 2, Interval: 60})
	for addr, want := range map[string]bool{"2001:db8::1": true, "2001:db8::2": true} {
		if got := s.Allow("x", netip.MustParseAddr(addr)).OK; got != want {
			t.Errorf("%s passes: %v", addr, got)
		}
	}
	if s.Allow("x", netip.MustParseAddr("2001:db8::ffff:0:0:3")).OK {
		t.Error("another address of the same /64 has a count of its own")
	}
	if !s.Allow("x", netip.MustParseAddr("2001:db8:0:1::1")).OK || !s.Allow("x", netip.MustParseAddr("::ffff:192.0.2.1")).OK {
		t.Error("another subscriber has no count of its own")
	}
}

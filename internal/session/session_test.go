package session

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/storage"
)

func TestLoginTokenSaysWhoItIs(t *testing.T) {
	w := newWorld(t)
	o := login()
	o.EntityID = "ent-1"
	is := w.issue(o)
	p, err := w.Authenticate(t.Context(), is.ClientToken, here)
	if err != nil {
		t.Fatal(err)
	}
	a := p.Attrs()
	if p.Kind() != principal.ServiceToken || p.Name() != "jwt-alice" || a.Mount != "auth/jwt/" || a.Role != "demo" ||
		!slices.Equal(p.Policies(), []string{"default", "demo", "from-group"}) || a.TokenID != is.Token.ID.String() ||
		a.Metadata["role"] != "demo" || !a.Expires.Equal(w.clock.Now().Add(time.Hour)) {
		t.Fatalf("%+v", a)
	}
	if !strings.HasPrefix(is.ClientToken, "hvs.") || len(is.Token.Accessor) != 24 {
		t.Fatal(is.ClientToken, is.Token.Accessor)
	}
}

func TestEveryOtherTextIsDenied(t *testing.T) {
	w := newWorld(t)
	is := w.issue(login())
	other := w.issue(login())
	good := is.ClientToken
	bad := []string{
		"", " ", "x", good + "A", good[:len(good)-1], strings.ToLower(good), "hvs." + is.Token.Accessor,
		"hvb." + good[4:], good[:4+24] + other.ClientToken[4+24:], is.Token.ID.String(), is.Token.Accessor,
		strings.Repeat("a", MaxTokenSize+1), "hvb.", "hvb.AAAA", good + "\x00",
	}
	for _, b := range bad {
		_, err := w.Authenticate(t.Context(), b, here)
		refused(t, err, fault.Denied, "permission denied")
	}
	w.mustWork(is)
}

func TestNothingStoredShowsATokenOrAccessor(t *testing.T) {
	w := newWorld(t)
	is := w.issue(login())
	ch := w.child(w.root(), func(o *CreateOptions) { o.ID = "my-own-token" })
	err := w.db.View(t.Context(), func(tx storage.ReadTx) error {
		items, err := tx.Scan(nil, nil, 1000)
		for _, it := range items {
			for _, secret := range []string{is.ClientToken, is.ClientToken[28:], ch.ClientToken} {
				if bytes.Contains(it.Key, []byte(secret)) || bytes.Contains(it.Value, []byte(secret)) {
					t.Errorf("%q shows a token", it.Key)
				}
			}
			if bytes.Contains(it.Key, []byte(is.Token.Accessor)) {
				t.Errorf("%q shows an accessor", it.Key)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v", is, is, is); strings.Contains(s, is.ClientToken) {
		t.Fatal("printing an issued token shows it")
	}
}

func TestTokenEndsAtItsTime(t *testing.T) {
	w := newWorld(t)
	is := w.issue(login())
	w.clock.Add(time.Hour - time.Nanosecond)
	w.mustWork(is)
	w.clock.Add(time.Nanosecond)
	w.mustFail(is)
	if _, err := w.Lookup(t.Context(), is.ClientToken); fault.PublicText(err) != "bad token" {
		t.Fatal(err)
	}
	if _, err := w.LookupAccessor(t.Context(), is.Token.Accessor); fault.PublicText(err) != "invalid accessor" {
		t.Fatal(err)
	}
}

func TestUsesAreCountedEvenForOneRequestAtATime(t *testing.T) {
	w := newWorld(t)
	o := login()
	o.NumUses = 2
	is := w.issue(o)
	w.mustWork(is)
	p, own, err := w.Present(t.Context(), is.ClientToken, here)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := ParseID(p.Attrs().TokenID)
	if own.Accessor != is.Token.Accessor || own.NumUses != 0 {
		t.Fatalf("the last request must still see its own token: %+v", own)
	}
	self := func() error {
		return w.db.View(t.Context(), func(tx storage.ReadTx) error {
			_, err := w.self(tx, id)
			return err
		})
	}
	if err := self(); err != nil {
		t.Fatal("what the last request does is still its token's:", err)
	}
	w.mustFail(is)
	if _, err := w.Lookup(t.Context(), is.ClientToken); err == nil {
		t.Fatal("a used-up token must not be found")
	}
	if _, err := w.Renew(t.Context(), id, 0, w.TokenLimits(Limits{})); err == nil {
		t.Fatal("a used-up token must not be renewed")
	}
	w.clock.Add(spentGrace)
	if err := self(); err == nil {
		t.Fatal("a used-up token must vanish")
	}
}

func TestParallelUsesNeverExceedTheNumber(t *testing.T) {
	w := newWorld(t)
	o := login()
	o.NumUses = 5
	is := w.issue(o)
	const n = 20
	results := make(chan bool, n)
	for range n {
		go func() {
			_, err := w.Authenticate(t.Context(), is.ClientToken, here)
			results <- err == nil
		}()
	}
	ok := 0
	for range n {
		if <-results {
			ok++
		}
	}
	if ok != 5 {
		t.Fatalf("%d uses of 5", ok)
	}
}

func TestBoundAddressesAreCheckedOnEachUse(t *testing.T) {
	w := newWorld(t)
	o := login()
	o.BoundCIDRs = []string{"192.0.2.0/24", "2001:db8::1"}
	is := w.issue(o)
	for addr, want := range map[string]bool{
		"192.0.2.1": true, "::ffff:192.0.2.1": true, "192.0.3.1": false, "2001:db8::1": true, "2001:db8::2": false, "": false,
	} {
		var a netip.Addr
		if addr != "" {
			a = netip.MustParseAddr(addr)
		}
		_, err := w.Authenticate(t.Context(), is.ClientToken, a)
		if (err == nil) != want {
			t.Errorf("%q: %v", addr, err)
		}
	}
	o.StrictlyBindIP, o.Remote = true, here
	is = w.issue(o)
	w.mustWork(is)
	if _, err := w.Authenticate(t.Context(), is.ClientToken, netip.MustParseAddr("192.0.2.8")); err == nil {
		t.Fatal("another address of the network must be denied")
	}
}

func TestLoginNeverAssignsRoot(t *testing.T) {
	w := newWorld(t)
	for _, p := range []string{"root", "Root", " ROOT ", "\troot"} {
		o := login()
		o.Policies = []string{"a", p}
		_, err := w.tryIssue(o)
		refused(t, err, fault.Invalid, "auth methods cannot create root tokens")
	}
	o := login()
	o.Policies = []string{"Response-Wrapping"}
	_, err := w.tryIssue(o)
	refused(t, err, fault.Invalid, `cannot assign policy "response-wrapping"`)

	o = login()
	o.EntityID = "ent-root"
	p, err := w.Authenticate(t.Context(), w.issue(o).ClientToken, here)
	if err != nil || slices.Contains(p.Policies(), "root") {
		t.Fatal(err, p.Policies())
	}
}

func TestMissingOrDisabledEntityDenies(t *testing.T) {
	w := newWorld(t)
	o := login()
	o.EntityID = "gone"
	w.mustFail(w.issue(o))
}

func TestDisabledMountEndsItsTokensAtOnce(t *testing.T) {
	w := newWorld(t)
	svc, o := w.issue(login()), login()
	o.Type = Batch
	batch := w.issue(o)
	ch := w.child(svc, nil)
	w.mustWork(batch)
	w.alive = map[string]bool{}
	w.mustFail(svc)
	w.mustFail(batch)
	w.mustFail(ch)
}

func TestBatchTokenWritesNothingAndEnds(t *testing.T) {
	w := newWorld(t)
	o := login()
	o.Type = Batch
	is, err := w.Issue(nil, o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Authenticate(t.Context(), is.ClientToken, here)
	if err != nil || p.Kind() != principal.BatchToken || p.Attrs().TokenID != "" || p.Attrs().Accessor != "" {
		t.Fatal(err, p.Attrs())
	}
	refused(t, w.Revoke(t.Context(), is.ClientToken), fault.Invalid, "batch tokens cannot be revoked")
	_, err = w.Renew(t.Context(), is.Token.ID, 0, nil)
	refused(t, err, fault.Invalid, "batch tokens cannot be renewed")
	_, err = w.tryChild(is, nil)
	refused(t, err, fault.Invalid, "batch tokens cannot create more tokens")
	for i := 4; i < len(is.ClientToken); i++ {
		b := []byte(is.ClientToken)
		b[i] ^= 1
		if _, err := w.Authenticate(t.Context(), string(b), here); err == nil {
			t.Fatalf("byte %d may be changed", i)
		}
	}
	w.clock.Add(time.Hour)
	w.mustFail(is)
}

func TestBatchTokenCannotHave(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*IssueOptions){
		"num_uses": func(o *IssueOptions) { o.NumUses = 1 },
		"period":   func(o *IssueOptions) { o.Limits.Period = time.Hour },
	} {
		o := login()
		o.Type = Batch
		change(&o)
		_, err := w.Issue(nil, o)
		refused(t, err, fault.Invalid, fmt.Sprintf("batch tokens cannot have %q set", name))
	}
}

// TestTheExplicitMaxTTLCapsABatchLogin: roles that set one work, and are bound.
func TestTheExplicitMaxTTLCapsABatchLogin(t *testing.T) {
	w := newWorld(t)
	o := login()
	o.Type, o.Limits.TTL, o.ExplicitMaxTTL = Batch, 2*time.Hour, time.Hour
	is, err := w.Issue(nil, o)
	if err != nil || is.Token.CreationTTL != time.Hour || len(is.Warnings) != 1 {
		t.Fatal(is.Token.CreationTTL, is.Warnings, err)
	}
	w.clock.Add(time.Hour)
	w.mustFail(is)
}

func TestTokenTypeOfMountAndRole(t *testing.T) {
	for _, c := range []struct {
		mount, role string
		want        Type
	}{
		{"", "", Service}, {"default-service", "batch", Batch}, {"default-service", "default", Service},
		{"default-batch", "", Batch}, {"default-batch", "service", Service}, {"default-batch", "batch", Batch},
		{"service", "batch", Service}, {"batch", "service", Batch},
	} {
		if got, err := ChooseType(c.mount, c.role); err != nil || got != c.want {
			t.Errorf("%q %q: %v %v", c.mount, c.role, got, err)
		}
	}
	if _, err := ChooseType("odd", ""); err == nil {
		t.Error("an unknown type must fail")
	}
}

func TestLifetime(t *testing.T) {
	h := time.Hour
	for name, c := range map[string]struct {
		l              Limits
		age, wish, exp time.Duration
		ttl            time.Duration
		warning        string
	}{
		"system default":             {ttl: 768 * h},
		"mount default":              {l: Limits{MountDefault: h}, ttl: h},
		"role before mount":          {l: Limits{TTL: 2 * h, MountDefault: h}, ttl: 2 * h},
		"increment before role":      {l: Limits{TTL: 2 * h}, wish: 30 * time.Second, ttl: 30 * time.Second},
		"mount max caps":             {l: Limits{TTL: 3 * h, MountMax: 2 * h}, ttl: 2 * h, warning: `TTL of "3h" exceeded the effective max_ttl of "2h"; TTL value is capped accordingly`},
		"role max caps":              {l: Limits{MaxTTL: h}, wish: 100 * h, ttl: h, warning: `TTL of "100h" exceeded the effective max_ttl of "1h"; TTL value is capped accordingly`},
		"role max cannot widen":      {l: Limits{TTL: 3 * h, MaxTTL: 5 * h, MountMax: 2 * h}, ttl: 2 * h, warning: `TTL of "3h" exceeded the effective max_ttl of "2h"; TTL value is capped accordingly`},
		"explicit max caps":          {l: Limits{TTL: 3 * h}, exp: 90 * time.Minute, ttl: 90 * time.Minute, warning: `TTL of "3h" exceeded the effective max_ttl of "1h30m"; TTL value is capped accordingly`},
		"age counts":                 {l: Limits{TTL: h, MaxTTL: 90 * time.Minute}, age: h, ttl: 30 * time.Minute, warning: `TTL of "1h" exceeded the effective max_ttl of "30m"; TTL value is capped accordingly`},
		"period ignores increment":   {l: Limits{Period: h}, wish: 5 * h, age: 5000 * h, ttl: h},
		"period is capped":           {l: Limits{Period: 1000 * h}, ttl: 768 * h, warning: `period of "1000h" exceeded the effective max_ttl of "768h"; period value is capped accordingly`},
		"period and explicit max":    {l: Limits{Period: h}, exp: 2 * h, age: 90 * time.Minute, ttl: 30 * time.Minute},
		"small increment may shrink": {l: Limits{TTL: h}, wish: time.Second, age: time.Minute, ttl: time.Second},
	} {
		now := newClock().Now()
		ttl, warnings, err := c.l.lifetime(now.Add(-c.age), now, c.wish, c.exp)
		if err != nil || ttl != c.ttl || strings.Join(warnings, "\n") != c.warning {
			t.Errorf("%s: %v %q %v", name, ttl, warnings, err)
		}
	}
	for name, c := range map[string]struct {
		l        Limits
		age, exp time.Duration
	}{
		"max is over":                  {Limits{MaxTTL: h}, h, 0},
		"explicit max is over":         {Limits{}, h, h},
		"periodic, explicit max: over": {Limits{Period: h}, 3 * h, 2 * h},
	} {
		now := newClock().Now()
		if ttl, _, err := c.l.lifetime(now.Add(-c.age), now, 0, c.exp); !errors.Is(err, errPastMax) {
			t.Errorf("%s: %v %v", name, ttl, err)
		}
	}
}

func TestRenewalUsesTheCurrentRole(t *testing.T) {
	w := newWorld(t)
	o := login()
	o.Limits = Limits{TTL: 20 * time.Minute, MaxTTL: time.Hour}
	is := w.issue(o)
	w.clock.Add(10 * time.Minute)
	now := Limits{TTL: 5 * time.Minute, MaxTTL: time.Hour}
	r, err := w.Renew(t.Context(), is.Token.ID, 0, func(storage.ReadTx, Token) (Limits, error) { return now, nil })
	if err != nil || r.TTL != 5*time.Minute {
		t.Fatal(r.TTL, err)
	}
	w.clock.Add(5 * time.Minute)
	w.mustFail(is)

	is = w.issue(o)
	r, err = w.Renew(t.Context(), is.Token.ID, 100*time.Hour, func(storage.ReadTx, Token) (Limits, error) { return o.Limits, nil })
	if err != nil || r.TTL != time.Hour || len(r.Warnings) != 1 {
		t.Fatal(r, err)
	}
	w.clock.Add(time.Hour - 1)
	w.mustWork(is)
	w.clock.Add(1)
	w.mustFail(is)
	_, err = w.Renew(t.Context(), is.Token.ID, 0, w.TokenLimits(Limits{}))
	refused(t, err, fault.Invalid, "token not found")
}

func TestRenewalIsRefusedWhen(t *testing.T) {
	w := newWorld(t)
	root := w.root()
	_, err := w.Renew(t.Context(), root.Token.ID, 0, w.TokenLimits(Limits{}))
	refused(t, err, fault.Invalid, "invalid lease ID")
	no := false
	is := w.child(root, func(o *CreateOptions) { o.Renewable, o.Policies = &no, []string{"a"} })
	_, err = w.Renew(t.Context(), is.Token.ID, 0, w.TokenLimits(Limits{}))
	refused(t, err, fault.Invalid, "lease is not renewable")
	gone := fault.New(fault.Invalid, "role demo does not exist during renewal")
	_, err = w.Renew(t.Context(), w.issue(login()).Token.ID, 0, func(storage.ReadTx, Token) (Limits, error) { return Limits{}, gone })
	refused(t, err, fault.Invalid, gone.Public())
}

func TestNotAfterEndsTheToken(t *testing.T) {
	w := newWorld(t)
	o := login()
	o.NotAfter = w.clock.Now().Add(time.Minute)
	is := w.issue(o)
	w.clock.Add(time.Minute)
	w.mustFail(is)
	if _, err := w.tryIssue(o); !fault.Is(err, fault.Denied) {
		t.Fatal(err)
	}
}

func TestNoRenewalPassesNotAfter(t *testing.T) {
	w := newWorld(t)
	for name, l := range map[string]Limits{"plain": {TTL: time.Hour}, "periodic": {Period: time.Hour}} {
		o := login()
		o.Limits, o.NotAfter = l, w.clock.Now().Add(90*time.Minute)
		is := w.issue(o)
		w.clock.Add(time.Hour - time.Second)
		r, err := w.Renew(t.Context(), is.Token.ID, 0, func(storage.ReadTx, Token) (Limits, error) { return l, nil })
		if err != nil || !r.Token.Expires.Equal(o.NotAfter) || r.TTL != 30*time.Minute+time.Second {
			t.Fatal(name, r, err)
		}
		w.clock.Add(31 * time.Minute)
		w.mustFail(is)
	}
}

func TestRestartHasNothingToScan(t *testing.T) {
	w := newWorld(t)
	is := w.issue(login())
	again := New(Options{Storage: w.db, Keys: w.keys, Now: w.clock.Now})
	if _, err := again.Authenticate(t.Context(), is.ClientToken, here); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	w := newWorld(b)
	o := login()
	o.EntityID = "ent-1"
	is := w.issue(o)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Authenticate(b.Context(), is.ClientToken, here); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateBatch(b *testing.B) {
	w := newWorld(b)
	o := login()
	o.Type = Batch
	is := w.issue(o)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Authenticate(b.Context(), is.ClientToken, here); err != nil {
			b.Fatal(err)
		}
	}
}

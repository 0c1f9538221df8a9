package jwks_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
)

// TestHostileEndpoints: each failure is refused in bounded time and memory, and
// what the endpoint answered is seen nowhere.
func TestHostileEndpoints(t *testing.T) {
	for name, c := range map[string]struct {
		failure idptest.Failure
		want    string
	}{
		"500":          {idptest.Status500, "status 500"},
		"huge":         {idptest.Huge, "larger than 1 MiB"},
		"gzip bomb":    {idptest.GzipBomb, "larger than 1 MiB"},
		"redirect":     {idptest.Redirect, "redirect (status 302), which is not followed"},
		"web page":     {idptest.NotJSON, "not one unambiguous JSON object"},
		"not HTTP":     {idptest.Banner, "not proper HTTP"},
		"other issuer": {idptest.WrongIssuer, "is for another issuer"},
	} {
		for _, discovery := range []bool{false, true} {
			if c.failure == idptest.WrongIssuer && !discovery {
				continue
			}
			t.Run(fmt.Sprintf("%s, discovery %v", name, discovery), func(t *testing.T) {
				w := newWorld(t, discovery)
				w.idp.Fail(c.failure)
				_, err := w.src.Keys(t.Context(), "key-1", true)
				if !errors.Is(err, jwks.ErrUnavailable) || strings.Contains(err.Error(), idptest.Secret) {
					t.Errorf("got %v", err)
				}
				err = w.src.Probe(t.Context())
				st := w.src.Status()
				if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) || !strings.Contains(st.LastError, c.want) || fault.ReasonOf(err) != "key_source_unusable" {
					t.Errorf("probe: %v; status: %q", err, st.LastError)
				}
				if all := fmt.Sprint(err, st) + w.log.String(); strings.Contains(all, "internal-body") || !strings.Contains(w.log.String(), "failed") {
					t.Errorf("the endpoint's answer is shown, or nothing is: %s", all)
				}
				w.idp.Recover()
				if err := w.src.Probe(t.Context()); err != nil {
					t.Errorf("after recovery: %v", err)
				}
				w.ask("key-1", nil)
			})
		}
	}
}

func TestDiscoveryIsAskedAgainWhenItsKeySetFails(t *testing.T) {
	w := newWorld(t, true)
	w.ask("key-1", nil)
	w.clock.Advance(5 * time.Minute)
	w.ask("key-1", nil)
	w.settle()
	if _, d := w.idp.Fetches(); d != 1 {
		t.Errorf("%d discoveries, want 1 within an hour", d)
	}
	w.idp.Fail(idptest.Status500)
	w.clock.Advance(5 * time.Minute)
	w.ask("key-1", nil)
	w.settle()
	w.clock.Advance(time.Minute)
	w.ask("key-1", nil)
	w.settle()
	if _, d := w.idp.Fetches(); d != 2 {
		t.Errorf("%d discoveries, want 2", d)
	}
}

// TestAMissingDiscoveryDocumentDoesNotForgetWhereTheKeysAre: the key set may
// work while the document's server does not.
func TestAMissingDiscoveryDocumentDoesNotForgetWhereTheKeysAre(t *testing.T) {
	w := newWorld(t, true)
	w.ask("key-1", nil)
	w.idp.Fail(idptest.NoDiscovery)
	fresh := w.idp.Rotate(jwt.ES256)
	w.clock.Advance(61 * time.Minute)
	w.ask(fresh.ID, nil)
	if _, d := w.idp.Fetches(); d != 2 {
		t.Errorf("%d discoveries", d)
	}
}

func TestTheMemoryOfUnknownKidsIsBoundedAndRenewed(t *testing.T) {
	w := newWorld(t, false)
	w.ask("key-1", nil)
	flood := func(name string) {
		w.clock.Advance(time.Minute) // what is remembered is over
		w.idp.Fail(idptest.Hang)
		var wg sync.WaitGroup
		for i := range 1100 {
			wg.Go(func() { w.ask(fmt.Sprint(name, i), jwt.ErrUnknownKey) })
		}
		<-w.idp.Arrived()
		w.idp.Recover()
		wg.Wait()
		w.settle()
	}
	for range 2 {
		flood("ghost-")
		if n := jwks.RememberedKids(w.src); n == 0 || n > 1024 {
			t.Errorf("%d kids are remembered", n)
		}
	}
	flood("spirit-")
	before := w.src.Status().Fetches
	w.clock.Advance(11 * time.Second)
	w.ask("late", jwt.ErrUnknownKey)
	w.settle()
	if w.src.Status().Fetches != before+1 {
		t.Error("a full memory keeps new kids from being looked for")
	}
	w.ask("key-1", nil)
}

func TestAKidOfAnySizeIsJustUnknown(t *testing.T) {
	w := newWorld(t, false)
	w.ask("key-1", nil)
	w.clock.Advance(time.Minute)
	w.ask(strings.Repeat("k", 10<<10), jwt.ErrUnknownKey)
	first := newWorld(t, false)
	first.ask("never-there", jwt.ErrUnknownKey)
}

func TestTheFirstTokenGivesUpWithItsCaller(t *testing.T) {
	w := newWorld(t, false)
	w.idp.Fail(idptest.Hang)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-w.idp.Arrived()
		cancel()
	}()
	if _, err := w.src.Keys(ctx, "key-1", true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestACallerWhoHasGoneCausesNoFetch(t *testing.T) {
	w := newWorld(t, false)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.src.Keys(gone, "key-1", true); !errors.Is(err, context.Canceled) || w.src.Status().Fetches != 0 {
		t.Errorf("%v, %d fetches", err, w.src.Status().Fetches)
	}
	w.ask("key-1", nil)
	w.clock.Advance(time.Minute)
	if _, err := w.src.Keys(gone, "other", true); !errors.Is(err, context.Canceled) || w.src.Status().Fetches != 1 {
		t.Errorf("%v, %d fetches", err, w.src.Status().Fetches)
	}
	if _, err := w.src.Keys(gone, "key-1", true); err != nil {
		t.Errorf("a known key: %v", err)
	}
}

func TestAProbeGivesUpWithItsCaller(t *testing.T) {
	w := newWorld(t, false)
	w.idp.Fail(idptest.Hang)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the caller has gone")
	go func() {
		<-w.idp.Arrived()
		cancel(gone)
	}()
	if err := w.src.Probe(ctx); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkKnownKey(b *testing.B) {
	idp := idptest.New(b)
	src, err := jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true}).URL(jwks.URLConfig{URL: idp.JWKSURL(), CAPEM: idp.CAPEM()})
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := src.Keys(b.Context(), "key-1", true); err != nil {
			b.Fatal(err)
		}
	}
}

// A fetch that ends while somebody asks for the generation must not give an
// answer that comes true later, once the new set is forgotten: what was proved
// in between would count again.
func TestGenerationIsNeverThatOfAnotherTime(t *testing.T) {
	idp := idptest.NewPlain(t)
	var offset atomic.Int64
	var between atomic.Pointer[func()]
	start := time.Now()
	src, err := jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true, Now: func() time.Time {
		if f := between.Swap(nil); f != nil {
			(*f)()
		}
		return start.Add(time.Duration(offset.Load()))
	}}).URL(jwks.URLConfig{URL: idp.JWKSURL()})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := src.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	offset.Store(int64(2 * time.Hour)) // the first set is forgotten
	fetch := func() {
		if err := src.Probe(t.Context()); err != nil {
			t.Error(err)
		}
	}
	between.Store(&fetch)
	asked := src.Generation()
	if src.Generation() == asked {
		t.Fatal("the fetch did not come in between")
	}
	offset.Store(int64(4 * time.Hour)) // and the second one
	if src.Generation() == asked {
		t.Error("what was verified before the second set came counts when it is gone")
	}
}

// An endpoint that fails is not asked again by each token that comes while the
// old set still serves.
func TestAFailingEndpointIsLeftAloneForAWhile(t *testing.T) {
	w := newWorld(t, false)
	w.ask("key-1", nil)
	w.idp.Fail(idptest.Status500)
	w.clock.Advance(6 * time.Minute)
	w.ask("key-1", nil)
	w.settle()
	before := w.fetches()
	for range 20 {
		w.ask("key-1", nil)
		w.settle()
	}
	if n := w.fetches() - before; n != 0 {
		t.Errorf("%d fetches for 20 tokens right after a failed one", n)
	}
}

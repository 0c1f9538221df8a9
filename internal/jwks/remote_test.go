package jwks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// clock is a time that tests move.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}
func (c *clock) Now() time.Time          { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) Advance(d time.Duration) { c.ns.Add(int64(d)) }

// world is a provider, a clock and a source that reads from it.
type world struct {
	t     *testing.T
	idp   *idptest.Provider
	clock *clock
	timer chan time.Time // fires the background timer
	armed chan struct{}  // the background loop waits for the timer
	log   *syncBuffer
	src   jwks.Source
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newWorld(t *testing.T, discovery bool) *world {
	t.Helper()
	w := &world{t: t, idp: idptest.New(t), clock: newClock(), timer: make(chan time.Time), armed: make(chan struct{}, 1024), log: &syncBuffer{}}
	client := jwks.NewClient(jwks.Options{
		Now: w.clock.Now, AllowLoopbackHTTP: true, Jitter: func() float64 { return 0.5 },
		Logger: slog.New(slog.NewTextHandler(w.log, nil)),
		After: func(time.Duration) <-chan time.Time {
			w.armed <- struct{}{}
			return w.timer
		},
	})
	var err error
	if discovery {
		w.src, err = client.Discovery(jwks.DiscoveryConfig{Issuer: w.idp.Issuer(), CAPEM: w.idp.CAPEM()})
	} else {
		w.src, err = client.URL(jwks.URLConfig{URL: w.idp.JWKSURL(), CAPEM: w.idp.CAPEM()})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.src.Close)
	return w
}

func (w *world) fetches() int {
	n, _ := w.idp.Fetches()
	return n
}

// ask looks for a kid and fails the test unless the outcome is want.
func (w *world) ask(kid string, want error) []*jwt.Key {
	w.t.Helper()
	keys, err := w.src.Keys(w.t.Context(), kid, true)
	if !errors.Is(err, want) || (len(keys) == 0) == (err == nil) {
		w.t.Errorf("kid %q: %d keys, error %v, want %v", kid, len(keys), err, want)
	}
	return keys
}

// settle waits until no fetch is under way: when one ends, the background loop
// arms its timer again.
func (w *world) settle() {
	w.t.Helper()
	for w.src.Status().Fetching {
		<-w.armed
	}
}

func TestKeysAreFetchedOnceAndThenServedFromMemory(t *testing.T) {
	for _, discovery := range []bool{false, true} {
		w := newWorld(t, discovery)
		if w.fetches() != 0 || w.src.Generation() != 0 {
			t.Error("something was fetched before the first use")
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { w.ask("key-1", nil) })
		}
		wg.Wait()
		for range 100 {
			w.ask("key-1", nil)
		}
		if keys, err := w.src.Keys(t.Context(), "", false); err != nil || len(keys) != 1 {
			t.Errorf("a token without a kid: %d keys, %v", len(keys), err)
		}
		st := w.src.Status()
		if w.fetches() != 1 || st.Fetches != 1 || st.Keys != 1 || st.LastError != "" || st.Generation == 0 || st.LastSuccess.IsZero() {
			t.Errorf("%d fetches, %+v", w.fetches(), st)
		}
	}
}

func TestAFloodOfUnknownKidsCausesOneFetchInTenSeconds(t *testing.T) {
	w := newWorld(t, false)
	w.ask("key-1", nil)
	for i := range 500 {
		w.ask(fmt.Sprint("unknown-", i), jwt.ErrUnknownKey)
	}
	if n := w.fetches(); n != 1 {
		t.Errorf("%d fetches within ten seconds of the first", n)
	}
	w.clock.Advance(10 * time.Second)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() { w.ask(fmt.Sprint("more-", i), jwt.ErrUnknownKey) })
	}
	wg.Wait()
	if n := w.fetches(); n != 2 {
		t.Errorf("%d fetches after ten seconds, want 2", n)
	}
	// A rotation right after the flood is noticed with the next fetch.
	fresh := w.idp.Rotate(jwt.ES256)
	w.ask(fresh.ID, jwt.ErrUnknownKey)
	w.clock.Advance(10 * time.Second)
	w.ask(fresh.ID, nil)
	w.ask("key-1", jwt.ErrUnknownKey)
	if n := w.fetches(); n != 3 {
		t.Errorf("%d fetches, want 3", n)
	}
}

func TestAKidThatAFetchDidNotBringIsRememberedAsUnknown(t *testing.T) {
	w := newWorld(t, false)
	w.ask("key-1", nil)
	w.clock.Advance(11 * time.Second)
	w.ask("ghost", jwt.ErrUnknownKey)
	for range 2 {
		w.clock.Advance(11 * time.Second)
		w.ask("ghost", jwt.ErrUnknownKey)
	}
	if n := w.fetches(); n != 2 {
		t.Errorf("%d fetches, want 2: one kid must not cause one every ten seconds", n)
	}
	w.clock.Advance(11 * time.Second)
	w.ask("ghost", jwt.ErrUnknownKey)
	if n := w.fetches(); n != 3 {
		t.Errorf("%d fetches, want 3: a kid is not unknown for ever", n)
	}
}

func TestAHungEndpointNeverDelaysATokenWhoseKeyIsKnown(t *testing.T) {
	w := newWorld(t, false)
	w.ask("key-1", nil)
	<-w.idp.Arrived()
	w.idp.Fail(idptest.Hang)
	w.clock.Advance(6 * time.Minute)
	for range 1000 {
		w.ask("key-1", nil)
	}
	<-w.idp.Arrived() // the background fetch hangs now
	for range 1000 {
		w.ask("key-1", nil)
	}
	if !w.src.Status().Fetching {
		t.Error("known keys waited until the fetch was given up")
	}
	// An unknown kid waits for that one fetch, and no longer than its caller.
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := w.src.Keys(ctx, "other", true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := w.fetches(); n != 2 {
		t.Errorf("%d fetches", n)
	}
	w.idp.Recover()
	w.settle()
	w.ask("key-1", nil)
}

func TestCloseEndsAHungFetch(t *testing.T) {
	w := newWorld(t, false)
	w.idp.Fail(idptest.Hang)
	done := make(chan error)
	go func() {
		_, err := w.src.Keys(context.Background(), "key-1", true)
		done <- err
	}()
	<-w.idp.Arrived()
	w.src.Close()
	if err := <-done; !errors.Is(err, jwks.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := w.src.Keys(t.Context(), "key-1", true); !errors.Is(err, jwks.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
	if err := w.src.Probe(t.Context()); !fault.Is(err, fault.Invalid) {
		t.Errorf("probe after Close: %v", err)
	}
	if strings.Contains(w.log.String(), "failed") {
		t.Error("closing is logged as a failure")
	}
}

func TestKeysOutliveFailuresForAnHourAndNoLonger(t *testing.T) {
	w := newWorld(t, false)
	w.ask("key-1", nil)
	generation := w.src.Generation()
	w.idp.Fail(idptest.Status500)
	for range 11 {
		w.clock.Advance(5 * time.Minute)
		w.ask("key-1", nil)
		w.settle()
	}
	if st := w.src.Status(); st.LastError == "" || st.Keys != 1 || w.src.Generation() != generation {
		t.Errorf("%+v", st)
	}
	w.clock.Advance(5 * time.Minute) // one hour since the last success
	w.ask("key-1", jwks.ErrUnavailable)
	if w.src.Generation() == generation || w.src.Status().Keys != 0 {
		t.Error("forgotten keys are still trusted by whoever cached a result")
	}
	w.idp.Recover()
	w.clock.Advance(2 * time.Minute)
	w.ask("key-1", nil)
	if w.src.Generation() <= generation+1 {
		t.Error("the generation does not grow")
	}
}

func TestAfterAFailureFetchesPause(t *testing.T) {
	w := newWorld(t, false)
	w.idp.Fail(idptest.Status500)
	for range 20 {
		w.ask("key-1", jwks.ErrUnavailable)
	}
	if n := w.fetches(); n != 1 {
		t.Errorf("%d fetches at once", n)
	}
	total := 1
	for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		w.clock.Advance(pause*time.Second - time.Millisecond)
		w.ask("key-1", jwks.ErrUnavailable)
		if n := w.fetches(); n != total {
			t.Errorf("a fetch before the pause of %d s is over", pause)
		}
		w.clock.Advance(time.Millisecond)
		w.ask("key-1", jwks.ErrUnavailable)
		if total++; w.fetches() != total {
			t.Errorf("no fetch after the pause of %d s", pause)
		}
	}
	w.idp.Recover()
	w.clock.Advance(time.Minute)
	w.ask("key-1", nil)
}

func TestShorterMaxAgeIsHonouredAndLongerIsNot(t *testing.T) {
	for _, c := range []struct {
		header string
		fresh  time.Duration
	}{
		{"", 5 * time.Minute}, {"max-age=60", time.Minute}, {"public, max-age=3600", 5 * time.Minute}, {"no-store", 10 * time.Second},
		{"max-age=0", 10 * time.Second}, {"Max-Age=\"60\", max-age=120", time.Minute}, {"max-age=x", 5 * time.Minute}, {"no-cache", 10 * time.Second},
	} {
		w := newWorld(t, false)
		w.idp.SetCacheControl(c.header)
		w.ask("key-1", nil)
		if st := w.src.Status(); st.FreshUntil.Sub(st.LastSuccess) != c.fresh {
			t.Errorf("%q: fresh for %v, want %v", c.header, st.FreshUntil.Sub(st.LastSuccess), c.fresh)
		}
	}
}

func TestARemovedKeyIsForgottenWithTheNextFetch(t *testing.T) {
	w := newWorld(t, false)
	first := w.idp.Key()
	w.idp.AddKey(jwt.ES256)
	w.ask("key-1", nil)
	before := w.src.Generation()
	w.idp.Remove(first)
	w.clock.Advance(5 * time.Minute)
	w.ask("key-1", nil) // served from memory while the background fetch runs
	w.settle()
	w.ask("key-1", jwt.ErrUnknownKey)
	if w.src.Generation() == before {
		t.Error("the generation does not show the change")
	}
	// An empty set is an answer too: every key is withdrawn.
	w.idp.Fail(idptest.Empty)
	w.clock.Advance(5 * time.Minute)
	w.ask("key-2", nil)
	w.settle()
	w.ask("key-2", jwt.ErrUnknownKey)
	if _, err := w.src.Keys(t.Context(), "", false); !errors.Is(err, jwt.ErrUnknownKey) {
		t.Errorf("got %v", err)
	}
}

func TestAnUnchangedSetCostsA304AndKeepsItsGeneration(t *testing.T) {
	w := newWorld(t, false)
	w.ask("key-1", nil)
	before := w.src.Generation()
	w.clock.Advance(5 * time.Minute)
	w.ask("key-1", nil)
	w.settle()
	if w.idp.NotModified() != 1 || w.src.Generation() != before {
		t.Errorf("%d answers of 304, generation %d, was %d", w.idp.NotModified(), w.src.Generation(), before)
	}
	if st := w.src.Status(); st.FreshUntil.Before(w.clock.Now()) {
		t.Error("304 does not renew the set")
	}
}

func TestTheBackgroundTimerRenewsKeysWithoutAnyRequest(t *testing.T) {
	w := newWorld(t, false)
	w.ask("key-1", nil)
	w.settle()
	fresh := w.idp.Rotate(jwt.ES256)
	w.clock.Advance(5 * time.Minute)
	w.timer <- time.Time{}
	<-w.idp.Arrived()
	<-w.idp.Arrived()
	w.settle()
	w.ask(fresh.ID, nil)
	if n := w.fetches(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

func TestATurnedBackClockRenewsKeys(t *testing.T) {
	w := newWorld(t, false)
	w.ask("key-1", nil)
	w.clock.Advance(-time.Hour)
	w.ask("key-1", nil)
	w.settle()
	if n := w.fetches(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

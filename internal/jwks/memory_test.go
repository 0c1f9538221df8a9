package jwks_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
)

// memory is a jwks.Memory that tests look into.
type memory struct {
	mu     sync.Mutex
	kept   map[string]jwks.Kept
	fail   error
	saves  chan time.Time // until when each was kept
	loaded int
}

func newMemory() *memory {
	return &memory{kept: map[string]jwks.Kept{}, saves: make(chan time.Time, 100)}
}

func (m *memory) Load(_ context.Context, name string) (jwks.Kept, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loaded++
	k, ok := m.kept[name]
	return k, ok, m.fail
}

func (m *memory) Save(_ context.Context, name string, k jwks.Kept, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail == nil {
		m.kept[name] = k
	}
	m.saves <- until
	return m.fail
}

// change changes what is kept.
func (m *memory) change(f func(*jwks.Kept)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, k := range m.kept {
		f(&k)
		m.kept[n] = k
	}
}

func (m *memory) breakDown() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = errors.New("disk")
}

func (m *memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.kept)
}

// boot starts a source as after a restart, with an empty memory of its own.
func boot(t *testing.T, w *world, m *memory, change func(*jwks.URLConfig)) jwks.Source {
	t.Helper()
	c := jwks.URLConfig{URL: w.idp.JWKSURL(), CAPEM: w.idp.CAPEM()}
	if change != nil {
		change(&c)
	}
	src, err := jwks.NewClient(jwks.Options{
		Now: w.clock.Now, AllowLoopbackHTTP: true, Memory: m, Jitter: func() float64 { return 0.5 },
		Logger: slog.New(slog.NewTextHandler(w.log, nil)),
		After:  func(time.Duration) <-chan time.Time { return nil },
	}).URL(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.Close)
	return src
}

func TestTheLastGoodKeysServeAfterARestart(t *testing.T) {
	w, m := newWorld(t, false), newMemory()
	key := w.idp.Key()
	fetched := w.clock.Now()
	if _, err := boot(t, w, m, nil).Keys(t.Context(), key.ID, true); err != nil {
		t.Fatal(err)
	}
	if until := <-m.saves; !until.Equal(fetched.Add(time.Hour)) {
		t.Errorf("kept until %v", until)
	}
	w.idp.Fail(idptest.Status500)
	w.clock.Advance(59*time.Minute + 59*time.Second)
	src := boot(t, w, m, nil)
	if keys, err := src.Keys(t.Context(), key.ID, true); err != nil || len(keys) != 1 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	st := src.Status()
	if !st.Restored || !st.LastSuccess.Equal(fetched) || !st.UsableUntil.Equal(fetched.Add(time.Hour)) || st.LastError == "" || st.Generation == 0 {
		t.Errorf("%+v", st)
	}
	if _, err := src.Keys(t.Context(), "another", true); !errors.Is(err, jwt.ErrUnknownKey) {
		t.Errorf("a kid that is not kept: %v", err)
	}
	if err := src.Probe(t.Context()); err == nil {
		t.Error("who configures the source must learn that it does not work")
	}
	if len(m.saves) != 0 {
		t.Error("what was restored was kept again, as if it were fresh")
	}
	generation := src.Generation()
	w.clock.Advance(time.Second) // the hour is over, for restored keys and for the memory
	if _, err := src.Keys(t.Context(), key.ID, true); !errors.Is(err, jwks.ErrUnavailable) || src.Generation() == generation {
		t.Errorf("keys that are older than an hour: %v", err)
	}
	if _, err := boot(t, w, m, nil).Keys(t.Context(), key.ID, true); !errors.Is(err, jwks.ErrUnavailable) {
		t.Errorf("after one more restart: %v", err)
	}
}

func TestKeptKeysGiveWayToTheIssuersAnswer(t *testing.T) {
	w, m := newWorld(t, false), newMemory()
	old := w.idp.Key()
	if _, err := boot(t, w, m, nil).Keys(t.Context(), old.ID, true); err != nil {
		t.Fatal(err)
	}
	<-m.saves
	fresh := w.idp.Rotate(jwt.ES256)
	// An issuer that answers is asked first: its withdrawn keys are gone.
	src := boot(t, w, m, nil)
	if _, err := src.Keys(t.Context(), old.ID, true); !errors.Is(err, jwt.ErrUnknownKey) {
		t.Errorf("a withdrawn key came back with the restart: %v", err)
	}
	<-m.saves
	w.idp.Fail(idptest.Status500)
	src = boot(t, w, m, nil)
	if _, err := src.Keys(t.Context(), fresh.ID, true); err != nil {
		t.Error(err)
	}
	w.idp.Recover()
	newest := w.idp.Rotate(jwt.ES256)
	w.clock.Advance(time.Minute)
	if _, err := src.Keys(t.Context(), newest.ID, true); err != nil {
		t.Errorf("the issuer works again: %v", err)
	}
	if _, err := src.Keys(t.Context(), fresh.ID, true); !errors.Is(err, jwt.ErrUnknownKey) || src.Status().Restored {
		t.Errorf("a kept key outlived the issuer's answer: %v", err)
	}
}

func TestKeptKeysAreOneSourcesOnly(t *testing.T) {
	w, m := newWorld(t, false), newMemory()
	key := w.idp.Key()
	if _, err := boot(t, w, m, nil).Keys(t.Context(), key.ID, true); err != nil {
		t.Fatal(err)
	}
	<-m.saves
	w.idp.Fail(idptest.Status500)
	for name, change := range map[string]func(*jwks.URLConfig){
		"another URL":       func(c *jwks.URLConfig) { c.URL += "?x=1" },
		"another CA":        func(c *jwks.URLConfig) { c.CAPEM += "\n" },
		"another name":      func(c *jwks.URLConfig) { c.TLS.ServerNames = []string{"127.0.0.1"} },
		"another extension": func(c *jwks.URLConfig) { c.TLS.CriticalExtensions = []string{"1.2.3"} },
	} {
		if _, err := boot(t, w, m, change).Keys(t.Context(), key.ID, true); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAMemoryThatIsOfNoUseIsNotUsed(t *testing.T) {
	secret := "the-document-itself"
	for name, c := range map[string]struct {
		spoil  func(m *memory, w *world)
		logged string
	}{
		"fails":         {func(m *memory, _ *world) { m.breakDown() }, "step=load"},
		"is no set":     {func(m *memory, _ *world) { m.change(func(k *jwks.Kept) { k.Document = []byte(secret) }) }, "step=load"},
		"is empty":      {func(m *memory, _ *world) { m.forget() }, ""},
		"is too old":    {func(m *memory, _ *world) { m.change(func(k *jwks.Kept) { k.Fetched = k.Fetched.Add(-time.Hour) }) }, ""},
		"is of no time": {func(m *memory, _ *world) { m.change(func(k *jwks.Kept) { k.Fetched = time.Time{} }) }, ""},
		"is tomorrow's": {func(m *memory, _ *world) { m.change(func(k *jwks.Kept) { k.Fetched = k.Fetched.Add(time.Second) }) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, m := newWorld(t, false), newMemory()
			key := w.idp.Key()
			if _, err := boot(t, w, m, nil).Keys(t.Context(), key.ID, true); err != nil {
				t.Fatal(err)
			}
			<-m.saves
			w.idp.Fail(idptest.Status500)
			c.spoil(m, w)
			src := boot(t, w, m, nil)
			if _, err := src.Keys(t.Context(), key.ID, true); !errors.Is(err, jwks.ErrUnavailable) || src.Status().Restored {
				t.Errorf("got %v", err)
			}
			if s := w.log.String(); !strings.Contains(s, c.logged) || strings.Contains(s, secret) {
				t.Errorf("the operator reads %s", s)
			}
		})
	}
}

// TestKeysAreKeptWhenTheyChangeAndNowAndThen: and a memory that fails keeps
// nobody from logging in.
func TestKeysAreKeptWhenTheyChangeAndNowAndThen(t *testing.T) {
	w, m := newWorld(t, false), newMemory()
	src := boot(t, w, m, nil)
	fetch := func(d time.Duration) {
		t.Helper()
		w.clock.Advance(d)
		if err := src.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	fetch(0)
	<-m.saves
	fetch(5 * time.Minute)
	w.idp.Rotate(jwt.ES256)
	fetch(time.Minute)
	first := <-m.saves
	fetch(9 * time.Minute)
	fetch(time.Minute)
	if second := <-m.saves; second.Sub(first) != 10*time.Minute {
		t.Errorf("kept again after %v", second.Sub(first))
	}
	m.breakDown()
	fetch(11 * time.Minute)
	<-m.saves
	w.ask("key-2", nil)
	fetch(time.Minute)
	<-m.saves // tried again with the next fetch
	src.Close()
	if !strings.Contains(w.log.String(), "step=save") {
		t.Error("the operator does not learn that nothing is kept")
	}
}

func TestStatsTellHowAllOpenSourcesAreDoing(t *testing.T) {
	w := newWorld(t, false)
	client := jwks.NewClient(jwks.Options{Now: w.clock.Now, AllowLoopbackHTTP: true, After: func(time.Duration) <-chan time.Time { return nil }})
	open := func(p *idptest.Provider) jwks.Source {
		s, err := client.URL(jwks.URLConfig{URL: p.JWKSURL(), CAPEM: p.CAPEM()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	}
	check := func(want jwks.Stats) {
		t.Helper()
		if got := client.Stats(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	check(jwks.Stats{})
	other := idptest.New(t)
	one, two, idle := open(w.idp), open(other), open(other)
	check(jwks.Stats{Sources: 3})
	if err := one.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	if err := two.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(jwks.Stats{Sources: 3, Oldest: time.Minute})
	w.idp.Fail(idptest.Status500)
	if err := one.Probe(t.Context()); err == nil {
		t.Fatal("it works")
	}
	check(jwks.Stats{Sources: 3, Failing: 1, Oldest: time.Minute})
	w.clock.Advance(59*time.Minute + 30*time.Second)
	check(jwks.Stats{Sources: 3, Failing: 1, Without: 1, Oldest: 59*time.Minute + 30*time.Second})
	one.Close()
	idle.Close()
	check(jwks.Stats{Sources: 1, Oldest: 59*time.Minute + 30*time.Second})
}

package kept_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwks/kept"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/postgres"
	"github.com/jotgate/jotgate/internal/storage/postgres/pgtest"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestWhatIsKeptEndsAndIsSealed(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	for driver, open := range map[string]func() (storage.Store, error){
		"embedded": func() (storage.Store, error) {
			return embedded.Open(t.TempDir(), embedded.Options{Now: clock, SweepEvery: -1})
		},
		"postgres": func() (storage.Store, error) {
			return postgres.Open(t.Context(), pgtest.DSN(t), postgres.Options{Now: clock, SweepEvery: -1, Timeout: time.Minute})
		},
	} {
		t.Run(driver, func(t *testing.T) {
			now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
			db, err := open()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			ring := seal.NewKeyring(now)
			s := kept.New(seal.Wrap(storagetest.Twice(db), ring), ring)
			if _, ok, err := s.Load(t.Context(), "https://idp.example"); ok || err != nil {
				t.Fatal("something is kept before anything was:", err)
			}
			k := jwks.Kept{Document: []byte(`{"keys":[]}`), Fetched: now}
			if err := s.Save(t.Context(), "https://idp.example", k, now.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			got, ok, err := s.Load(t.Context(), "https://idp.example")
			if err != nil || !ok || string(got.Document) != string(k.Document) || !got.Fetched.Equal(now) {
				t.Errorf("%+v, %v, %v", got, ok, err)
			}
			if _, ok, _ := s.Load(t.Context(), "https://other.example"); ok {
				t.Error("another source has it, too")
			}
			slow := jwks.Kept{Document: []byte(`{"keys":["withdrawn"]}`), Fetched: now.Add(-time.Second)}
			if err := s.Save(t.Context(), "https://idp.example", slow, now.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if got, _, _ := s.Load(t.Context(), "https://idp.example"); string(got.Document) != string(k.Document) {
				t.Error("an earlier fetch came over a later one")
			}
			ahead := jwks.Kept{Document: []byte(`{"keys":["ahead"]}`), Fetched: now.Add(time.Hour)}
			for _, k := range []jwks.Kept{ahead, k} { // a clock that is wrong keeps nobody from keeping
				if err := s.Save(t.Context(), "https://idp.example", k, now.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				if got, _, _ := s.Load(t.Context(), "https://idp.example"); string(got.Document) != string(k.Document) {
					t.Errorf("%s is kept, not %s", got.Document, k.Document)
				}
			}
			for key, value := range storagetest.Dump(t, db) {
				if strings.Contains(key+value, "idp.example") || strings.Contains(value, "keys") {
					t.Errorf("in clear on the disk: %q", key)
				}
			}
			now = now.Add(time.Hour)
			if _, ok, err := s.Load(t.Context(), "https://idp.example"); ok || err != nil {
				t.Error("it outlives its end:", err)
			}
		})
	}
}

func TestAStoreThatFailsSaysSo(t *testing.T) {
	db, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ring := seal.NewKeyring(time.Now())
	st := seal.Wrap(db, ring)
	s := kept.New(st, ring)
	key := "jwks/"
	if err := s.Save(t.Context(), "x", jwks.Kept{}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for k := range storagetest.Dump(t, db) {
		if strings.HasPrefix(k, key) {
			key = k
		}
	}
	if err := st.Update(t.Context(), func(tx storage.Tx) error { return tx.Put([]byte(key), []byte("no JSON"), time.Time{}) }); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Load(t.Context(), "x"); ok || err == nil {
		t.Error("what cannot be read was taken")
	}
	if err := s.Save(t.Context(), "x", jwks.Kept{}, time.Time{}); err != nil {
		t.Error("what cannot be read stays for ever:", err)
	}
	_ = db.Close()
	if _, ok, err := s.Load(t.Context(), "x"); ok || err == nil {
		t.Error("loaded from a closed store")
	}
	if err := s.Save(t.Context(), "x", jwks.Kept{}, time.Time{}); err == nil {
		t.Error("saved to a closed store")
	}
}

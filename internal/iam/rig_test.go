package iam

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// rig is one storage, on which a test puts nodes.
type rig struct {
	t     *testing.T
	inner storage.Store
	store storage.Store
	ring  *seal.Keyring
	now   atomic.Pointer[time.Time]
}

func newRig(t *testing.T) *rig {
	t.Helper()
	inner, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	r := &rig{t: t, inner: inner, ring: seal.NewKeyring(testNow)}
	r.store = seal.Wrap(storagetest.Twice(inner), r.ring)
	r.now.Store(&testNow)
	return r
}

func (r *rig) options(o StoreOptions) StoreOptions {
	o.Storage, o.Hasher, o.Now = r.store, r.ring, func() time.Time { return *r.now.Load() }
	return o
}

// node starts one more node on the storage, loaded.
func (r *rig) node(o StoreOptions) *Store {
	r.t.Helper()
	s, err := NewStore(r.options(o))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { s.Close() })
	if err := s.Load(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// follows makes reloads of s that came from change notices countable.
func follows(s *Store) <-chan struct{} {
	c := make(chan struct{}, 1000)
	fn := func() { c <- struct{}{} }
	s.loaded.Store(&fn)
	return c
}

// eventually waits for reloads until ok.
func eventually(t *testing.T, reloads <-chan struct{}, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-reloads:
		case <-time.After(time.Minute):
			t.Fatalf("never: %s", what)
		}
	}
}

func wantKind(t *testing.T, err error, kind fault.Kind, reason string) {
	t.Helper()
	if !fault.Is(err, kind) || fault.ReasonOf(err) != reason {
		t.Errorf("error %v, kind %v, reason %q; want %v, %q", err, fault.Of(err), fault.ReasonOf(err), kind, reason)
	}
}

var ctx = context.Background()

// wantAbsent greps what the driver holds, keys and sealed values.
func (r *rig) wantAbsent(secrets ...string) {
	r.t.Helper()
	for _, st := range []storage.Store{r.inner, r.store} {
		err := st.View(ctx, func(tx storage.ReadTx) error {
			items, err := tx.Scan(nil, nil, 10000)
			for _, it := range items {
				for _, s := range secrets {
					if bytes.Contains(it.Key, []byte(s)) || bytes.Contains(it.Value, []byte(s)) {
						r.t.Errorf("a key stands in clear under %q", it.Key)
					}
				}
			}
			return err
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

package seal_test

import (
	"bytes"
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// A sealed store is a store: it passes the same suite as the driver under it.
func TestSuite(t *testing.T) {
	open := func(t testing.TB, clock *storagetest.Clock) *embedded.Store {
		s, err := embedded.Open(t.TempDir(), embedded.Options{Now: clock.Now, SweepEvery: -1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	t.Run("Wrap", func(t *testing.T) {
		storagetest.Run(t, storagetest.Config{
			Open: func(t testing.TB, clock *storagetest.Clock) storage.Store {
				return seal.Wrap(open(t, clock), seal.NewKeyring(clock.Now()))
			},
			MaxValue: storage.MaxValueSize - seal.Overhead,
		})
	})
	t.Run("Barrier", func(t *testing.T) {
		storagetest.Run(t, storagetest.Config{
			Open: func(t testing.TB, clock *storagetest.Clock) storage.Store {
				b := barrier(t, open(t, clock), seal.Options{Now: clock.Now})
				must(b.Init(ctx, seal.InitOptions{Key: bytes.Repeat([]byte{1}, seal.KeySize)}))(t)
				return b
			},
			MaxValue: storage.MaxValueSize - seal.Overhead,
		})
	})
}

// A driver may run a transaction again; the seal's own must not notice.
func TestTheSealWorksWhenEveryTransactionRunsTwice(t *testing.T) {
	inner := storagetest.Twice(store(t, t.TempDir()))
	b := barrier(t, inner, seal.Options{})
	r := must(b.Init(ctx, seal.InitOptions{Shares: 3, Threshold: 2}))(t)
	for _, s := range r.Shares[:2] {
		must(b.Unseal(ctx, s))(t)
	}
	if err := put(b, "k", "v"); err != nil {
		t.Fatal(err)
	}
	if info := must(b.Rotate(ctx))(t); info.Term != 2 {
		t.Errorf("term %d after one rotation", info.Term)
	}
	r = must(b.Rekey(ctx, r.Shares[1:], seal.InitOptions{Shares: 2, Threshold: 2}))(t)
	b.Seal()
	for _, s := range r.Shares {
		must(b.Unseal(ctx, s))(t)
	}
	if v, err := get(b, "k"); v != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

// silent is a store that gives no notices, so that only the operation under
// test makes calls.
type silent struct{ storage.Store }

func (silent) Watch([]byte, func([][]byte)) (stop func()) { return func() {} }

// Whichever call of the store fails, initializing happens as a whole or not at
// all, and so do the changes of the keys.
func TestNthFailureOfTheSealIsAllOrNothing(t *testing.T) {
	inner := silent{store(t, t.TempDir())}
	key, fresh := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	opens := func(key []byte) bool {
		b, err := seal.Open(ctx, inner, seal.Options{Key: key})
		return err == nil && !b.Sealed()
	}
	storagetest.FailEachCall(t, inner, func(s storage.Store) error {
		b, err := seal.Open(ctx, s, seal.Options{})
		if err != nil {
			return err
		}
		if _, err = b.Init(ctx, seal.InitOptions{Key: key}); fault.Is(err, fault.Invalid) {
			return nil // the failure came after the init was kept
		}
		return err
	}, func(succeeded bool) error {
		if succeeded && !opens(key) {
			t.Error("initialized, but the key does not open it")
		}
		return nil
	})
	b := barrier(t, inner, seal.Options{Key: key})
	if err := put(b, "k", "v"); err != nil {
		t.Fatal(err)
	}
	storagetest.FailEachCall(t, inner, func(s storage.Store) error {
		b, err := seal.Open(ctx, s, seal.Options{Key: key})
		if err != nil {
			return err
		}
		if _, err := b.Rotate(ctx); err != nil {
			return err
		}
		_, err = b.Rekey(ctx, [][]byte{key}, seal.InitOptions{Key: fresh})
		return err
	}, func(succeeded bool) error {
		if opens(key) == succeeded || opens(fresh) != succeeded {
			t.Errorf("succeeded is %v, the old key opens: %v, the new one: %v", succeeded, opens(key), opens(fresh))
		}
		return nil
	})
	if v, err := get(barrier(t, inner, seal.Options{Key: fresh}), "k"); v != "v" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

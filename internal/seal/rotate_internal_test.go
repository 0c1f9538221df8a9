package seal

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
)

func openBarrier(t *testing.T, inner storage.Store) *Barrier {
	t.Helper()
	key := bytes.Repeat([]byte{3}, KeySize)
	b, err := Open(context.Background(), inner, Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if b.Sealed() {
		if _, err := b.Init(context.Background(), InitOptions{Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func openStore(t *testing.T) storage.Store {
	t.Helper()
	s, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSealsAreCountedTogetherAndRotateInTime(t *testing.T) {
	ctx := context.Background()
	inner := openStore(t)
	one, two := openBarrier(t, inner), openBarrier(t, inner)
	count := func(b *Barrier, seals uint64) {
		t.Helper()
		s := b.ring.state.Load()
		s.seals.Add(seals)
		if err := b.count(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	count(one, rotateAfter/2)
	count(two, rotateAfter/4)
	count(one, rotateAfter/8)
	if term := one.ring.Info().Term; term != 1 {
		t.Fatalf("rotated early, to term %d", term)
	}
	count(two, rotateAfter/8) // together that is rotateAfter
	if term := two.ring.Info().Term; term != 2 {
		t.Fatalf("term %d after %d seals", term, rotateAfter)
	}
	count(two, 1) // the new key starts from nothing
	if term := two.ring.Info().Term; term != 2 {
		t.Fatalf("term %d at once", term)
	}
}

func TestABusyBarrierCountsByItself(t *testing.T) {
	b := openBarrier(t, openStore(t))
	counted := make(chan struct{}, 1)
	b.inner.Watch(countAt, func([][]byte) { counted <- struct{}{} })
	b.ring.state.Load().seals.Store(countEvery)
	err := b.Update(context.Background(), func(tx storage.Tx) error { return tx.Put([]byte("k"), nil, time.Time{}) })
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-counted:
	case <-time.After(time.Minute):
		t.Error("nothing was counted")
	}
}

// A value sealed with a key that this node has not heard of yet is opened with
// the keyring from the same snapshot.
func TestAKeyringIsLearntFromTheSnapshot(t *testing.T) {
	ctx := context.Background()
	inner := openStore(t)
	one, two := openBarrier(t, inner), openBarrier(t, inner)
	two.background.stop() // it hears no notices
	if _, err := one.Rotate(ctx); err != nil {
		t.Fatal(err)
	}
	if err := one.Update(ctx, func(tx storage.Tx) error { return tx.Put([]byte("k"), []byte("v"), time.Time{}) }); err != nil {
		t.Fatal(err)
	}
	if term := two.ring.Info().Term; term != 1 {
		t.Fatalf("node two is at term %d already", term)
	}
	if err := two.View(ctx, func(tx storage.ReadTx) error {
		v, err := tx.Get([]byte("k"))
		if string(v) != "v" {
			t.Errorf("got %q", v)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if term := two.ring.Info().Term; term != 2 {
		t.Errorf("node two is at term %d", term)
	}
}

func TestDamagedSealRecordsAreSaidToBe(t *testing.T) {
	ctx := context.Background()
	key := bytes.Repeat([]byte{3}, KeySize)
	for _, at := range [][]byte{configAt, rootAt, keyringAt} {
		for name, harm := range map[string]func(storage.Tx, []byte) error{
			"gone":    func(tx storage.Tx, _ []byte) error { return tx.Delete(at) },
			"altered": func(tx storage.Tx, v []byte) error { v[len(v)/2] ^= 1; return tx.Put(at, v, time.Time{}) },
			"cut":     func(tx storage.Tx, v []byte) error { return tx.Put(at, v[:len(v)/2], time.Time{}) },
			"empty":   func(tx storage.Tx, _ []byte) error { return tx.Put(at, nil, time.Time{}) },
		} {
			inner := openStore(t)
			openBarrier(t, inner)
			if err := inner.Update(ctx, func(tx storage.Tx) error {
				v, err := tx.Get(at)
				if err != nil {
					return err
				}
				return harm(tx, v)
			}); err != nil {
				t.Fatal(err)
			}
			b, err := Open(ctx, inner, Options{Key: key})
			if err == nil && !b.Sealed() {
				t.Errorf("%s %s: unsealed", at, name)
			}
			if err != nil {
				continue
			}
			// What is left is not written over: the old root key may be in a backup.
			if _, err := b.Init(ctx, InitOptions{Key: key}); !errors.Is(err, storage.ErrDamaged) && !errors.Is(err, ErrInitialized) {
				t.Errorf("%s %s: Init: %v", at, name, err)
			}
		}
	}
}

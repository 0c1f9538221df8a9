package storage_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// What owners that are gone have left is removed, all of it and nothing else,
// whichever call of the storage fails on the way.
func TestSweepRemovesWhatNobodyOwns(t *testing.T) {
	s, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := map[string]bool{}
	for _, owner := range []string{"a\xff", "b1", "b2", "c\xff"} {
		for i := range 70 {
			key := "p/" + owner + strings.Repeat("\xff", i+1)
			if err := storagetest.Put(s, key, "v", time.Time{}); err != nil {
				t.Fatal(err)
			}
			if owner == "b2" {
				want[key] = true
			}
		}
	}
	for _, other := range []string{"o", "p", "p0", "q"} {
		want[other] = true
		if err := storagetest.Put(s, other, "v", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	alive := func(_ storage.ReadTx, owner []byte) (bool, error) { return string(owner) == "b2", nil }
	storagetest.FailEachCall(t, s, func(s storage.Store) error {
		return storage.Sweep(t.Context(), s, []byte("p/"), func([]byte) int { return 2 }, alive)
	}, func(bool) error { return nil })
	if err := storage.Sweep(t.Context(), s, []byte("p/"), func([]byte) int { return 0 }, alive); !errors.Is(err, storage.ErrDamaged) {
		t.Error("a key without an owner:", err)
	}
	got := slices.Sorted(maps.Keys(storagetest.Dump(t, s)))
	if !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Errorf("%d keys are left: %q", len(got), got)
	}
}

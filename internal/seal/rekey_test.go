package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal"
)

func TestProveTellsWhetherEnoughRightSharesWereGiven(t *testing.T) {
	b := barrier(t, store(t, t.TempDir()), seal.Options{})
	if err := b.Prove(ctx, [][]byte{bytes.Repeat([]byte{1}, 33)}); !errors.Is(err, seal.ErrNotInitialized) {
		t.Errorf("before init: %v", err)
	}
	r := must(b.Init(ctx, seal.InitOptions{Shares: 3, Threshold: 2}))(t)
	wrong := bytes.Clone(r.Shares[1])
	wrong[0] ^= 1
	for name, c := range map[string]struct {
		shares [][]byte
		right  bool
	}{
		"none":           {nil, false},
		"one of two":     {r.Shares[:1], false},
		"two":            {r.Shares[1:], true},
		"all":            {r.Shares, true},
		"one bit wrong":  {[][]byte{r.Shares[0], wrong}, false},
		"the same twice": {[][]byte{r.Shares[0], r.Shares[0]}, false},
		"cut short":      {[][]byte{r.Shares[0], r.Shares[1][:20]}, false},
	} {
		err := b.Prove(ctx, c.shares)
		if c.right && err != nil || !c.right && !errors.Is(err, seal.ErrWrongKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !b.Sealed() {
		t.Error("a proof unseals")
	}
}

func TestANewUnsealKeyCountsFromItsCommitOn(t *testing.T) {
	b := barrier(t, store(t, t.TempDir()), seal.Options{})
	old := must(b.Init(ctx, seal.InitOptions{Shares: 3, Threshold: 2}))(t).Shares
	if _, err := b.PrepareRekey(ctx, old[:1], seal.InitOptions{Shares: 1, Threshold: 1}); !errors.Is(err, seal.ErrWrongKey) {
		t.Fatalf("too few shares: %v", err)
	}
	first := must(b.PrepareRekey(ctx, old[:2], seal.InitOptions{Shares: 5, Threshold: 3}))(t)
	other := must(b.PrepareRekey(ctx, old[1:], seal.InitOptions{Shares: 1, Threshold: 1}))(t)
	if err := b.Prove(ctx, old[:2]); err != nil {
		t.Errorf("the old shares fail before the commit: %v", err)
	}
	if !first.Opens(first.Shares[2:]) || first.Opens(first.Shares[:2]) || first.Opens(old) || first.Opens(nil) || first.Opens(other.Shares) {
		t.Error("Opens does not tell the new shares from others")
	}
	if err := first.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.Prove(ctx, old); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("the old shares after the commit: %v", err)
	}
	if err := b.Prove(ctx, first.Shares[:3]); err != nil {
		t.Errorf("the new shares after the commit: %v", err)
	}
	for name, late := range map[string]*seal.NewUnsealKey{"one made before": other, "the same again": first} {
		if err := late.Commit(ctx); !errors.Is(err, seal.ErrRekeyed) || fault.Of(err) != fault.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := b.Prove(ctx, first.Shares[2:]); err != nil {
		t.Errorf("after the refusals: %v", err)
	}
}

func TestSharesAreKeptOnceAndOverwritten(t *testing.T) {
	var s seal.Shares
	share := bytes.Repeat([]byte{7}, 33)
	for range 2 {
		if err := s.Add(share); err != nil {
			t.Fatal(err)
		}
	}
	if s.Len() != 1 || &s.List()[0][0] == &share[0] {
		t.Errorf("%d shares, or the caller's own memory", s.Len())
	}
	for _, n := range []int{0, 15, 34, 1 << 20} {
		if err := s.Add(make([]byte, n)); fault.Of(err) != fault.Invalid {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	kept := s.List()[0]
	s.Clear()
	if s.Len() != 0 || !bytes.Equal(kept, make([]byte, 33)) || share[0] != 7 {
		t.Error("Clear leaves a share in memory, or clears the caller's")
	}
}

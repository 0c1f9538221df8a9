package seal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
)

var ctx = context.Background()

func store(t testing.TB, dir string) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(dir, embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func barrier(t testing.TB, inner storage.Store, o seal.Options) *seal.Barrier {
	t.Helper()
	b, err := seal.Open(ctx, inner, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func put(s storage.Store, key, value string) error {
	return s.Update(ctx, func(tx storage.Tx) error { return tx.Put([]byte(key), []byte(value), time.Time{}) })
}

func get(s storage.Store, key string) (string, error) {
	var out []byte
	err := s.View(ctx, func(tx storage.ReadTx) (err error) {
		out, err = tx.Get([]byte(key))
		return err
	})
	return string(out), err
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestNothingIsReadableOrWritableWhileSealed(t *testing.T) {
	b := barrier(t, store(t, t.TempDir()), seal.Options{})
	check := func(when string) {
		t.Helper()
		if _, err := get(b, "k"); !errors.Is(err, seal.ErrSealed) {
			t.Errorf("%s: View: %v", when, err)
		}
		err := put(b, "k", "v")
		if !errors.Is(err, seal.ErrSealed) || fault.Of(err) != fault.Unavailable || fault.PublicText(err) != "Vault is sealed" {
			t.Errorf("%s: Update: %v", when, err)
		}
	}
	check("before init")
	r := must(b.Init(ctx, seal.InitOptions{Shares: 3, Threshold: 2}))(t)
	check("after init")
	must(b.Unseal(ctx, r.Shares[0]))(t)
	check("after one of two shares")
	must(b.Unseal(ctx, r.Shares[2]))(t)
	if err := put(b, "k", "v"); err != nil {
		t.Fatal(err)
	}
	b.Seal()
	check("after Seal")
}

func TestSealStopsARunningTransaction(t *testing.T) {
	b := barrier(t, store(t, t.TempDir()), seal.Options{})
	must(b.Init(ctx, seal.InitOptions{Key: bytes.Repeat([]byte{1}, 32)}))(t)
	err := b.Update(ctx, func(tx storage.Tx) error {
		b.Seal()
		return tx.Put([]byte("k"), []byte("v"), time.Time{})
	})
	if !errors.Is(err, seal.ErrSealed) {
		t.Fatalf("got %v", err)
	}
}

func TestUnsealCountsDifferentSharesAndKeepsTheNonce(t *testing.T) {
	b := barrier(t, store(t, t.TempDir()), seal.Options{})
	if _, err := b.Unseal(ctx, make([]byte, 33)); !errors.Is(err, seal.ErrNotInitialized) {
		t.Fatalf("before init: %v", err)
	}
	r := must(b.Init(ctx, seal.InitOptions{Shares: 5, Threshold: 3}))(t)
	if len(r.Shares) != 5 || len(r.Shares[0]) != 33 {
		t.Fatalf("%d shares of %d bytes", len(r.Shares), len(r.Shares[0]))
	}
	first := must(b.Unseal(ctx, r.Shares[0]))(t)
	again := must(b.Unseal(ctx, r.Shares[0]))(t)
	second := must(b.Unseal(ctx, r.Shares[1]))(t)
	if first.Progress != 1 || again.Progress != 1 || second.Progress != 2 {
		t.Errorf("progress %d, %d, %d", first.Progress, again.Progress, second.Progress)
	}
	if len(first.Nonce) != 36 || first.Nonce != second.Nonce {
		t.Errorf("nonces %q, %q", first.Nonce, second.Nonce)
	}
	reset := must(b.ResetUnseal(ctx))(t)
	if reset.Progress != 0 || reset.Nonce != "" || !reset.Sealed {
		t.Errorf("after reset: %+v", reset)
	}
	for _, s := range r.Shares[2:] {
		second = must(b.Unseal(ctx, s))(t)
	}
	if second.Sealed || second.Shares != 5 || second.Threshold != 3 || second.Progress != 0 {
		t.Errorf("after three shares: %+v", second)
	}
}

func TestWrongSharesLoseNothing(t *testing.T) {
	dir := t.TempDir()
	b := barrier(t, store(t, dir), seal.Options{})
	r := must(b.Init(ctx, seal.InitOptions{Shares: 2, Threshold: 2}))(t)
	other := barrier(t, store(t, t.TempDir()), seal.Options{})
	foreign := must(other.Init(ctx, seal.InitOptions{Shares: 2, Threshold: 2}))(t)
	for name, pair := range map[string][2][]byte{
		"foreign":        {foreign.Shares[0], foreign.Shares[1]},
		"one foreign":    {r.Shares[0], foreign.Shares[1]},
		"other lengths":  {r.Shares[0], r.Shares[1][:20]},
		"same x":         {r.Shares[0], append(bytes.Repeat([]byte{9}, 32), r.Shares[0][32])},
		"number 0":       {r.Shares[0], make([]byte, 33)},
		"too short both": {r.Shares[0][:16], r.Shares[1][:16]},
	} {
		must(b.ResetUnseal(ctx))(t)
		must(b.Unseal(ctx, pair[0]))(t)
		if _, err := b.Unseal(ctx, pair[1]); !errors.Is(err, seal.ErrWrongKey) {
			t.Errorf("%s: %v", name, err)
		}
		if s := must(b.Status(ctx))(t); s.Progress != 0 || !s.Sealed {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for _, s := range r.Shares {
		must(b.Unseal(ctx, s))(t)
	}
	if b.Sealed() {
		t.Error("the right shares no longer unseal")
	}
}

func TestUnsealRefusesSharesOfImpossibleSize(t *testing.T) {
	b := barrier(t, store(t, t.TempDir()), seal.Options{})
	must(b.Init(ctx, seal.InitOptions{Shares: 2, Threshold: 2}))(t)
	for _, n := range []int{0, 15, 34, 1 << 20} {
		if _, err := b.Unseal(ctx, make([]byte, n)); fault.Of(err) != fault.Invalid {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if s := must(b.Status(ctx))(t); s.Progress != 0 {
		t.Errorf("%+v", s)
	}
}

func TestOneShareIsTheKeyItself(t *testing.T) {
	b := barrier(t, store(t, t.TempDir()), seal.Options{})
	r := must(b.Init(ctx, seal.InitOptions{Shares: 1, Threshold: 1}))(t)
	if len(r.Shares) != 1 || len(r.Shares[0]) != 32 {
		t.Fatalf("%v", r)
	}
	if s := must(b.Unseal(ctx, r.Shares[0]))(t); s.Sealed {
		t.Fatal("still sealed")
	}
}

func TestInitRefusesImpossibleSharesInTheReferencesWords(t *testing.T) {
	b := barrier(t, store(t, t.TempDir()), seal.Options{})
	for _, c := range []struct {
		shares, threshold int
		want              string
	}{
		{0, 0, "shares must be at least one"},
		{-1, 1, "shares must be at least one"},
		{3, 0, "threshold must be at least one"},
		{3, 1, "threshold must be greater than one for multiple shares"},
		{3, 4, "threshold cannot be larger than shares"},
		{256, 2, "shares must be less than 256"},
	} {
		_, err := b.Init(ctx, seal.InitOptions{Shares: c.shares, Threshold: c.threshold})
		if fault.Of(err) != fault.Invalid || fault.PublicText(err) != c.want {
			t.Errorf("%d of %d: %v", c.threshold, c.shares, err)
		}
	}
	if _, err := b.Init(ctx, seal.InitOptions{Key: make([]byte, 31)}); fault.Of(err) != fault.Invalid {
		t.Errorf("short key: %v", err)
	}
	if s := must(b.Status(ctx))(t); s.Initialized || !s.Sealed {
		t.Errorf("%+v", s)
	}
}

func TestOnlyOneInitWins(t *testing.T) {
	inner := store(t, t.TempDir())
	var wg sync.WaitGroup
	results := make([]seal.InitResult, 8)
	for i := range results {
		b := barrier(t, inner, seal.Options{})
		wg.Go(func() {
			r, err := b.Init(ctx, seal.InitOptions{Shares: 1, Threshold: 1})
			if err != nil && !errors.Is(err, seal.ErrInitialized) {
				t.Error(err)
			}
			results[i] = r
		})
	}
	wg.Wait()
	won := 0
	for _, r := range results {
		if r.Shares == nil {
			continue
		}
		won++
		if s := must(barrier(t, inner, seal.Options{}).Unseal(ctx, r.Shares[0]))(t); s.Sealed {
			t.Error("the winner's share does not unseal")
		}
	}
	if won != 1 {
		t.Fatalf("%d initializations won", won)
	}
}

func TestANodeWithTheKeyUnsealsItself(t *testing.T) {
	dir := t.TempDir()
	inner := store(t, dir)
	key := bytes.Repeat([]byte{7}, 32)
	b := barrier(t, inner, seal.Options{Key: key})
	if !b.Sealed() {
		t.Fatal("unsealed before init")
	}
	must(b.Init(ctx, seal.InitOptions{Key: key}))(t)
	if err := put(b, "k", "v"); err != nil {
		t.Fatal(err)
	}
	name := b.Keyring().HMAC("token", []byte("x"))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	inner = store(t, dir)
	if _, err := seal.Open(ctx, inner, seal.Options{Key: bytes.Repeat([]byte{8}, 32)}); !errors.Is(err, seal.ErrWrongKey) {
		t.Fatalf("wrong key: %v", err)
	}
	b = barrier(t, inner, seal.Options{Key: key})
	if v, err := get(b, "k"); v != "v" || err != nil {
		t.Fatalf("%q, %v", v, err)
	}
	if !bytes.Equal(name, b.Keyring().HMAC("token", []byte("x"))) {
		t.Error("names changed with the restart")
	}
	if s := must(b.Status(ctx))(t); s.Type != seal.TypeKey || s.Sealed || s.Shares != 1 {
		t.Errorf("%+v", s)
	}
}

func TestAKeyForAShamirStoreIsRefused(t *testing.T) {
	inner := store(t, t.TempDir())
	must(barrier(t, inner, seal.Options{}).Init(ctx, seal.InitOptions{Shares: 3, Threshold: 2}))(t)
	if _, err := seal.Open(ctx, inner, seal.Options{Key: make([]byte, 32)}); fault.Of(err) != fault.Invalid {
		t.Fatalf("got %v", err)
	}
}

func TestRotationKeepsOldValuesReadableOnEveryNode(t *testing.T) {
	inner := store(t, t.TempDir())
	key := bytes.Repeat([]byte{7}, 32)
	one := barrier(t, inner, seal.Options{})
	must(one.Init(ctx, seal.InitOptions{Key: key}))(t)
	two := barrier(t, inner, seal.Options{Key: key})
	if err := put(one, "old", "1"); err != nil {
		t.Fatal(err)
	}
	batch := one.Keyring().Seal("batch", nil, []byte("b"))
	info := must(one.Rotate(ctx))(t)
	if info.Term != 2 {
		t.Fatalf("term %d", info.Term)
	}
	if err := put(one, "new", "2"); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*seal.Barrier{one, two} {
		for k, want := range map[string]string{"old": "1", "new": "2"} {
			if v, err := get(b, k); v != want || err != nil {
				t.Errorf("%s: %q, %v", k, v, err)
			}
		}
		if v, err := b.Keyring().Open("batch", nil, batch); string(v) != "b" || err != nil {
			t.Errorf("batch: %q, %v", v, err)
		}
	}
	if got := two.Keyring().Info().Term; got != 2 {
		t.Errorf("node two is at term %d", got)
	}
	if !bytes.Equal(one.Keyring().HMAC("p", nil), two.Keyring().HMAC("p", nil)) {
		t.Error("nodes disagree about names")
	}
}

func TestRotateNeedsAnUnsealedBarrier(t *testing.T) {
	b := barrier(t, store(t, t.TempDir()), seal.Options{})
	if _, err := b.Rotate(ctx); !errors.Is(err, seal.ErrSealed) {
		t.Fatal(err)
	}
}

func TestRekeyRetiresTheOldShares(t *testing.T) {
	inner := store(t, t.TempDir())
	b := barrier(t, inner, seal.Options{})
	old := must(b.Init(ctx, seal.InitOptions{Shares: 3, Threshold: 2}))(t)
	if _, err := b.Rekey(ctx, old.Shares[:1], seal.InitOptions{Shares: 5, Threshold: 3}); !errors.Is(err, seal.ErrWrongKey) {
		t.Fatalf("one of two shares was enough: %v", err)
	}
	fresh := must(b.Rekey(ctx, old.Shares[1:], seal.InitOptions{Shares: 5, Threshold: 3}))(t)
	must(b.Unseal(ctx, old.Shares[0]))(t)
	must(b.Unseal(ctx, old.Shares[1]))(t)
	if _, err := b.Unseal(ctx, old.Shares[2]); !errors.Is(err, seal.ErrWrongKey) {
		t.Fatalf("old shares: %v", err)
	}
	for _, s := range fresh.Shares[:3] {
		must(b.Unseal(ctx, s))(t)
	}
	if b.Sealed() {
		t.Fatal("new shares do not unseal")
	}
}

func TestASealedKeyringMatchesNothing(t *testing.T) {
	b := barrier(t, store(t, t.TempDir()), seal.Options{})
	k := b.Keyring()
	if bytes.Equal(k.HMAC("p", nil), k.HMAC("p", nil)) {
		t.Error("HMAC is guessable while sealed")
	}
	sealed := k.Seal("p", nil, []byte("x"))
	if _, err := k.Open("p", nil, sealed); !errors.Is(err, seal.ErrSealed) {
		t.Errorf("Open: %v", err)
	}
	must(b.Init(ctx, seal.InitOptions{Key: make([]byte, 32)}))(t)
	if _, err := k.Open("p", nil, sealed); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("sealed while sealed, opened later: %v", err)
	}
}

func TestNoSecretIsInTheFilesInClear(t *testing.T) {
	dir := t.TempDir()
	inner := store(t, dir)
	key := []byte("unseal-key-unseal-key-unseal-key")
	b := barrier(t, inner, seal.Options{})
	must(b.Init(ctx, seal.InitOptions{Key: key}))(t)
	for i := range 50 {
		if err := put(b, fmt.Sprintf("k%d", i), "needle-in-the-haystack"); err != nil {
			t.Fatal(err)
		}
	}
	must(b.Rotate(ctx))(t)
	var copied bytes.Buffer
	if err := b.Snapshot(ctx, func(int64) (io.Writer, error) { return &copied, nil }); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	files := must(os.ReadDir(dir))(t)
	for _, f := range files {
		raw := must(os.ReadFile(filepath.Join(dir, f.Name())))(t)
		for _, secret := range []string{"needle", "unseal-key"} {
			if bytes.Contains(raw, []byte(secret)) || bytes.Contains(copied.Bytes(), []byte(secret)) {
				t.Errorf("%s holds %q", f.Name(), secret)
			}
		}
		if !bytes.Contains(raw, []byte("k49")) {
			t.Errorf("%s: the search does not see the file's content", f.Name())
		}
	}
}

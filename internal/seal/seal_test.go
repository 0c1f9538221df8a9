package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestAValueMovedToAnotherKeyDoesNotOpen(t *testing.T) {
	inner := store(t, t.TempDir())
	s := seal.Wrap(inner, seal.NewKeyring(t0))
	if err := put(s, "alice/balance", "1"); err != nil {
		t.Fatal(err)
	}
	raw := must(get(inner, "alice/balance"))(t)
	if err := put(inner, "bob/balance", raw); err != nil {
		t.Fatal(err)
	}
	if _, err := get(s, "bob/balance"); !errors.Is(err, seal.ErrOpen) {
		t.Fatalf("got %v", err)
	}
	if err := s.View(ctx, func(tx storage.ReadTx) error {
		_, err := tx.Scan([]byte("bob/"), nil, 1)
		return err
	}); !errors.Is(err, seal.ErrOpen) {
		t.Fatalf("scan: %v", err)
	}
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	inner := store(t, t.TempDir())
	s := seal.Wrap(inner, seal.NewKeyring(t0))
	if err := put(s, "k", "value"); err != nil {
		t.Fatal(err)
	}
	raw := must(get(inner, "k"))(t)
	for i := range raw {
		bad := []byte(raw)
		bad[i] ^= 1
		if err := put(inner, "k", string(bad)); err != nil {
			t.Fatal(err)
		}
		if v, err := get(s, "k"); err == nil {
			t.Fatalf("byte %d flipped, read %q", i, v)
		}
	}
	for n := range len(raw) {
		if err := put(inner, "k", raw[:n]); err != nil {
			t.Fatal(err)
		}
		if _, err := get(s, "k"); !errors.Is(err, seal.ErrOpen) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestAnotherKeyringOpensNothing(t *testing.T) {
	inner := store(t, t.TempDir())
	if err := put(seal.Wrap(inner, seal.NewKeyring(t0)), "k", "v"); err != nil {
		t.Fatal(err)
	}
	if _, err := get(seal.Wrap(inner, seal.NewKeyring(t0)), "k"); !errors.Is(err, seal.ErrOpen) {
		t.Fatalf("got %v", err)
	}
}

func TestReservedKeysAreOutOfReach(t *testing.T) {
	inner := store(t, t.TempDir())
	b := barrier(t, inner, seal.Options{})
	must(b.Init(ctx, seal.InitOptions{Key: make([]byte, 32)}))(t)
	if _, err := get(b, "\x00seal/root"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if err := put(b, "\x00seal/root", "x"); !errors.Is(err, seal.ErrReserved) {
		t.Errorf("Put: %v", err)
	}
	if err := b.Update(ctx, func(tx storage.Tx) error { return tx.Delete([]byte("\x00seal/root")) }); !errors.Is(err, seal.ErrReserved) {
		t.Errorf("Delete: %v", err)
	}
	if err := put(b, "\x01", "x"); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"", "\x00", "\x00seal/"} {
		for _, after := range [][]byte{nil, {}, {0}, []byte("\x00seal/a")} {
			err := b.View(ctx, func(tx storage.ReadTx) error {
				items, err := tx.Scan([]byte(prefix), after, 100)
				for _, i := range items {
					if i.Key[0] == 0 {
						t.Errorf("Scan(%q, %q) shows %q", prefix, after, i.Key)
					}
				}
				if prefix == "" && len(items) != 1 {
					t.Errorf("Scan(%q, %q) gave %d items", prefix, after, len(items))
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
}

func TestLargestValueFitsAndOneMoreByteDoesNot(t *testing.T) {
	s := seal.Wrap(store(t, t.TempDir()), seal.NewKeyring(t0))
	if err := put(s, "k", string(make([]byte, storage.MaxValueSize-seal.Overhead))); err != nil {
		t.Fatal(err)
	}
	if err := put(s, "k", string(make([]byte, storage.MaxValueSize-seal.Overhead+1))); !errors.Is(err, storage.ErrTooLarge) {
		t.Fatal(err)
	}
}

func TestHMACDependsOnPurposeAndKeyring(t *testing.T) {
	a, b := seal.NewKeyring(t0), seal.NewKeyring(t0)
	x := a.HMAC("token", []byte("v"))
	if len(x) != 32 || !bytes.Equal(x, a.HMAC("token", []byte("v"))) {
		t.Error("not 32 stable bytes")
	}
	for name, y := range map[string][]byte{
		"purpose": a.HMAC("accessor", []byte("v")), "data": a.HMAC("token", []byte("w")), "keyring": b.HMAC("token", []byte("v")),
	} {
		if bytes.Equal(x, y) {
			t.Errorf("the %s makes no difference", name)
		}
	}
}

func TestSealedBytesOpenOnlyForTheirPurposeAndData(t *testing.T) {
	k := seal.NewKeyring(t0)
	s := k.Seal("batch", []byte("aad"), []byte("claims"))
	if v, err := k.Open("batch", []byte("aad"), s); string(v) != "claims" || err != nil {
		t.Fatalf("%q, %v", v, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"other purpose": func() ([]byte, error) { return k.Open("wrap", []byte("aad"), s) },
		"other aad":     func() ([]byte, error) { return k.Open("batch", []byte("bad"), s) },
		"other keyring": func() ([]byte, error) { return seal.NewKeyring(t0).Open("batch", []byte("aad"), s) },
		"cut":           func() ([]byte, error) { return k.Open("batch", []byte("aad"), s[:len(s)-1]) },
		"empty":         func() ([]byte, error) { return k.Open("batch", []byte("aad"), nil) },
	} {
		if _, err := open(); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyFileIsReadOnlyWhenNobodyElseCan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	key := must(seal.CreateKeyFile(path))(t)
	if got := must(seal.ReadKeyFile(path))(t); !bytes.Equal(got, key) {
		t.Error("another key came back")
	}
	if info := must(os.Stat(path))(t); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	if _, err := seal.CreateKeyFile(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a key file was replaced: %v", err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.ReadKeyFile(path); fault.Of(err) != fault.Invalid {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestParseKeyTakesRawAndBase64(t *testing.T) {
	key := bytes.Repeat([]byte{0xfb, 0xff}, 16)
	for name, text := range map[string]string{
		"raw": string(key), "std": base64.StdEncoding.EncodeToString(key), "url": base64.URLEncoding.EncodeToString(key),
		"unpadded": base64.RawStdEncoding.EncodeToString(key), "newline": base64.StdEncoding.EncodeToString(key) + "\n",
	} {
		if got, err := seal.ParseKey([]byte(text)); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{
		"empty": "", "31 bytes": string(key[:31]), "33 bytes": string(key) + "x",
		"hex": "fbfffbfffbfffbfffbfffbfffbfffbfffbfffbfffbfffbfffbfffbfffbfffbff", "short base64": "AAAA", "words": "correct horse battery staple",
	} {
		if _, err := seal.ParseKey([]byte(text)); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyFromEnvironmentLeavesNothingBehind(t *testing.T) {
	const name = "JOTGATE_TEST_UNSEAL_KEY"
	if key, err := seal.KeyFromEnvironment(name); key != nil || err != nil {
		t.Fatalf("unset: %v, %v", key, err)
	}
	t.Setenv(name, base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if key, err := seal.KeyFromEnvironment(name); len(key) != 32 || err != nil {
		t.Fatalf("%v, %v", key, err)
	}
	if _, ok := os.LookupEnv(name); ok {
		t.Error("the key is still in the environment")
	}
	t.Setenv(name, "nonsense-secret")
	if _, err := seal.KeyFromEnvironment(name); err == nil || bytes.Contains([]byte(err.Error()), []byte("nonsense")) {
		t.Errorf("got %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	k := seal.NewKeyring(t0)
	f.Add(k.Seal("p", []byte("aad"), []byte("text")))
	f.Add([]byte{1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, err := k.Open("p", []byte("other aad"), data); err == nil {
			t.Fatalf("opened %q", v)
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	k := seal.NewKeyring(t0)
	value, aad := make([]byte, 1024), []byte("secret/data/path")
	sealed := k.Seal("p", aad, value)
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.Seal("p", aad, value)
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := k.Open("p", aad, sealed); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hmac", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.HMAC("p", aad)
		}
	})
}

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/jotgate/jotgate/internal/storage"
)

func TestDirectoryAndFileAreClosedToOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, dir, Options{})
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	file := filepath.Join(dir, FileName)
	if mode(dir) != 0o700 || mode(file) != 0o600 {
		t.Errorf("modes %o and %o", mode(dir), mode(file))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Options{})
	if mode(file) != 0o600 {
		t.Errorf("mode %o after opening a loose file", mode(file))
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestManyOpenersOfANewDirectoryGetOneStore(t *testing.T) {
	dir := t.TempDir()
	results := make(chan error, 8)
	for range cap(results) {
		go func() {
			_, err := Open(dir, Options{SweepEvery: -1}) // kept open
			results <- err
		}()
	}
	opened := 0
	for range cap(results) {
		switch err := <-results; {
		case err == nil:
			opened++
		case !errors.Is(err, storage.ErrInUse):
			t.Error(err)
		}
	}
	if opened != 1 {
		t.Errorf("%d openers got the store", opened)
	}
}

func full(t *testing.T) (dir string, raw []byte) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir, Options{SweepEvery: -1})
	if err := s.Update(context.Background(), func(tx storage.Tx) error {
		for i := range 2000 {
			if err := tx.Put(fmt.Appendf(nil, "k/%04d", i), bytes.Repeat([]byte{byte(i)}, 300), time.Now().Add(time.Hour)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	tx, err := s.db.Begin(false)
	if err != nil {
		t.Fatal(err)
	}
	used := tx.Size() // the rest of the file is room to grow
	if err := errors.Join(tx.Rollback(), s.Close()); err != nil {
		t.Fatal(err)
	}
	raw, err = os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	return dir, raw[:used]
}

func TestDamagedFilesAreRefused(t *testing.T) {
	dir, raw := full(t)
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	db, err := bolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty":         {},
		"a few bytes":   []byte("hello"),
		"text":          bytes.Repeat([]byte("not a database\n"), 10_000),
		"zeros":         make([]byte, len(raw)),
		"one page":      raw[:4096],
		"meta only":     raw[:8192],
		"half":          raw[:len(raw)/2],
		"foreign bbolt": other,
	} {
		path := filepath.Join(dir, FileName)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, Options{})
		if !errors.Is(err, storage.ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// None of them kept the lock.
	if err := os.WriteFile(filepath.Join(dir, FileName), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Options{})
}

// Damage inside must never be a crash or an endless loop. Values are not
// compared: that they are sealed is what protects them.
func TestDamageInsideIsAnErrorAtMost(t *testing.T) {
	dir, raw := full(t)
	random := rand.New(rand.NewSource(1)) //nolint:gosec // reproducible
	for range 200 {
		bad := bytes.Clone(raw)
		page := random.Intn(len(raw)/4096-2) + 2
		switch random.Intn(3) {
		case 0:
			bad[page*4096+random.Intn(64)] ^= 1 << random.Intn(8)
		case 1:
			clear(bad[page*4096 : (page+1)*4096])
		default:
			for i := range 64 {
				bad[page*4096+i] = byte(random.Int())
			}
		}
		if err := os.WriteFile(filepath.Join(dir, FileName), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, Options{SweepEvery: -1})
		if err != nil {
			if !errors.Is(err, storage.ErrDamaged) {
				t.Fatalf("page %d: %v", page, err)
			}
			continue
		}
		for i := 0; i < 2000; i += 100 {
			if _, err := get(s, fmt.Sprintf("k/%04d", i)); err != nil && !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrDamaged) {
				t.Fatalf("page %d: %v", page, err)
			}
		}
		err = put(s, "k/new", "v", time.Time{})
		if err != nil && !errors.Is(err, storage.ErrDamaged) && !errors.Is(err, storage.ErrFailed) {
			t.Fatalf("page %d: Update: %v", page, err)
		}
		_ = s.Close()
	}
}

func TestAFileCutShortUnderTheStoreIsAnError(t *testing.T) {
	dir, _ := full(t)
	s := open(t, dir, Options{SweepEvery: -1})
	if err := os.Truncate(filepath.Join(dir, FileName), 16384); err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for i := range 2000 {
		if _, err := get(s, fmt.Sprintf("k/%04d", i)); errors.Is(err, storage.ErrDamaged) {
			damaged++
		}
	}
	if damaged == 0 {
		t.Error("no read noticed")
	}
}

func TestSnapshotIsAStore(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	if err := put(s, "k", "v", time.Time{}); err != nil {
		t.Fatal(err)
	}
	var copied bytes.Buffer
	if err := s.Snapshot(context.Background(), into(&copied)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("no room")
	if err := s.Snapshot(context.Background(), func(size int64) (io.Writer, error) {
		if size != int64(copied.Len()) {
			t.Errorf("%d bytes are announced, and %d were written", size, copied.Len())
		}
		return nil, refused
	}); !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
	if v, err := get(open(t, dir, Options{}), "k"); v != "v" || err != nil {
		t.Fatalf("%q, %v", v, err)
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// into takes a snapshot of any size.
func into(w io.Writer) func(int64) (io.Writer, error) {
	return func(int64) (io.Writer, error) { return w, nil }
}

// stuck is a reader of a snapshot that has stopped reading.
type stuck struct{ entered, release chan struct{} }

func (w *stuck) Write(p []byte) (int, error) {
	select {
	case w.entered <- struct{}{}:
	default:
	}
	<-w.release
	return len(p), nil
}

func TestASlowSnapshotHoldsNobodyUp(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	w := &stuck{make(chan struct{}, 1), make(chan struct{})}
	done := make(chan error)
	go func() { done <- s.Snapshot(context.Background(), into(w)) }()
	<-w.entered
	if n := s.db.Stats().OpenTxN; n != 0 {
		t.Errorf("%d transactions are open while the reader sleeps", n)
	}
	if err := put(s, "k", "v", time.Time{}); err != nil {
		t.Error(err)
	}
	close(w.release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSnapshotEndsWithItsCaller(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	ctx, cancel := context.WithCancel(context.Background())
	err := s.Snapshot(ctx, into(writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestTheSweeperRunsByItself(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: time.Millisecond})
	if err := put(s, "k", "v", time.Now().Add(20*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for left := 1; left > 0; {
		err := s.db.View(func(tx *bolt.Tx) error { left = tx.Bucket(bucketExpiry).Stats().KeyN; return nil })
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%d keys are left, %v", left, err)
		}
		time.Sleep(time.Millisecond)
	}
	checkIndex(t, s)
}

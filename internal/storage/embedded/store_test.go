package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

func open(tb testing.TB, dir string, o Options) *Store {
	tb.Helper()
	s, err := Open(dir, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func put(s storage.Store, key, value string, expires time.Time) error {
	return s.Update(context.Background(), func(tx storage.Tx) error { return tx.Put([]byte(key), []byte(value), expires) })
}

func get(s storage.Store, key string) (string, error) {
	var out []byte
	err := s.View(context.Background(), func(tx storage.ReadTx) (err error) {
		out, err = tx.Get([]byte(key))
		return err
	})
	return string(out), err
}

func TestConcurrentUpdatesAllSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 20 {
				if err := put(s, fmt.Sprintf("k/%d/%d", w, i), "v", time.Time{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{})
	for w := range 16 {
		for i := range 20 {
			if _, err := get(s, fmt.Sprintf("k/%d/%d", w, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSecondOpenIsRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Options{})
	begin := time.Now()
	_, err := Open(dir, Options{})
	if !errors.Is(err, storage.ErrInUse) {
		t.Fatalf("got %v, want ErrInUse", err)
	}
	if d := time.Since(begin); d > time.Minute {
		t.Fatalf("took %v", d)
	}
}

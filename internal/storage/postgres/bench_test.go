package postgres

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/postgres/pgtest"
)

// BenchmarkPut writes 1 kB under new keys: through the store, and through pgx
// alone with one upsert for each. The test server does not sync.
func BenchmarkPut(b *testing.B) {
	s := open(b, pgtest.DSN(b), Options{PollEvery: time.Hour})
	value := make([]byte, 1024)
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprintf("store/writers=%d", writers), func(b *testing.B) {
			spread(b, writers, func(key []byte) error {
				return s.Update(ctx, func(tx storage.Tx) error { return tx.Put(key, value, time.Time{}) })
			})
		})
		b.Run(fmt.Sprintf("pgx/writers=%d", writers), func(b *testing.B) {
			spread(b, writers, func(key []byte) error {
				_, err := s.pool.Exec(ctx, upsert, key, value, nil)
				return err
			})
		})
	}
}

// BenchmarkReadModifyWrite reads and writes one of many keys.
func BenchmarkReadModifyWrite(b *testing.B) {
	s := open(b, pgtest.DSN(b), Options{PollEvery: time.Hour})
	value := make([]byte, 1024)
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			spread(b, writers, func(key []byte) error {
				return s.Update(ctx, func(tx storage.Tx) error {
					_, _ = tx.Get(key)
					return tx.Put(key, value, time.Time{})
				})
			})
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s := open(b, pgtest.DSN(b), Options{PollEvery: time.Hour})
	if err := put(s, "k", time.Time{}); err != nil {
		b.Fatal(err)
	}
	b.Run("store", func(b *testing.B) {
		for b.Loop() {
			if err := s.View(ctx, func(tx storage.ReadTx) error { _, err := tx.Get([]byte("k")); return err }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pgx", func(b *testing.B) {
		for b.Loop() {
			var v []byte
			if err := s.pool.QueryRow(ctx, selectOne, []byte("k"), 1).Scan(&v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

var serial atomic.Int64

// spread shares b.N writes among the writers.
func spread(b *testing.B, writers int, write func(key []byte) error) {
	b.Helper()
	next := make(chan int)
	var wg sync.WaitGroup
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for range next {
				n := serial.Add(1)
				if err := write(fmt.Appendf(nil, "secret/data/%032d", n*7919%1000003)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range b.N {
		next <- i
	}
	close(next)
	wg.Wait()
}

//go:build unix

package embedded

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/jotgate/jotgate/internal/storage"
)

// BenchmarkPut writes 1 kB under new keys, each write durable on return:
// through the store, and through bbolt alone with one transaction for each.
func BenchmarkPut(b *testing.B) {
	value := make([]byte, 1024)
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprintf("store/writers=%d", writers), func(b *testing.B) {
			s := open(b, b.TempDir(), Options{})
			spread(b, writers, func(key []byte) error {
				return s.Update(context.Background(), func(tx storage.Tx) error { return tx.Put(key, value, time.Time{}) })
			})
		})
		b.Run(fmt.Sprintf("bbolt/writers=%d", writers), func(b *testing.B) {
			db, err := bolt.Open(filepath.Join(b.TempDir(), "raw.db"), 0o600, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = db.Close() })
			spread(b, writers, func(key []byte) error {
				return db.Update(func(tx *bolt.Tx) error {
					bucket, err := tx.CreateBucketIfNotExists([]byte("b"))
					if err != nil {
						return err
					}
					return bucket.Put(key, value)
				})
			})
		})
	}
}

// spread shares b.N writes among the writers and reports CPU time for each.
func spread(b *testing.B, writers int, write func(key []byte) error) {
	next := make(chan int)
	var wg sync.WaitGroup
	before := cpuTime(b)
	b.ReportAllocs()
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for i := range next {
				if err := write(fmt.Appendf(nil, "secret/data/%032d", i*7919%1000003)); err != nil {
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
	b.StopTimer()
	b.ReportMetric(float64(cpuTime(b)-before)/1e3/float64(b.N), "cpu-µs/op")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkGet(b *testing.B) {
	s := open(b, b.TempDir(), Options{})
	if err := put(s, "secret/data/x", string(make([]byte, 1024)), time.Time{}); err != nil {
		b.Fatal(err)
	}
	key := []byte("secret/data/x")
	b.ReportAllocs()
	for b.Loop() {
		if err := s.View(context.Background(), func(tx storage.ReadTx) error { _, err := tx.Get(key); return err }); err != nil {
			b.Fatal(err)
		}
	}
}

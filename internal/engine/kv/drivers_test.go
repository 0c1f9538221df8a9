package kv_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/postgres"
	"github.com/jotgate/jotgate/internal/storage/postgres/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// onEachDriver runs a test on both storage drivers.
func onEachDriver(t *testing.T, test func(*testing.T, *bench)) {
	t.Run("embedded", func(t *testing.T) { test(t, newBench(t)) })
	t.Run("postgres", func(t *testing.T) {
		dsn := pgtest.DSN(t)
		test(t, benchOn(t, func(now func() time.Time) (storage.Store, error) {
			return postgres.Open(t.Context(), dsn, postgres.Options{Now: now, SweepEvery: -1, Timeout: time.Minute})
		}))
	})
}

func TestOneWriterWinsEachVersion(t *testing.T) {
	onEachDriver(t, func(t *testing.T, b *bench) {
		const writers, rounds = 6, 5
		for round := range uint64(rounds) {
			var won atomic.Int32
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					_, err := b.write("a", fmt.Sprintf(`{"round":%d}`, round), round)
					switch {
					case err == nil:
						won.Add(1)
					case !fault.Is(err, fault.Invalid):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("%d writers won version %d", won.Load(), round+1)
			}
		}
		m, err := b.metadata("a")
		b.must(err)
		if m.Current != rounds || len(m.Versions) != rounds {
			t.Errorf("%+v", m)
		}
	})
}

func TestConcurrentWritesAllBecomeVersions(t *testing.T) {
	onEachDriver(t, func(t *testing.T, b *bench) {
		const writers = 8
		var wg sync.WaitGroup
		numbers := make([]uint64, writers)
		for i := range writers {
			wg.Go(func() {
				v, err := b.write("a", fmt.Sprintf(`{"i":%d}`, i))
				if err != nil {
					t.Error(err)
					return
				}
				numbers[i] = v.Number
			})
		}
		wg.Wait()
		for i, n := range numbers {
			b.wants("a", n, fmt.Sprintf(`{"i":%d}`, i))
		}
		slices.Sort(numbers)
		if len(slices.Compact(numbers)) != writers {
			t.Errorf("versions %v", numbers)
		}
	})
}

func TestListsAreInByteOrderOnEachDriver(t *testing.T) {
	onEachDriver(t, func(t *testing.T, b *bench) {
		paths := []string{"B", "a", "a b", "a-b", "a.b", "a/x", "a_b", "aB", "ab", "é", "Z/1", "Z/2"}
		for _, p := range paths {
			_, err := b.write(p, `{}`)
			b.must(err)
		}
		names, err := b.list("", kv.Page{})
		b.must(err)
		if !slices.IsSorted(names) || !slices.Contains(names, "a/") || len(names) != len(paths)-1 {
			t.Errorf("%q", names)
		}
	})
}

package embedded

import (
	"context"
	"testing"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

func TestSuite(t *testing.T) {
	storagetest.Run(t, storagetest.Config{
		Open: func(t testing.TB, clock *storagetest.Clock) storage.Store {
			return open(t, t.TempDir(), Options{Now: clock.Now, SweepEvery: -1})
		},
		Sweep: func(t testing.TB, s storage.Store) int {
			n, err := s.(*Store).Sweep(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return n
		},
	})
}

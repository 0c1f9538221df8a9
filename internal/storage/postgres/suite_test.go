package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/postgres/pgtest"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

var ctx = context.Background()

func TestMain(m *testing.M) { pgtest.Main(m) }

func open(tb testing.TB, dsn string, o Options) *Store {
	tb.Helper()
	if o.PollEvery == 0 {
		o.PollEvery = 10 * time.Millisecond
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute // the machine may be busy
	}
	if o.SweepEvery == 0 {
		o.SweepEvery = -1
	}
	s, err := Open(ctx, dsn, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSuite(t *testing.T) {
	dsns := map[storage.Store]string{}
	storagetest.Run(t, storagetest.Config{
		Open: func(t testing.TB, clock *storagetest.Clock) storage.Store {
			dsn := pgtest.DSN(t)
			s := open(t, dsn, Options{Now: clock.Now})
			dsns[s] = dsn
			return s
		},
		Second: func(t testing.TB, s storage.Store, clock *storagetest.Clock) storage.Store {
			return open(t, dsns[s], Options{Now: clock.Now})
		},
		Sweep: func(t testing.TB, s storage.Store) int {
			n, err := s.(*Store).Sweep(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return n
		},
	})
}

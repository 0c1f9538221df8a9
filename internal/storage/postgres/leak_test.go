package postgres

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jotgate/jotgate/internal/storage/postgres/pgtest"
)

func TestCloseLeavesNothingRunning(t *testing.T) {
	dsn := pgtest.DSN(t)
	before := goleak.IgnoreCurrent()
	s := open(t, dsn, Options{SweepEvery: time.Millisecond, PollEvery: time.Millisecond})
	s.Watch(nil, func([][]byte) {})
	if err := put(s, "k", s.clock.now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	read(t, s, "n")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}

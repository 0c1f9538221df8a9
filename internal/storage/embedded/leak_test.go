package embedded

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestCloseLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := open(t, t.TempDir(), Options{SweepEvery: time.Millisecond})
	s.Watch(nil, func([][]byte) {})
	if err := put(s, "k", "v", time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}

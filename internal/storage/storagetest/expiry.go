package storagetest

import (
	"slices"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

func testExpiry(t *testing.T, c Config) {
	clock := NewClock()
	s := c.Open(t, clock)
	now := clock.Now()
	noError(t, Put(s, "a", "forever", time.Time{}))
	noError(t, Put(s, "b", "an hour", now.Add(time.Hour)))
	noError(t, Put(s, "c", "far", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)))
	noError(t, Put(s, "d", "past", now.Add(-time.Second)))
	noError(t, Put(s, "e", "before 1970", time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)))
	noError(t, Put(s, "f", "now", now))
	for _, k := range []string{"d", "e", "f"} {
		wantAbsent(t, s, k)
	}
	clock.Add(time.Hour - time.Microsecond)
	wantValue(t, s, "b", "an hour")
	clock.Add(time.Microsecond)
	wantAbsent(t, s, "b")
	wantValue(t, s, "a", "forever")
	wantValue(t, s, "c", "far")
	got, err := keys(s, "", 1)
	noError(t, err)
	if !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("Scan shows %q", got)
	}
	noError(t, s.View(bg, func(tx storage.ReadTx) error {
		if !tx.Now().Equal(clock.Now()) {
			t.Errorf("Now is %v, the clock says %v", tx.Now(), clock.Now())
		}
		return nil
	}))
}

func testExpiryMoved(t *testing.T, c Config) {
	clock := NewClock()
	s := c.Open(t, clock)
	at := func(d time.Duration) time.Time { return clock.Now().Add(d) }
	noError(t, Put(s, "longer", "v", at(time.Minute)))
	noError(t, Put(s, "longer", "v", at(time.Hour)))
	noError(t, Put(s, "shorter", "v", at(time.Hour)))
	noError(t, Put(s, "shorter", "v", at(time.Minute)))
	noError(t, Put(s, "kept", "v", at(time.Minute)))
	noError(t, Put(s, "kept", "v", time.Time{}))
	noError(t, Put(s, "again", "old", at(time.Minute)))
	clock.Add(2 * time.Minute)
	wantValue(t, s, "longer", "v")
	wantAbsent(t, s, "shorter")
	wantValue(t, s, "kept", "v")
	wantAbsent(t, s, "again")
	noError(t, Put(s, "again", "new", at(time.Minute)))
	if c.Sweep != nil {
		c.Sweep(t, s)
	}
	wantValue(t, s, "again", "new")
	wantValue(t, s, "longer", "v")
	wantValue(t, s, "kept", "v")
	clock.Add(2 * time.Hour)
	wantAbsent(t, s, "longer")
	wantValue(t, s, "kept", "v")
}

func testSweep(t *testing.T, c Config) {
	if c.Sweep == nil {
		t.Skip("this store sweeps elsewhere")
	}
	clock := NewClock()
	s := c.Open(t, clock)
	noError(t, s.Update(bg, func(tx storage.Tx) error {
		for i := range byte(100) {
			expires := clock.Now().Add(time.Minute)
			if i%2 == 0 {
				expires = time.Time{}
			}
			if err := tx.Put([]byte{'k', i}, []byte("v"), expires); err != nil {
				return err
			}
		}
		return nil
	}))
	if n := c.Sweep(t, s); n != 0 {
		t.Errorf("%d keys were swept before their time", n)
	}
	clock.Add(time.Minute)
	removed := 0
	for n := -1; n != 0; removed += n {
		n = c.Sweep(t, s)
	}
	if removed != 50 {
		t.Errorf("%d keys were swept, want 50", removed)
	}
	got, err := keys(s, "k", 7)
	noError(t, err)
	if len(got) != 50 {
		t.Errorf("%d keys are left, want 50", len(got))
	}
}

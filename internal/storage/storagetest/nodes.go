package storagetest

import (
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

// runTwoNodes holds two stores over one medium to the contract.
func runTwoNodes(t *testing.T, c Config) {
	open := func(t *testing.T) (one, two storage.Store, clock *Clock) {
		clock = NewClock()
		one = c.Open(t, clock)
		return one, c.Second(t, one, clock), clock
	}
	t.Run("SeeEachOther", func(t *testing.T) {
		one, two, clock := open(t)
		noError(t, Put(one, "a", "1", time.Time{}))
		wantValue(t, two, "a", "1")
		noError(t, Put(two, "a", "2", clock.Now().Add(time.Minute)))
		wantValue(t, one, "a", "2")
		clock.Add(time.Minute)
		wantAbsent(t, one, "a")
		wantAbsent(t, two, "a")
	})
	t.Run("LostUpdateIsImpossible", func(t *testing.T) {
		one, two, _ := open(t)
		countUp(t, one, two)
	})
	t.Run("WriteSkewIsImpossible", func(t *testing.T) {
		one, two, _ := open(t)
		writeSkew(t, one, two)
	})
	t.Run("PhantomIsImpossible", func(t *testing.T) {
		one, two, _ := open(t)
		phantom(t, one, two)
	})
	t.Run("ViewIsOneSnapshot", func(t *testing.T) {
		one, two, _ := open(t)
		snapshots(t, one, two)
	})
	t.Run("WatchLosesNothing", func(t *testing.T) {
		one, two, _ := open(t)
		nothingLost(t, one, one, two)
		nothingLost(t, two, one, two)
	})
	t.Run("CloseOfOneLeavesTheOther", func(t *testing.T) {
		one, two, _ := open(t)
		noError(t, one.Close())
		noError(t, Put(two, "a", "1", time.Time{}))
		wantValue(t, two, "a", "1")
	})
}

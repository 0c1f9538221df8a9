package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

// Run holds the driver to the storage contract.
func Run(t *testing.T, c Config) {
	if c.MaxValue == 0 {
		c.MaxValue = storage.MaxValueSize
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, Config)
	}{
		{"GetReturnsWhatPutStored", testPutGet},
		{"ReturnedSlicesBelongToTheCaller", testOwnership},
		{"LimitsHold", testLimits},
		{"ScanIsOrderedBoundedAndExclusive", testScan},
		{"ScanSeesOwnWrites", testScanOwnWrites},
		{"FailedUpdateLeavesNothing", testRollback},
		{"PanicLeavesNothingAndPassesThrough", testPanic},
		{"ViewRefusesWrites", testReadOnly},
		{"TransactionEndsWithItsFunction", testEnded},
		{"ExpiredReadsAsAbsentAtOnce", testExpiry},
		{"ExpiryCanBeMovedAndRemoved", testExpiryMoved},
		{"SweepRemovesOnlyTheExpired", testSweep},
		{"ViewIsOneSnapshot", testSnapshot},
		{"LostUpdateIsImpossible", testLostUpdate},
		{"WriteSkewIsImpossible", testWriteSkew},
		{"PhantomIsImpossible", testPhantom},
		{"CancelledContextIsRefused", testContext},
		{"ClosedStoreSaysSo", testClosed},
		{"WatchReportsChanges", testWatch},
		{"WatchLosesNothing", testWatchNothingLost},
		{"NthFailureIsAllOrNothing", testNthFailure},
		{"BehavesLikeAMap", testModel},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, c) })
	}
	if c.Second != nil {
		t.Run("TwoNodes", func(t *testing.T) { runTwoNodes(t, c) })
	}
}

func testPutGet(t *testing.T, c Config) {
	s := c.Open(t, NewClock())
	wantAbsent(t, s, "k")
	for _, key := range []string{"k", "a/b", "\x01", "\xff\xff", "é", "a\x00b"} {
		for _, value := range []string{"v", "", "\x00\xff", strings.Repeat("x", 10_000)} {
			noError(t, Put(s, key, value, time.Time{}))
			wantValue(t, s, key, value)
		}
	}
	noError(t, s.Update(bg, func(tx storage.Tx) error { return errors.Join(tx.Delete([]byte("k")), tx.Delete([]byte("absent"))) }))
	wantAbsent(t, s, "k")
	wantValue(t, s, "a/b", strings.Repeat("x", 10_000))
}

func testOwnership(t *testing.T, c Config) {
	s := c.Open(t, NewClock())
	key, value := []byte("key"), []byte("value")
	noError(t, s.Update(bg, func(tx storage.Tx) error {
		if err := tx.Put(key, value, time.Time{}); err != nil {
			return err
		}
		copy(value, "XXXXX")
		copy(key, "XXX")
		got, err := tx.Get([]byte("key"))
		if err == nil {
			copy(got, "YYYYY")
		}
		copy(key, "key")
		copy(value, "value")
		return err
	}))
	var kept []byte
	noError(t, s.View(bg, func(tx storage.ReadTx) error {
		items, err := tx.Scan(nil, nil, 10)
		if err == nil {
			kept = items[0].Value
			copy(items[0].Key, "ZZZ")
		}
		return err
	}))
	copy(kept, "ZZZZZ")
	_ = append(kept, "more"...)
	wantValue(t, s, "key", "value")
}

func testLimits(t *testing.T, c Config) {
	s := c.Open(t, NewClock())
	longest := strings.Repeat("k", storage.MaxKeySize)
	noError(t, Put(s, longest, "v", time.Time{}))
	wantValue(t, s, longest, "v")
	wantErr(t, Put(s, longest+"k", "v", time.Time{}), storage.ErrTooLarge, "key beyond the limit")
	wantErr(t, Put(s, "", "v", time.Time{}), storage.ErrEmptyKey, "empty key")
	_, err := Get(s, "")
	wantErr(t, err, storage.ErrEmptyKey, "Get of the empty key")
	largest := strings.Repeat("v", c.MaxValue)
	noError(t, Put(s, "large", largest, time.Time{}))
	wantValue(t, s, "large", largest)
	wantErr(t, Put(s, "larger", largest+"v", time.Time{}), storage.ErrTooLarge, "value beyond the limit")
	for _, limit := range []int{0, -1} {
		if err := s.View(bg, func(tx storage.ReadTx) error { _, err := tx.Scan(nil, nil, limit); return err }); err == nil {
			t.Errorf("Scan took the limit %d", limit)
		}
	}
}

func testScan(t *testing.T, c Config) {
	s := c.Open(t, NewClock())
	all := []string{"\x01", "a", "a\x00", "a/", "a/1", "a/1\x00", "a/10", "a/2", "a/\xff", "a/\xff\xff", "a0", "b", "\xff", "\xff\xff\x01"}
	noError(t, s.Update(bg, func(tx storage.Tx) error {
		for i, k := range all {
			if err := tx.Put([]byte(all[(i*5)%len(all)]), []byte(k), time.Time{}); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, prefix := range []string{"", "a", "a/", "a/1", "a/\xff", "\xff", "\xff\xff", "c", "b", "bb"} {
		want := slices.DeleteFunc(slices.Clone(all), func(k string) bool { return !strings.HasPrefix(k, prefix) })
		for _, page := range []int{1, 2, 3, 100} {
			got, err := keys(s, prefix, page)
			noError(t, err)
			if !slices.Equal(got, want) {
				t.Errorf("prefix %q, pages of %d: got %q, want %q", prefix, page, got, want)
			}
		}
	}
	for _, after := range []string{"", "a/", "a/0", "a/1", "a/\xff\xff", "b", "0"} {
		want := slices.DeleteFunc(slices.Clone(all), func(k string) bool { return !strings.HasPrefix(k, "a/") || k <= after })
		var got []string
		noError(t, s.View(bg, func(tx storage.ReadTx) error {
			items, err := tx.Scan([]byte("a/"), []byte(after), 100)
			got = nil
			for _, i := range items {
				got = append(got, string(i.Key))
			}
			return err
		}))
		if !slices.Equal(got, want) {
			t.Errorf("after %q: got %q, want %q", after, got, want)
		}
	}
}

func testScanOwnWrites(t *testing.T, c Config) {
	clock := NewClock()
	s := c.Open(t, clock)
	for i := 0; i < 40; i += 2 {
		noError(t, Put(s, fmt.Sprintf("k%02d", i), "old", time.Time{}))
	}
	noError(t, s.Update(bg, func(tx storage.Tx) error {
		var want []string
		for i := range 40 {
			key := fmt.Sprintf("k%02d", i)
			var err error
			switch {
			case i%4 == 0:
				err = tx.Delete([]byte(key))
			case i%4 == 1:
				err = tx.Put([]byte(key), []byte("new"), time.Time{})
				want = append(want, key+"=new")
			case i%4 == 2:
				want = append(want, key+"=old")
			case i == 3:
				err = tx.Put([]byte(key), []byte("past"), clock.Now())
			}
			if err != nil {
				return err
			}
		}
		for _, page := range []int{1, 3, 7, 100} {
			items, err := All(tx, "k", page)
			if err != nil {
				return err
			}
			var got []string
			for _, i := range items {
				got = append(got, string(i.Key)+"="+string(i.Value))
			}
			if !slices.Equal(got, want) {
				t.Errorf("pages of %d: got %q, want %q", page, got, want)
			}
		}
		if _, err := tx.Get([]byte("k00")); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("own delete is not seen: %v", err)
		}
		if v, err := tx.Get([]byte("k01")); string(v) != "new" {
			t.Errorf("own write is not seen: %q, %v", v, err)
		}
		return nil
	}))
	wantAbsent(t, s, "k03")
	wantValue(t, s, "k01", "new")
}

var errOwn = errors.New("the function's own error")

func testRollback(t *testing.T, c Config) {
	s := c.Open(t, NewClock())
	noError(t, Put(s, "a", "1", time.Time{}))
	err := s.Update(bg, func(tx storage.Tx) error {
		noError(t, tx.Put([]byte("a"), []byte("2"), time.Time{}))
		noError(t, tx.Put([]byte("b"), []byte("2"), time.Time{}))
		return fmt.Errorf("wrapped: %w", errOwn)
	})
	wantErr(t, err, errOwn, "Update")
	wantValue(t, s, "a", "1")
	wantAbsent(t, s, "b")
	wantErr(t, s.View(bg, func(storage.ReadTx) error { return errOwn }), errOwn, "View")
}

func testPanic(t *testing.T, c Config) {
	s := c.Open(t, NewClock())
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic did not reach the caller")
			}
		}()
		_ = s.Update(bg, func(tx storage.Tx) error {
			noError(t, tx.Put([]byte("a"), []byte("1"), time.Time{}))
			panic("boom")
		})
	}()
	wantAbsent(t, s, "a")
	noError(t, Put(s, "a", "2", time.Time{}))
	wantValue(t, s, "a", "2")
}

func testReadOnly(t *testing.T, c Config) {
	s := c.Open(t, NewClock())
	noError(t, s.View(bg, func(tx storage.ReadTx) error {
		if w, ok := tx.(storage.Tx); ok {
			wantErr(t, w.Put([]byte("a"), nil, time.Time{}), storage.ErrReadOnly, "Put")
			wantErr(t, w.Delete([]byte("a")), storage.ErrReadOnly, "Delete")
		}
		return nil
	}))
	wantAbsent(t, s, "a")
}

func testEnded(t *testing.T, c Config) {
	s := c.Open(t, NewClock())
	var leakedTx storage.Tx
	var leaked storage.ReadTx
	noError(t, s.Update(bg, func(tx storage.Tx) error { leakedTx = tx; return nil }))
	noError(t, s.View(bg, func(tx storage.ReadTx) error { leaked = tx; return nil }))
	for name, err := range map[string]error{
		"Put":    leakedTx.Put([]byte("a"), nil, time.Time{}),
		"Delete": leakedTx.Delete([]byte("a")),
		"Get":    second(leaked.Get([]byte("a"))),
		"Scan":   second(leaked.Scan(nil, nil, 1)),
	} {
		if err == nil || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s after the end: %v", name, err)
		}
	}
	wantAbsent(t, s, "a")
}

func second[T any](_ T, err error) error { return err }

func testContext(t *testing.T, c Config) {
	s := c.Open(t, NewClock())
	ctx, cancel := context.WithCancel(bg)
	cancel()
	wantErr(t, s.View(ctx, func(storage.ReadTx) error { t.Error("View ran"); return nil }), context.Canceled, "View")
	wantErr(t, s.Update(ctx, func(storage.Tx) error { t.Error("Update ran"); return nil }), context.Canceled, "Update")
}

func testClosed(t *testing.T, c Config) {
	s := c.Open(t, NewClock())
	stop := s.Watch(nil, func([][]byte) {})
	noError(t, s.Close())
	stop()
	wantErr(t, s.View(bg, func(storage.ReadTx) error { return nil }), storage.ErrClosed, "View")
	wantErr(t, s.Update(bg, func(storage.Tx) error { return nil }), storage.ErrClosed, "Update")
	wantErr(t, s.Close(), storage.ErrClosed, "second Close")
	s.Watch(nil, func([][]byte) {})()
}

func sameBytes(items []storage.Item, keys []string, values [][]byte) bool {
	if len(items) != len(keys) {
		return false
	}
	for i, item := range items {
		if string(item.Key) != keys[i] || !bytes.Equal(item.Value, values[i]) {
			return false
		}
	}
	return true
}

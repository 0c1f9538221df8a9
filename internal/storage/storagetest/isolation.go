package storagetest

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

// retry runs an update again while the driver says that it is too busy.
func retry(s storage.Store, fn func(storage.Tx) error) error {
	for {
		if err := s.Update(bg, fn); !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}

func number(tx storage.ReadTx, key string) (int, error) {
	v, err := tx.Get([]byte(key))
	if errors.Is(err, storage.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(v))
}

func setNumber(tx storage.Tx, key string, n int) error {
	return tx.Put([]byte(key), []byte(strconv.Itoa(n)), time.Time{})
}

// testSnapshot moves one unit between two keys, over and over: every reader
// must see the same sum, whether it reads by Get or by Scan.
func testSnapshot(t *testing.T, c Config) { snapshots(t, c.Open(t, NewClock()), nil) }

func snapshots(t *testing.T, writer, reader storage.Store) {
	if reader == nil {
		reader = writer
	}
	noError(t, Put(writer, "s/a", "100", time.Time{}))
	noError(t, Put(writer, "s/b", "100", time.Time{}))
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer done.Store(true)
		for range 100 {
			if err := retry(writer, move); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for last := false; !last; {
				last = done.Load()
				if err := reader.View(bg, func(tx storage.ReadTx) error { return checkSum(t, tx) }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func move(tx storage.Tx) error {
	a, err := number(tx, "s/a")
	if err != nil {
		return err
	}
	b, err := number(tx, "s/b")
	if err != nil {
		return err
	}
	return errors.Join(setNumber(tx, "s/a", a-1), setNumber(tx, "s/b", b+1))
}

func checkSum(t *testing.T, tx storage.ReadTx) error {
	a, err := number(tx, "s/a")
	if err != nil {
		return err
	}
	items, err := tx.Scan([]byte("s/"), nil, 10)
	if err != nil {
		return err
	}
	b, err := number(tx, "s/b")
	if err != nil {
		return err
	}
	if a+b != 200 || len(items) != 2 || string(items[0].Value) != strconv.Itoa(a) {
		t.Errorf("a reader saw %d + %d and %q", a, b, items)
	}
	return nil
}

// testLostUpdate counts with many writers: every increment must be there.
func testLostUpdate(t *testing.T, c Config) { countUp(t, c.Open(t, NewClock())) }

func countUp(t *testing.T, stores ...storage.Store) {
	const writers, each = 8, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range each {
				if err := retry(stores[w%len(stores)], increment); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	noError(t, stores[0].View(bg, func(tx storage.ReadTx) error {
		n, err := number(tx, "n")
		if n != writers*each {
			t.Errorf("%d increments are left of %d", n, writers*each)
		}
		return err
	}))
}

func increment(tx storage.Tx) error {
	n, err := number(tx, "n")
	if err != nil {
		return err
	}
	return setNumber(tx, "n", n+1)
}

// testWriteSkew: two doctors may go off call, but never both. Each transaction
// reads both and writes one, which snapshot isolation alone would let through.
func testWriteSkew(t *testing.T, c Config) { writeSkew(t, c.Open(t, NewClock()), nil) }

func writeSkew(t *testing.T, one, two storage.Store) {
	if two == nil {
		two = one
	}
	for round := range 20 {
		key := func(i int) string { return "skew/" + strconv.Itoa(round) + "/" + strconv.Itoa(i) }
		noError(t, one.Update(bg, func(tx storage.Tx) error {
			return errors.Join(setNumber(tx, key(0), 1), setNumber(tx, key(1), 1))
		}))
		together(t, one, two, func(me int) func(storage.Tx) error {
			return func(tx storage.Tx) error {
				a, err := number(tx, key(0))
				if err != nil {
					return err
				}
				b, err := number(tx, key(1))
				if err != nil {
					return err
				}
				if a+b < 2 {
					return nil
				}
				return setNumber(tx, key(me), 0)
			}
		})
		noError(t, one.View(bg, func(tx storage.ReadTx) error {
			a, err := number(tx, key(0))
			b, err2 := number(tx, key(1))
			if a+b != 1 {
				t.Errorf("round %d: %d on call", round, a+b)
			}
			return errors.Join(err, err2)
		}))
	}
}

// testPhantom: a name may be taken only once, and which names are taken is
// found by Scan.
func testPhantom(t *testing.T, c Config) { phantom(t, c.Open(t, NewClock()), nil) }

func phantom(t *testing.T, one, two storage.Store) {
	if two == nil {
		two = one
	}
	for round := range 20 {
		prefix := "ph/" + strconv.Itoa(round) + "/"
		together(t, one, two, func(me int) func(storage.Tx) error {
			return func(tx storage.Tx) error {
				taken, err := tx.Scan([]byte(prefix), nil, 1)
				if err != nil || len(taken) > 0 {
					return err
				}
				return setNumber(tx, prefix+strconv.Itoa(me), 1)
			}
		})
		got, err := keys(one, prefix, 10)
		noError(t, err)
		if len(got) != 1 {
			t.Errorf("round %d: %q", round, got)
		}
	}
}

// together runs two updates at the same moment.
func together(t *testing.T, one, two storage.Store, fn func(me int) func(storage.Tx) error) {
	t.Helper()
	var wg sync.WaitGroup
	for me, s := range []storage.Store{one, two} {
		wg.Go(func() {
			if err := retry(s, fn(me)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

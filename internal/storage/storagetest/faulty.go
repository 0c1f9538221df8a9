package storagetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// ErrInjected is what a Faulty store answers when its turn has come. Like the
// failures of real drivers it is of kind fault.Unavailable, which must reach
// the caller.
var ErrInjected error = fault.New(fault.Unavailable, "storagetest: injected failure")

// Faulty is a store whose n-th call fails. Begin, each call of a transaction
// and the commit count one each. Set FailAt before use.
type Faulty struct {
	storage.Store
	// FailAt is the number, from 1, of the call that fails; 0 fails none.
	FailAt int64
	calls  atomic.Int64
}

// Calls returns how many calls were made.
func (f *Faulty) Calls() int64 { return f.calls.Load() }

func (f *Faulty) hit() error {
	if f.calls.Add(1) == f.FailAt {
		return ErrInjected
	}
	return nil
}

// View implements storage.Store.
func (f *Faulty) View(ctx context.Context, fn func(storage.ReadTx) error) error {
	if err := f.hit(); err != nil {
		return err
	}
	return f.Store.View(ctx, func(tx storage.ReadTx) error { return fn(&faultyRead{tx, f}) })
}

// Update implements storage.Store. A commit that fails leaves nothing behind.
func (f *Faulty) Update(ctx context.Context, fn func(storage.Tx) error) error {
	if err := f.hit(); err != nil {
		return err
	}
	return f.Store.Update(ctx, func(tx storage.Tx) error {
		if err := fn(&faultyWrite{faultyRead{tx, f}, tx}); err != nil {
			return err
		}
		return f.hit()
	})
}

type faultyRead struct {
	tx storage.ReadTx
	f  *Faulty
}

func (r *faultyRead) Now() time.Time { return r.tx.Now() }

func (r *faultyRead) Get(key []byte) ([]byte, error) {
	if err := r.f.hit(); err != nil {
		return nil, err
	}
	return r.tx.Get(key)
}

func (r *faultyRead) Scan(prefix, after []byte, limit int) ([]storage.Item, error) {
	if err := r.f.hit(); err != nil {
		return nil, err
	}
	return r.tx.Scan(prefix, after, limit)
}

type faultyWrite struct {
	faultyRead
	tx storage.Tx
}

func (w *faultyWrite) Put(key, value []byte, expires time.Time) error {
	if err := w.f.hit(); err != nil {
		return err
	}
	return w.tx.Put(key, value, expires)
}

func (w *faultyWrite) Delete(key []byte) error {
	if err := w.f.hit(); err != nil {
		return err
	}
	return w.tx.Delete(key)
}

// maxFaults ends a loop over an operation that never succeeds.
const maxFaults = 10_000

// FailEachCall runs op again and again, with the first, then the second, then
// the third call of the store failing, until op succeeds. After each failure
// check has to find that nothing has happened, after the success that all has.
func FailEachCall(t testing.TB, s storage.Store, op func(storage.Store) error, check func(succeeded bool) error) {
	t.Helper()
	for n := int64(1); n < maxFaults; n++ {
		f := &Faulty{Store: s, FailAt: n}
		err := op(f)
		if err != nil && !errors.Is(err, ErrInjected) {
			t.Fatalf("call %d failed: op hides the cause: %v", n, err)
		}
		if err != nil && fault.Of(err) != fault.Unavailable {
			t.Errorf("call %d failed: the answer is %v, not that the storage is unavailable: %v", n, fault.Of(err), err)
		}
		if errors.Is(err, storage.ErrDamaged) {
			t.Errorf("call %d failed: the answer speaks of damage: %v", n, err)
		}
		if err == nil && f.Calls() >= n {
			err = fmt.Errorf("call %d failed and op claims success", n)
			t.Error(err)
		}
		if err := check(err == nil); err != nil {
			t.Fatalf("call %d failed: %v", n, err)
		}
		if err == nil {
			return
		}
	}
	t.Fatal("op never succeeds")
}

// AllOrNothing runs op as FailEachCall does, on a store where keys are compared
// as they lie: a failure must leave every one as it was, the success must change
// something.
func AllOrNothing(t testing.TB, s storage.Store, op func(storage.Store) error) {
	t.Helper()
	before := Dump(t, s)
	FailEachCall(t, s, op, func(succeeded bool) error {
		switch same := maps.Equal(before, Dump(t, s)); {
		case !same && !succeeded:
			return errors.New("a part was kept")
		case same && succeeded:
			return errors.New("nothing was written in the end")
		}
		return nil
	})
}

// Dump returns every live key with its value.
func Dump(t testing.TB, s storage.Store) map[string]string {
	t.Helper()
	var out map[string]string
	err := s.View(bg, func(tx storage.ReadTx) error {
		items, err := All(tx, "", 500)
		out = make(map[string]string, len(items))
		for _, i := range items {
			out[string(i.Key)] = string(i.Value)
		}
		return err
	})
	noError(t, err)
	return out
}

// OnlyUpdates returns the faulty store with views that never fail and are not
// counted, for operations that read again what they have written.
func (f *Faulty) OnlyUpdates() storage.Store { return onlyUpdates{f} }

type onlyUpdates struct{ *Faulty }

func (o onlyUpdates) View(ctx context.Context, fn func(storage.ReadTx) error) error {
	return o.Store.View(ctx, fn)
}

// LoseAnswers returns a store whose transactions are kept but reported as
// ErrInjected, as when the connection breaks while the driver commits.
func LoseAnswers(s storage.Store) storage.Store { return loser{s} }

type loser struct{ storage.Store }

func (l loser) Update(ctx context.Context, fn func(storage.Tx) error) error {
	if err := l.Store.Update(ctx, fn); err != nil {
		return err
	}
	return ErrInjected
}

func testNthFailure(t *testing.T, c Config) {
	s := c.Open(t, NewClock())
	noError(t, Put(s, "f/old", "1", time.Time{}))
	op := func(s storage.Store) error {
		return s.Update(bg, func(tx storage.Tx) error {
			if _, err := tx.Get([]byte("f/old")); err != nil {
				return err
			}
			if err := tx.Delete([]byte("f/old")); err != nil {
				return err
			}
			for _, k := range []string{"f/a", "f/b", "f/c"} {
				if err := tx.Put([]byte(k), []byte(k), time.Time{}); err != nil {
					return err
				}
			}
			_, err := tx.Scan([]byte("f/"), nil, 10)
			return err
		})
	}
	FailEachCall(t, s, op, func(succeeded bool) error {
		got, err := keys(s, "f/", 10)
		want := "[f/old]"
		if succeeded {
			want = "[f/a f/b f/c]"
		}
		if fmt.Sprint(got) != want {
			return errors.Join(fmt.Errorf("keys are %v, want %v", got, want), err)
		}
		return err
	})
}

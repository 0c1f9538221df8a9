package embedded

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/jotgate/jotgate/internal/storage"
)

// together runs the functions so that all of them wait for the lock while the
// first one holds it: they make one batch.
func together(t *testing.T, s *Store, fns ...func(storage.Tx) error) []error {
	t.Helper()
	errs := make([]error, len(fns))
	holding, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	run := func(i int, fn func(storage.Tx) error) {
		wg.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					errs[i] = errPanicked
				}
			}()
			errs[i] = s.Update(context.Background(), fn)
		})
	}
	run(0, func(tx storage.Tx) error {
		close(holding)
		<-release
		return fns[0](tx)
	})
	<-holding
	for i, fn := range fns[1:] {
		run(i+1, fn)
	}
	for s.waiting.Load() < int64(len(fns)-1) {
		time.Sleep(time.Millisecond) // until they have queued: there is no event for it
	}
	close(release)
	wg.Wait()
	return errs
}

var (
	errPanicked = errors.New("panicked")
	errOwn      = errors.New("own")
)

func write(key string) func(storage.Tx) error {
	return func(tx storage.Tx) error { return tx.Put([]byte(key), []byte(key), time.Time{}) }
}

func countCommits(s *Store) *atomic.Int64 {
	var n atomic.Int64
	s.commit = func(tx *bolt.Tx) error { n.Add(1); return tx.Commit() }
	return &n
}

func TestWaitingCallersShareOneCommit(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	commits := countCommits(s)
	for _, err := range together(t, s, write("a"), write("b"), write("c"), write("d")) {
		if err != nil {
			t.Error(err)
		}
	}
	if n := commits.Load(); n != 1 {
		t.Errorf("%d commits for one batch", n)
	}
	for _, k := range []string{"a", "b", "c", "d"} {
		if v, err := get(s, k); v != k || err != nil {
			t.Errorf("%q: %q, %v", k, v, err)
		}
	}
}

// expecting makes the next batch wait for n callers, as long as it takes.
func expecting(s *Store, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expected, s.lull = n, time.Hour
}

func TestABatchWaitsForThoseWhoCameBefore(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	commits := countCommits(s)
	for _, err := range together(t, s, write("a"), write("b"), write("c")) {
		if err != nil {
			t.Error(err)
		}
	}
	if s.expected != 3 || s.lull == 0 || s.lull > maxLull {
		t.Fatalf("after a batch of three: %d are expected for %v", s.expected, s.lull)
	}
	expecting(s, 3)
	var wg sync.WaitGroup
	joined := make(chan struct{}, 3)
	for _, k := range []string{"d", "e", "f"} {
		wg.Go(func() {
			if err := s.Update(t.Context(), func(tx storage.Tx) error { joined <- struct{}{}; return write(k)(tx) }); err != nil {
				t.Error(err)
			}
		})
		<-joined // so that nobody is waiting for the lock at the end of a turn
	}
	wg.Wait()
	if n := commits.Load(); n != 2 {
		t.Errorf("%d commits for two batches", n)
	}
}

func TestABatchDoesNotWaitLongOrTwice(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	commits := countCommits(s)
	expecting(s, 3)
	s.lull = time.Nanosecond
	if err := put(s, "alone", "v", time.Time{}); err != nil || commits.Load() != 1 {
		t.Fatal(err)
	}
	if s.expected != 0 {
		t.Errorf("after a wait in vain %d are expected", s.expected)
	}
	s.lull = time.Hour
	if err := put(s, "again", "v", time.Time{}); err != nil { // would hang
		t.Fatal(err)
	}
	if s.expected != 1 {
		t.Errorf("after one alone %d are expected", s.expected)
	}
}

func TestABatchWithNothingToKeepDoesNotWait(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	commits := countCommits(s)
	expecting(s, 3)
	if err := s.Update(t.Context(), func(storage.Tx) error { return errOwn }); !errors.Is(err, errOwn) {
		t.Error(err)
	}
	expecting(s, 3)
	panicked := func() (r any) {
		defer func() { r = recover() }()
		return s.Update(t.Context(), func(tx storage.Tx) error { _ = write("x")(tx); panic("boom") })
	}()
	if panicked != "boom" || commits.Load() != 0 || s.batch != nil {
		t.Errorf("%v, %d commits, open: %v", panicked, commits.Load(), s.batch != nil)
	}
}

// One who panics leaves no caller behind who waits for a batch of three.
func TestAPanicEndsTheBatchForItsNeighbours(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	expecting(s, 3)
	kept := make(chan error, 1)
	joined := make(chan struct{})
	go func() {
		kept <- s.Update(t.Context(), func(tx storage.Tx) error { close(joined); return write("a")(tx) })
	}()
	<-joined
	func() {
		defer func() { _ = recover() }()
		_ = s.Update(t.Context(), func(storage.Tx) error { panic("boom") })
	}()
	if err := <-kept; err != nil {
		t.Error(err)
	}
	if _, err := get(s, "a"); err != nil {
		t.Error(err)
	}
}

func TestOneThatFailsDoesNotUndoItsNeighbours(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	commits := countCommits(s)
	fails := func(key string, how func() error) func(storage.Tx) error {
		return func(tx storage.Tx) error {
			if err := tx.Put([]byte(key), nil, time.Time{}); err != nil {
				return err
			}
			return how()
		}
	}
	errs := together(t, s, write("a"),
		fails("x", func() error { return errOwn }), write("b"),
		fails("y", func() error { panic("boom") }), write("c"))
	if errs[0] != nil || errs[2] != nil || errs[4] != nil || !errors.Is(errs[1], errOwn) || !errors.Is(errs[3], errPanicked) {
		t.Errorf("%v", errs)
	}
	for _, k := range []string{"a", "b", "c"} {
		if _, err := get(s, k); err != nil {
			t.Errorf("%q: %v", k, err)
		}
	}
	for _, k := range []string{"x", "y"} {
		if _, err := get(s, k); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%q: %v", k, err)
		}
	}
	if n := commits.Load(); n != 1 {
		t.Errorf("%d commits", n)
	}
}

func TestBatchMatesSeeEarlierWrites(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	var seen atomic.Int64
	look := func(tx storage.Tx) error {
		items, err := tx.Scan([]byte("n/"), nil, 10)
		seen.Add(int64(len(items)))
		return errors.Join(err, tx.Put([]byte{'n', '/', byte(len(items))}, nil, time.Time{}))
	}
	for _, err := range together(t, s, look, look, look) {
		if err != nil {
			t.Error(err)
		}
	}
	if seen.Load() != 0+1+2 {
		t.Errorf("the three saw %d keys together", seen.Load())
	}
}

func TestNothingIsAcknowledgedAfterAFailedCommit(t *testing.T) {
	for name, commit := range map[string]func(*bolt.Tx) error{
		"error": func(tx *bolt.Tx) error { _ = tx.Rollback(); return syscall.EIO },
		"panic": func(tx *bolt.Tx) error { _ = tx.Rollback(); panic("assertion failed") },
		"wedge": func(*bolt.Tx) error { panic("and the transaction is still open") },
		"full, but something was written": func(tx *bolt.Tx) error {
			return errors.Join(tx.Commit(), syscall.ENOSPC)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, Options{SweepEvery: -1})
			if err := put(s, "before", "v", time.Time{}); err != nil {
				t.Fatal(err)
			}
			told := make(chan struct{}, 10)
			s.Watch(nil, func([][]byte) { told <- struct{}{} })
			s.commit = commit
			for _, err := range together(t, s, write("a"), write("b")) {
				if !errors.Is(err, storage.ErrFailed) {
					t.Errorf("the failing commit: %v", err)
				}
			}
			s.commit = (*bolt.Tx).Commit
			if err := put(s, "after", "v", time.Time{}); !errors.Is(err, storage.ErrFailed) {
				t.Errorf("Update afterwards: %v", err)
			}
			if _, err := get(s, "before"); !errors.Is(err, storage.ErrFailed) {
				t.Errorf("View afterwards: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if len(told) > 0 {
				t.Error("watchers were told of what was not acknowledged")
			}
			s = open(t, dir, Options{SweepEvery: -1})
			if _, err := get(s, "before"); err != nil {
				t.Errorf("after a restart: %v", err)
			}
		})
	}
}

func TestAFullDiskRefusesAndRecovers(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	s.commit = func(tx *bolt.Tx) error {
		_ = tx.Rollback()
		return &os.PathError{Op: "write", Err: syscall.ENOSPC}
	}
	if err := put(s, "a", "v", time.Time{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	s.commit = (*bolt.Tx).Commit
	if _, err := get(s, "a"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("refused and yet there: %v", err)
	}
	if err := put(s, "a", "v", time.Time{}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestReadOnlyUpdatesDoNotCommit(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	commits := countCommits(s)
	if err := s.Update(context.Background(), func(tx storage.Tx) error { _, err := tx.Scan(nil, nil, 1); return err }); err != nil {
		t.Fatal(err)
	}
	if commits.Load() != 0 {
		t.Error("nothing was written and yet committed")
	}
}

func TestTheExpiryIndexFillsItsPages(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := open(t, t.TempDir(), Options{SweepEvery: -1, Now: func() time.Time { return now }})
	for i := range 200 {
		err := s.Update(t.Context(), func(tx storage.Tx) error {
			for j := range 20 {
				key := []byte{byte(j * 7), byte(i), byte(j)} // in no order of time
				if err := tx.Put(key, nil, now.Add(time.Hour+time.Duration(20*i+j)*time.Second)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	tx, err := s.db.Begin(false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	st := tx.Bucket(bucketExpiry).Stats()
	if full := float64(st.LeafInuse) / float64(st.LeafAlloc); st.KeyN != 4000 || full < 0.85 {
		t.Errorf("%d keys fill %.0f %% of their pages", st.KeyN, 100*full)
	}
}

// A write that fails in the middle may have left a part of itself: the batch
// is dropped whole, and none of its callers is told of success.
func TestASpoiltBatchIsDroppedWhole(t *testing.T) {
	s := open(t, t.TempDir(), Options{SweepEvery: -1})
	err := s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketValues).Put([]byte("m"), []byte{1}) }) // no record
	if err != nil {
		t.Fatal(err)
	}
	errs := together(t, s, write("a"), func(tx storage.Tx) error {
		return errors.Join(write("k")(tx), write("m")(tx), write("z")(tx))
	}, write("b"))
	for i, err := range errs[:2] {
		if !errors.Is(err, storage.ErrDamaged) {
			t.Errorf("caller %d: %v", i, err)
		}
	}
	for i, k := range []string{"a", "k", "z", "b"} {
		_, err := get(s, k)
		if kept := k == "b" && errs[2] == nil; kept != (err == nil) || !kept && !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%d: %q after %v: %v", i, k, errs, err)
		}
	}
}

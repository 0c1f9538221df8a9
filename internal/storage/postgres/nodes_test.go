package postgres

import (
	"errors"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/postgres/pgtest"
)

func put(s storage.Store, key string, expires time.Time) error {
	return s.Update(ctx, func(tx storage.Tx) error { return tx.Put([]byte(key), []byte("1"), expires) })
}

// quiet opens a store whose background work is done by hand.
func quiet(t *testing.T, dsn string) *Store {
	t.Helper()
	return open(t, dsn, Options{PollEvery: time.Hour})
}

// told collects what a watcher hears.
type told chan string

func (c told) notify(keys [][]byte) {
	if len(keys) == 0 {
		c <- "?"
	}
	for _, k := range keys {
		c <- string(k)
	}
}

func (c told) want(t *testing.T, what string) {
	t.Helper()
	select {
	case got := <-c:
		if got != what {
			t.Errorf("told of %q, want %q", got, what)
		}
	case <-time.After(time.Minute):
		t.Fatalf("not told of %q", what)
	}
}

func poll(t *testing.T, s *Store) {
	t.Helper()
	if _, err := s.reader.poll(ctx, s); err != nil {
		t.Fatal(err)
	}
}

// A transaction that took its number first and commits last is the one that a
// reader of a plain counter misses.
func TestALateCommitIsNotMissed(t *testing.T) {
	dsn := pgtest.DSN(t)
	writer, watcher := quiet(t, dsn), quiet(t, dsn)
	heard := make(told, 10)
	watcher.Watch(nil, heard.notify)
	commitEntry := func(e *entry) {
		t.Helper()
		if _, err := writer.pool.Exec(ctx, insertChange, e.node, e.seq, e.low, e.packed); err != nil {
			t.Fatal(err)
		}
		writer.journal.Load().decide(e)
	}
	j := writer.journal.Load()
	late, early := j.open([]string{"late"}), j.open([]string{"early"})
	commitEntry(early)
	poll(t, watcher)
	heard.want(t, "early")
	poll(t, watcher) // and not told twice
	commitEntry(late)
	poll(t, watcher)
	heard.want(t, "late")
	for _, key := range []string{"next", "last"} {
		commitEntry(j.open([]string{key}))
		poll(t, watcher)
		heard.want(t, key)
	}
	place := watcher.reader.at[writer.journal.Load().node]
	if place.low != 3 || len(place.had) != 1 {
		t.Errorf("the reader stands at %d and remembers %d", place.low, len(place.had))
	}
}

func TestANumberInDoubtHoldsLowBackUntilItIsSettled(t *testing.T) {
	dsn := pgtest.DSN(t)
	s, watcher := quiet(t, dsn), quiet(t, dsn)
	heard, own := make(told, 10), make(told, 10)
	watcher.Watch(nil, heard.notify)
	s.Watch(nil, own.notify)
	j := s.journal.Load()
	lost, kept := j.open([]string{"lost"}), j.open([]string{"kept"})
	if _, err := s.pool.Exec(ctx, insertChange, kept.node, kept.seq, kept.low, kept.packed); err != nil {
		t.Fatal(err)
	}
	j.doubt(lost)
	j.doubt(kept)
	if j.low() != 0 {
		t.Errorf("low is %d with everything in doubt", j.low())
	}
	poll(t, s)
	own.want(t, "kept") // it was kept after all, and nobody had told
	if j.low() != 2 {
		t.Errorf("low is %d with everything settled", j.low())
	}
	poll(t, watcher)
	heard.want(t, "kept")
	// The number of the lost one is taken: its commit can never come.
	if _, err := s.pool.Exec(ctx, insertChange, lost.node, lost.seq, lost.low, lost.packed); err == nil {
		t.Error("a number that was given up was used after all")
	}
	if len(heard)+len(own) > 0 {
		t.Error("told of what was not kept")
	}
}

func TestANodeThatWasWrittenOffRegistersAgain(t *testing.T) {
	dsn := pgtest.DSN(t)
	sleeper, watcher := quiet(t, dsn), quiet(t, dsn)
	heard, own := make(told, 10), make(told, 10)
	watcher.Watch(nil, heard.notify)
	sleeper.Watch([]byte("x"), own.notify)
	before := sleeper.journal.Load().node
	if _, err := watcher.pool.Exec(ctx, "DELETE FROM jotgate_nodes WHERE node = $1", before); err != nil {
		t.Fatal(err)
	}
	if err := put(sleeper, "awake", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if sleeper.journal.Load().node == before {
		t.Error("the node kept its old id")
	}
	own.want(t, "?") // it may have missed what others did
	poll(t, watcher)
	heard.want(t, "awake")
}

func TestAReaderThatSleptTellsThatAnythingMayHaveChanged(t *testing.T) {
	s := quiet(t, pgtest.DSN(t))
	heard := make(told, 10)
	s.Watch(nil, heard.notify)
	poll(t, s)
	s.reader.last = s.clock.now().Add(-keepChanges)
	poll(t, s)
	heard.want(t, "?")
	poll(t, s)
	if len(heard) > 0 {
		t.Error("told again")
	}
}

func TestAChangeOfTooManyKeysNamesNone(t *testing.T) {
	dsn := pgtest.DSN(t)
	writer, watcher := quiet(t, dsn), quiet(t, dsn)
	heard := make(told, 10)
	watcher.Watch(nil, heard.notify)
	if err := writer.Update(ctx, func(tx storage.Tx) error {
		for i := range 300 {
			key := make([]byte, storage.MaxKeySize)
			key[0], key[1] = byte(i), byte(i>>8)
			if err := tx.Put(key, nil, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	poll(t, watcher)
	heard.want(t, "?")
}

// The first Get of a View takes no transaction; that must not show.
func TestAViewWhoseFirstKeyMovesRunsAgain(t *testing.T) {
	s := quiet(t, pgtest.DSN(t))
	set := func(value string) {
		t.Helper()
		if err := s.Update(ctx, func(tx storage.Tx) error {
			return errors.Join(tx.Put([]byte("a"), []byte(value), time.Time{}), tx.Put([]byte("b"), []byte(value), time.Time{}))
		}); err != nil {
			t.Fatal(err)
		}
	}
	for name, second := range map[string]func(storage.ReadTx) (string, error){
		"Get": func(tx storage.ReadTx) (string, error) { v, err := tx.Get([]byte("b")); return string(v), err },
		"Scan": func(tx storage.ReadTx) (string, error) {
			items, err := tx.Scan([]byte("b"), nil, 1)
			if err != nil {
				return "", err
			}
			return string(items[0].Value), nil
		},
	} {
		set("old")
		runs := 0
		if err := s.View(ctx, func(tx storage.ReadTx) error {
			runs++
			a, err := tx.Get([]byte("a"))
			if err != nil {
				return err
			}
			a2 := string(a)
			copy(a, "XXX") // it is the caller's
			if runs == 1 {
				set("new")
			}
			b, err := second(tx)
			if err != nil {
				return nil //nolint:nilerr // a function that hides the error changes nothing
			}
			if a2 != "new" || b != "new" {
				t.Errorf("%s: %q and %q are not of one snapshot", name, a2, b)
			}
			return nil
		}); err != nil || runs != 2 {
			t.Errorf("%s: %d runs, %v", name, runs, err)
		}
		runs = 0
		if err := s.View(ctx, func(tx storage.ReadTx) error {
			runs++
			v, err := tx.Get([]byte("a"))
			copy(v, "XXX")
			_, err2 := second(tx)
			return errors.Join(err, err2)
		}); err != nil || runs != 1 {
			t.Errorf("%s, nothing moved: %d runs, %v", name, runs, err)
		}
	}
}

func changes(t *testing.T, s *Store, node int64) (n int) {
	t.Helper()
	if err := s.pool.QueryRow(ctx, "SELECT count(*) FROM jotgate_changes WHERE node = $1", node).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOldChangesAreRemoved(t *testing.T) {
	dsn := pgtest.DSN(t)
	s, watcher := quiet(t, dsn), quiet(t, dsn)
	node := s.journal.Load().node
	for range 5 {
		if err := put(s, "k", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.heartbeat(ctx); err != nil {
		t.Fatal(err)
	}
	if n := changes(t, s, node); n != 5 {
		t.Fatalf("%d changes are left of 5 fresh ones", n)
	}
	s.pruner.marks[0].at = s.clock.now().Add(-keepChanges - time.Second)
	if err := put(s, "k", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.heartbeat(ctx); err != nil {
		t.Fatal(err)
	}
	if n := changes(t, s, node); n != 1 {
		t.Errorf("%d changes are left, want the fresh one", n)
	}
	heard := make(told, 10)
	watcher.Watch(nil, heard.notify)
	poll(t, watcher)
	heard.want(t, "k")
}

func TestTheTracesOfADeadNodeAreRemoved(t *testing.T) {
	dsn := pgtest.DSN(t)
	dead, alive := quiet(t, dsn), quiet(t, dsn)
	node := dead.journal.Load().node
	if err := put(dead, "k", time.Time{}); err != nil {
		t.Fatal(err)
	}
	silent := func(since time.Duration) {
		if _, err := alive.pool.Exec(ctx, touchNode, node, alive.clock.now().Add(-since).UnixMicro()); err != nil {
			t.Fatal(err)
		}
		for more := true; more; {
			var err error
			if more, err = alive.heartbeat(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	nodes := func() []int64 {
		others, err := alive.reader.others(ctx, alive)
		if err != nil {
			t.Fatal(err)
		}
		return others
	}
	silent(deadAfter - time.Minute)
	if len(nodes()) != 1 || changes(t, alive, node) != 1 {
		t.Error("a node that is only quiet was removed")
	}
	silent(deadAfter + time.Minute)
	if len(nodes()) != 0 || changes(t, alive, node) != 0 {
		t.Error("the dead node is still there")
	}
	poll(t, alive)
	if len(alive.reader.at) != 0 {
		t.Error("the reader still follows it")
	}
}

func TestNodesThatStartTogetherOnAnEmptyDatabaseAllStart(t *testing.T) {
	dsn := pgtest.DSN(t)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			s, err := Open(ctx, dsn, Options{MaxConns: 3})
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = s.Close() }()
			if v, err := s.SchemaVersion(ctx); v != 20261121224000 || err != nil {
				t.Errorf("schema version %d, %v", v, err)
			}
		})
	}
	wg.Wait()
}

// Two nodes sweep while a third renews what has expired: what was renewed
// stays.
func TestSweepersDoNotTakeWhatWasRenewed(t *testing.T) {
	dsn := pgtest.DSN(t)
	s := quiet(t, dsn)
	sweepers := []*Store{quiet(t, dsn), quiet(t, dsn)}
	now := s.clock.now()
	for range 20 {
		if err := s.Update(ctx, func(tx storage.Tx) error {
			for i := range byte(20) {
				if err := tx.Put([]byte{'k', i}, nil, now.Add(20*time.Millisecond)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for _, sweeper := range sweepers {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := sweeper.Sweep(ctx); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for i := range byte(20) {
			for {
				err := s.Update(ctx, func(tx storage.Tx) error { return tx.Put([]byte{'k', i}, []byte("renewed"), now.Add(time.Hour)) })
				if !errors.Is(err, storage.ErrConflict) {
					if err != nil {
						t.Error(err)
					}
					break
				}
			}
		}
		close(stop)
		wg.Wait()
		if err := s.View(ctx, func(tx storage.ReadTx) error {
			items, err := tx.Scan([]byte("k"), nil, 100)
			if len(items) != 20 {
				t.Errorf("%d of 20 renewed keys are left", len(items))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheClockIsTheDatabasesAndNeverStepsBackALittle(t *testing.T) {
	s := quiet(t, pgtest.DSN(t))
	var micros int64
	if err := s.pool.QueryRow(ctx, selectClock).Scan(&micros); err != nil {
		t.Fatal(err)
	}
	if d := time.UnixMicro(micros).Sub(s.clock.now()); d.Abs() > time.Minute {
		t.Errorf("the clock is off by %v", d)
	}
	last := s.clock.now()
	s.clock.mu.Lock()
	s.clock.base = s.clock.base.Add(-maxStep / 2)
	s.clock.mu.Unlock()
	if s.clock.now().Before(last) {
		t.Error("a small correction went back")
	}
	s.clock.mu.Lock()
	s.clock.base = s.clock.base.Add(-time.Hour)
	s.clock.mu.Unlock()
	if !s.clock.now().Before(last) {
		t.Error("a database that was set back is not followed")
	}
}

func TestPackedKeysComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.StringN(1, 50, -1), 0, 30).Draw(t, "keys")
		got := unpack(pack(keys))
		if len(got) != len(keys) {
			t.Fatalf("%q came back as %q", keys, got)
		}
		for i := range keys {
			if string(got[i]) != keys[i] {
				t.Fatalf("%q came back as %q", keys, got)
			}
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack([]string{"a", "bc"}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		total := 0
		for _, k := range unpack(data) {
			total += len(k)
		}
		if total > len(data) {
			t.Fatal("more came out than went in")
		}
	})
}

// A slow caller is overtaken by a neighbour on the same node in each attempt,
// until it gets its turn alone.
func TestNoCallerStarvesBesideItsNeighbours(t *testing.T) {
	s := open(t, pgtest.DSN(t), Options{})
	var neighbours sync.WaitGroup
	attempts := 0
	err := s.Update(ctx, func(tx storage.Tx) error {
		attempts++
		if _, err := count(tx, "n"); err != nil {
			return err
		}
		passed := make(chan struct{})
		neighbours.Go(func() {
			defer close(passed)
			if err := s.Update(ctx, increment("n")); err != nil {
				t.Error(err)
			}
		})
		if s.crowd.mu.TryRLock() { // others may pass: let one do so
			s.crowd.mu.RUnlock()
			<-passed
		}
		return increment("n")(tx)
	})
	neighbours.Wait()
	if err != nil || attempts != aloneFrom+1 {
		t.Errorf("after %d attempts: %v", attempts, err)
	}
	if n := read(t, s, "n"); n != attempts+1 {
		t.Errorf("the counter is %d after %d neighbours and the caller itself", n, attempts)
	}
}

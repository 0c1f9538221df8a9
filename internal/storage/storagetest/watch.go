package storagetest

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

// patience is how long a notice may take before a test gives up.
const patience = time.Minute

// seen collects what a watcher was told.
type seen struct {
	mu   sync.Mutex
	keys map[string]bool
	all  bool // told that anything may have changed
	more chan struct{}
}

func newSeen() *seen { return &seen{keys: map[string]bool{}, more: make(chan struct{}, 1)} }

func (s *seen) notify(keys [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = s.all || len(keys) == 0
	for _, k := range keys {
		s.keys[string(k)] = true
	}
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// wait returns when every key was told.
func (s *seen) wait(t testing.TB, keys ...string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		missing := ""
		for _, k := range keys {
			if !s.keys[k] && !s.all {
				missing = k
			}
		}
		s.mu.Unlock()
		if missing == "" {
			return
		}
		select {
		case <-s.more:
		case <-deadline:
			t.Fatalf("no notice of %q within %v", missing, patience)
		}
	}
}

func testWatch(t *testing.T, c Config) {
	clock := NewClock()
	s := c.Open(t, clock)
	watched, all := newSeen(), newSeen()
	stop := s.Watch([]byte("w/"), watched.notify)
	defer s.Watch(nil, all.notify)()

	noError(t, Put(s, "w/put", "v", time.Time{}))
	noError(t, Put(s, "other", "v", time.Time{}))
	_ = s.Update(bg, func(tx storage.Tx) error {
		noError(t, tx.Put([]byte("w/rolled-back"), nil, time.Time{}))
		return errOwn
	})
	noError(t, s.Update(bg, func(tx storage.Tx) error { return tx.Delete([]byte("w/put")) }))
	noError(t, Put(s, "w/last", "v", time.Time{}))
	watched.wait(t, "w/put", "w/last")
	all.wait(t, "w/put", "w/last", "other")
	watched.mu.Lock()
	if watched.keys["other"] || watched.keys["w/rolled-back"] {
		t.Errorf("told of too much: %v", watched.keys)
	}
	watched.keys = map[string]bool{}
	watched.mu.Unlock()

	stop()
	noError(t, Put(s, "w/after", "v", time.Time{}))
	all.wait(t, "w/after")
	watched.mu.Lock()
	defer watched.mu.Unlock()
	if watched.keys["w/after"] {
		t.Error("told after stop")
	}
}

func testWatchNothingLost(t *testing.T, c Config) {
	s := c.Open(t, NewClock())
	nothingLost(t, s, s)
}

// nothingLost watches on one store what concurrent writers, some of whom give
// up, do on the others.
func nothingLost(t *testing.T, watcher storage.Store, writers ...storage.Store) {
	got := newSeen()
	defer watcher.Watch([]byte("lost/"), got.notify)()
	const each = 40
	var wg sync.WaitGroup
	var mu sync.Mutex
	var want []string
	for w := range 8 {
		wg.Go(func() {
			for i := range each {
				key := strings.Join([]string{"lost", strconv.Itoa(w), strconv.Itoa(i)}, "/")
				s := writers[w%len(writers)]
				if i%5 == 4 {
					_ = s.Update(bg, func(tx storage.Tx) error {
						_ = tx.Put([]byte(key), nil, time.Time{})
						return errOwn
					})
					continue
				}
				if err := retry(s, func(tx storage.Tx) error { return tx.Put([]byte(key), []byte("v"), time.Time{}) }); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				want = append(want, key)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	got.wait(t, want...)
}

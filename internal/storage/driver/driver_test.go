package driver

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jotgate/jotgate/internal/storage"
)

func TestExpiryNeverWraps(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 5, time.UTC)
	for name, c := range map[string]struct {
		at   time.Time
		want int64
	}{
		"never":       {time.Time{}, Never},
		"now":         {now, now.UnixNano()},
		"year 1":      {time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), 1},
		"1969":        {time.Unix(-1, 0), 1},
		"1970":        {time.Unix(0, 0), 1},
		"year 2262":   {time.Unix(0, math.MaxInt64), maxSeconds * 1e9},
		"year 9999":   {time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), maxSeconds * 1e9},
		"end of time": {time.Unix(math.MaxInt64/2, 0), maxSeconds * 1e9},
	} {
		if got := Expiry(c.at); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if Expired(Never, math.MaxInt64) || !Expired(5, 5) || Expired(6, 5) {
		t.Error("Expired is wrong at its edges")
	}
}

func TestPrefixEnd(t *testing.T) {
	for prefix, want := range map[string]string{"a": "b", "a\xff": "b", "a\xff\xff": "b", "\x00": "\x01", "ab": "ac"} {
		if got := PrefixEnd([]byte(prefix)); string(got) != want {
			t.Errorf("%q: %q, want %q", prefix, got, want)
		}
	}
	for _, prefix := range []string{"", "\xff", "\xff\xff"} {
		if got := PrefixEnd([]byte(prefix)); got != nil {
			t.Errorf("%q: %q, want nothing", prefix, got)
		}
	}
}

func TestChecks(t *testing.T) {
	long := make([]byte, storage.MaxKeySize+1)
	if !errors.Is(CheckKey(nil), storage.ErrEmptyKey) || !errors.Is(CheckKey(long), storage.ErrTooLarge) || CheckKey(long[1:]) != nil {
		t.Error("CheckKey")
	}
	large := make([]byte, storage.MaxValueSize+1)
	if !errors.Is(CheckPut([]byte("k"), large), storage.ErrTooLarge) || CheckPut([]byte("k"), large[1:]) != nil || CheckPut(nil, nil) == nil {
		t.Error("CheckPut")
	}
}

func TestCloseWaitsForWhatRuns(t *testing.T) {
	var l Life
	if !l.Enter() {
		t.Fatal("the zero value is closed")
	}
	closed := make(chan bool)
	go func() { closed <- l.Close() }()
	for l.Enter() { // until Close has been reached
		l.Leave()
	}
	select {
	case <-closed:
		t.Fatal("Close did not wait")
	default:
	}
	l.Leave()
	if !<-closed || l.Close() {
		t.Error("one Close closes, the next does not")
	}
}

func TestAWatcherThatIsSlowLearnsThatSomethingChanged(t *testing.T) {
	defer goleak.VerifyNone(t)
	var w Watchers
	defer w.Close()
	entered, release := make(chan struct{}), make(chan struct{})
	calls := make(chan [][]byte, 10)
	var once sync.Once
	w.Watch([]byte("k"), func(keys [][]byte) {
		once.Do(func() { close(entered); <-release })
		calls <- keys
	})
	w.Changed([][]byte{[]byte("k")})
	<-entered
	for range maxPending + 1 {
		w.Changed([][]byte{[]byte("k2"), []byte("other")})
	}
	close(release)
	if first := <-calls; len(first) != 1 {
		t.Errorf("first call: %d keys", len(first))
	}
	if second := <-calls; len(second) != 0 {
		t.Errorf("second call: %d keys, want none: too many to name", len(second))
	}
	w.Changed([][]byte{[]byte("k3")})
	if third := <-calls; len(third) != 1 || string(third[0]) != "k3" {
		t.Errorf("third call: %q", third)
	}
}

func TestWatchersMayComeAndGoWhileNoticesAreGiven(t *testing.T) {
	defer goleak.VerifyNone(t)
	var w Watchers
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				stop := w.Watch(nil, func([][]byte) {})
				w.Changed([][]byte{[]byte("k")})
				w.ChangedUnknown()
				stop()
				stop()
			}
		})
	}
	wg.Wait()
	w.Close()
	w.Close()
	w.Watch(nil, func([][]byte) { t.Error("called after Close") })()
	w.ChangedUnknown()
}

func TestNotifyMayStopItself(t *testing.T) {
	var w Watchers
	defer w.Close()
	done := make(chan struct{})
	var stop func()
	ready := make(chan struct{})
	stop = w.Watch(nil, func([][]byte) { <-ready; stop(); close(done) })
	close(ready)
	w.ChangedUnknown()
	<-done
}

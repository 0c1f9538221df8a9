package storage

import "time"

// Pauses of Follow before it tries again: the first, and the longest that
// doubling makes of it.
const (
	followAgain = 100 * time.Millisecond
	followPause = 10 * time.Second
)

// Follow calls changed after each committed change of a key with the prefix,
// on a goroutine of its own, so that changed may read and take its time.
// Changes that arrive while it runs are folded into one more call. A call that
// fails is repeated until one succeeds, after longer and longer pauses and
// after each further change: what a node holds in memory must not stay behind
// because the storage was out of reach for a moment. stop ends it and waits for
// a call that is under way; call it once.
func Follow(s Store, prefix []byte, changed func() error) (stop func()) {
	wake, done := make(chan struct{}, 1), make(chan struct{})
	unwatch := s.Watch(prefix, func([][]byte) {
		select {
		case wake <- struct{}{}:
		default: // a call that has not begun yet will see this change, too
		}
	})
	quit := make(chan struct{})
	go func() {
		defer close(done)
		var again <-chan time.Time
		for pause := followAgain; ; {
			select {
			case <-wake:
			case <-again:
			case <-quit:
				return
			}
			if changed() == nil {
				again, pause = nil, followAgain
				continue
			}
			again, pause = time.After(pause), min(2*pause, followPause)
		}
	}()
	return func() {
		unwatch()
		close(quit)
		<-done
	}
}

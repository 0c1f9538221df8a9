package storage

// Follow calls changed after each committed change of a key with the prefix,
// on a goroutine of its own, so that changed may read and take its time.
// Changes that arrive while it runs are folded into one more call. stop ends
// it and waits for a call that is under way; call it once.
func Follow(s Store, prefix []byte, changed func()) (stop func()) {
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
		for {
			select {
			case <-wake:
				changed()
			case <-quit:
				return
			}
		}
	}()
	return func() {
		unwatch()
		close(quit)
		<-done
	}
}

package driver

import (
	"bytes"
	"sync"
)

// maxPending is how many keys are kept for a watcher that has not been called
// yet. Beyond it the watcher learns that something changed, not what.
const maxPending = 1024

// Watchers delivers change notices on one goroutine of its own, which starts
// with the first watcher. The zero value is ready to use. Close ends it.
type Watchers struct {
	mu      sync.Mutex
	list    map[*watcher]struct{}
	wake    chan struct{}
	done    chan struct{}
	closing bool
}

type watcher struct {
	prefix  []byte
	notify  func(keys [][]byte)
	pending [][]byte
	due     bool // pending is to be delivered
	unknown bool // deliver no keys: which ones changed is not known
}

// Watch registers notify for keys with the prefix and returns a function that
// takes it off the list. A call that is already running may still end after
// stop has returned.
func (w *Watchers) Watch(prefix []byte, notify func(keys [][]byte)) (stop func()) {
	one := &watcher{prefix: bytes.Clone(prefix), notify: notify}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing {
		return func() {}
	}
	if w.list == nil {
		w.list = make(map[*watcher]struct{})
		w.wake = make(chan struct{}, 1)
		w.done = make(chan struct{})
		go w.deliver()
	}
	w.list[one] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.list, one)
	}
}

// Any reports whether anybody watches, so that a driver need not collect keys
// for nobody.
func (w *Watchers) Any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.list) > 0
}

// Changed tells the watchers of keys. It returns at once.
func (w *Watchers) Changed(keys [][]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	due := false
	for one := range w.list {
		for _, key := range keys {
			if bytes.HasPrefix(key, one.prefix) {
				one.add(key)
				due = true
			}
		}
	}
	w.signal(due)
}

// ChangedUnknown tells every watcher that any key may have changed.
func (w *Watchers) ChangedUnknown() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.list {
		one.due, one.unknown, one.pending = true, true, nil
	}
	w.signal(len(w.list) > 0)
}

func (o *watcher) add(key []byte) {
	o.due = true
	if o.unknown {
		return
	}
	if len(o.pending) == maxPending {
		o.unknown, o.pending = true, nil
		return
	}
	o.pending = append(o.pending, key)
}

func (w *Watchers) signal(due bool) {
	if !due || w.closing {
		return
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Watchers) deliver() {
	defer close(w.done)
	for range w.wake {
		for {
			one, keys := w.next()
			if one == nil {
				break
			}
			one.notify(keys)
		}
	}
}

// next takes one due watcher with its keys off the list.
func (w *Watchers) next() (*watcher, [][]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for one := range w.list {
		if one.due {
			keys := one.pending
			one.due, one.unknown, one.pending = false, false, nil
			return one, keys
		}
	}
	return nil, nil
}

// Close takes every watcher off the list and waits for a running notify.
func (w *Watchers) Close() {
	w.mu.Lock()
	if w.closing {
		w.mu.Unlock()
		return
	}
	w.closing = true
	clear(w.list)
	started := w.wake != nil
	if started {
		close(w.wake)
	}
	w.mu.Unlock()
	if started {
		<-w.done
	}
}

package driver

import "sync"

// Life counts the running transactions of a store so that Close can wait for
// them. The zero value is an open store.
type Life struct {
	mu      sync.Mutex
	running int
	closed  bool
	idle    chan struct{}
}

// Enter reports whether the store is open, and if so keeps Close waiting until
// Leave is called.
func (l *Life) Enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.running++
	return true
}

// Leave ends what Enter began.
func (l *Life) Leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	if l.running == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// Close makes every later Enter fail, waits until nothing runs, and reports
// whether this call was the one that closed.
func (l *Life) Close() bool {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	var idle chan struct{}
	if first && l.running > 0 {
		idle = make(chan struct{})
		l.idle = idle
	}
	l.mu.Unlock()
	if idle != nil {
		<-idle
	}
	return first
}

package audit

import (
	"errors"
	"io"
	"sync"
	"time"
)

// Errors of a device, for the operator's log.
var (
	errSlow   = errors.New("audit: the device did not take the line in time")
	errClosed = errors.New("audit: the device is closed")
)

// queue puts the lines of many requests into few writes on one sink, whole and
// in order. While one write runs, the lines that arrive are gathered; whoever
// finishes the write starts the next one with all of them.
type queue struct {
	timeout time.Duration
	sink    io.Writer // one Write at a time; whole lines in, bytes taken out

	mu sync.Mutex
	// inline lets the caller that starts a write do it itself, which saves a
	// goroutine switch per line. It may be set only where nobody waits for this
	// sink who could go on without it.
	inline bool

	busy   bool   // a write runs
	late   bool   // the running write has outlived its time
	closed bool   // no more lines
	next   *batch // lines that wait for the running write
}

// batch is the lines of one write and what came of it.
type batch struct {
	buf     []byte
	done    chan struct{}
	written int
	err     error
}

// write returns once the sink has taken the whole line, or with the reason why
// it has not. The line is the caller's again when write returns.
func (q *queue) write(line []byte) error {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return errClosed
	case q.late:
		q.mu.Unlock()
		return errSlow
	case q.busy || !q.inline:
		return q.join(line)
	}
	q.busy = true
	q.mu.Unlock()
	n, err := q.sink.Write(line)
	q.finish()
	if n >= len(line) {
		return nil
	}
	return short(err)
}

// join adds the line to the next write and waits for it. It is called with the
// lock held and gives it back.
func (q *queue) join(line []byte) error {
	if q.next == nil {
		q.next = &batch{done: make(chan struct{})}
	}
	b := q.next
	b.buf = append(b.buf, line...)
	end := len(b.buf)
	if !q.busy {
		q.busy = true
		go q.drain()
	}
	q.mu.Unlock()

	t := time.NewTimer(q.timeout)
	defer t.Stop()
	select {
	case <-b.done:
		if b.written >= end {
			return nil
		}
		return short(b.err)
	case <-t.C:
		return q.giveUp(b, end)
	}
}

// giveUp marks the sink as late, so that the next lines do not wait for it.
func (q *queue) giveUp(b *batch, end int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-b.done: // it came true at the last moment
		if b.written >= end {
			return nil
		}
		return short(b.err)
	default:
		q.late = true
		return errSlow
	}
}

// drain writes what has gathered until nothing is left.
func (q *queue) drain() {
	for {
		q.mu.Lock()
		b := q.next
		q.next = nil
		if b == nil {
			q.busy = false
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		n, err := q.sink.Write(b.buf)
		q.mu.Lock()
		b.written, b.err, q.late = n, err, false
		close(b.done)
		q.mu.Unlock()
	}
}

// finish ends a write that a caller did itself.
func (q *queue) finish() {
	q.mu.Lock()
	q.late = false
	if q.next == nil {
		q.busy = false
	} else {
		go q.drain()
	}
	q.mu.Unlock()
}

// setInline says whether callers may write themselves.
func (q *queue) setInline(v bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inline = v
}

// close refuses further lines.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

func short(err error) error {
	if err == nil {
		return io.ErrShortWrite
	}
	return err
}

package embedded

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"

	bolt "go.etcd.io/bbolt"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/driver"
)

// A batch is one bbolt transaction that several callers share. It is closed to
// newcomers at these sizes, so that neither its memory nor the wait of its
// first caller grows without bound.
const (
	maxBatchCallers = 1024
	maxBatchBytes   = 32 << 20
)

// freelistPages is the number of free pages up to which each commit also
// writes the list of them (8 bytes a page). With the list on disk a start after
// a crash reads nothing else; beyond this size the writing would cost more than
// the one walk over the file that its absence costs.
const freelistPages = 8192

type batch struct {
	tx      *bolt.Tx
	values  *bolt.Bucket
	expiry  *bolt.Bucket
	callers int
	bytes   int
	writes  int
	changed [][]byte // only while somebody watches
	done    chan struct{}
	err     error // set before done is closed
}

// turn waits for the write lock, runs fn and, when nobody else is waiting,
// commits for everybody. It returns the batch to wait for, or nil when there
// is nothing to wait for.
func (s *Store) turn(ctx context.Context, fn func(storage.Tx) error) (b *batch, err error) {
	s.waiting.Add(1)
	s.mu.Lock()
	s.waiting.Add(-1)
	// Deferred so that a panic in fn leaves the neighbours' batch intact.
	defer func() {
		s.commitIfLast()
		s.mu.Unlock()
	}()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f := s.failure.Load(); f != nil {
		return nil, *f
	}
	if s.batch == nil {
		if s.batch, err = s.begin(); err != nil {
			return nil, err
		}
	}
	b = s.batch
	b.callers++
	t := newTx(b.values, s.now())
	t.writable = true
	defer t.end()
	if err = fn(t); err == nil {
		err = s.merge(b, t)
	}
	return b, err
}

func (s *Store) begin() (*batch, error) {
	tx, err := s.db.Begin(true)
	if err != nil {
		return nil, s.fail(fmt.Errorf("begin: %w", err))
	}
	values, err := bucket(tx, bucketValues)
	expiry, err2 := bucket(tx, bucketExpiry)
	if err := errors.Join(err, err2); err != nil {
		return nil, errors.Join(err, rollback(tx))
	}
	return &batch{tx: tx, values: values, expiry: expiry, done: make(chan struct{})}, nil
}

// merge moves a successful function's writes into the shared transaction.
func (s *Store) merge(b *batch, t *tx) (err error) {
	if t.buf.Len() == 0 {
		return nil
	}
	watched := s.watchers.Any()
	defer func() {
		if err != nil {
			// Part of the writes may be in: the batch as a whole must not be kept.
			b.err = fmt.Errorf("%w: %w", storage.ErrDamaged, err)
		}
	}()
	defer guard(debug.SetPanicOnFault(true), &err)
	return t.buf.Each(func(key string, w driver.Write) error {
		b.writes++
		b.bytes += len(key) + len(w.Value)
		if watched {
			b.changed = append(b.changed, []byte(key))
		}
		return b.apply([]byte(key), w, t.nowNS)
	})
}

// apply writes one key and keeps the expiry index in step.
func (b *batch) apply(key []byte, w driver.Write, now int64) error {
	var had int64
	old := b.values.Get(key)
	if old != nil {
		var err error
		if had, _, err = decode(old); err != nil {
			return err
		}
	}
	gone := w.Deleted || driver.Expired(w.Expires, now)
	if had != driver.Never && (gone || had != w.Expires) {
		if err := b.expiry.Delete(indexKey(had, key)); err != nil {
			return err
		}
	}
	if gone {
		if old == nil {
			return nil
		}
		return b.values.Delete(key)
	}
	if w.Expires != driver.Never && had != w.Expires {
		if err := b.expiry.Put(indexKey(w.Expires, key), nil); err != nil {
			return err
		}
	}
	return b.values.Put(key, encode(w.Expires, w.Value))
}

// commitIfLast ends the batch when nobody is waiting to join it, or it is full.
func (s *Store) commitIfLast() {
	b := s.batch
	if b == nil {
		return
	}
	if s.waiting.Load() == 0 {
		// Who is ready to run may be about to join: a sync that is shared by one
		// caller more is worth one turn of the scheduler.
		runtime.Gosched()
	}
	if s.waiting.Load() > 0 && b.err == nil && b.callers < maxBatchCallers && b.bytes < maxBatchBytes {
		return
	}
	s.batch = nil
	s.finish(b)
	close(b.done)
	if b.err == nil && len(b.changed) > 0 {
		s.watchers.Changed(b.changed)
	}
}

// finish commits the batch, or drops it when it holds nothing or is spoilt.
func (s *Store) finish(b *batch) {
	if b.err != nil || b.writes == 0 {
		if err := rollback(b.tx); err != nil {
			b.err = s.fail(err)
		}
		return
	}
	id := b.tx.ID()
	s.db.NoFreelistSync = s.db.Stats().FreePageN > freelistPages
	err := s.tryCommit(b.tx)
	switch {
	case err == nil:
	case noSpace(err) && s.unchanged(id):
		b.err = fmt.Errorf("%w: no room left for the data file: %w", storage.ErrUnavailable, err)
		s.log.Warn("storage refused writes: no room left on the disk", "file", s.db.Path())
	default:
		b.err = s.fail(err)
	}
}

func (s *Store) tryCommit(tx *bolt.Tx) (err error) {
	defer guard(debug.SetPanicOnFault(true), &err)
	return s.commit(tx)
}

// noSpace reports whether the write was refused for want of room, which unlike
// a failed sync is a clean refusal: no page that the file refers to was touched.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// unchanged reports whether the file still shows the state from before the
// write transaction with the id, so that going on is safe.
func (s *Store) unchanged(id int) (ok bool) {
	var err error
	defer func() { ok = ok && err == nil }()
	defer guard(debug.SetPanicOnFault(true), &err)
	tx, err := s.db.Begin(false)
	if err != nil {
		return false
	}
	defer func() { _ = tx.Rollback() }()
	return tx.ID() == id-1
}

func rollback(tx *bolt.Tx) (err error) {
	defer guard(debug.SetPanicOnFault(true), &err)
	return tx.Rollback()
}

// keepFreelist leaves the list of free pages on disk, so that the next start
// need not walk the whole file to find them.
func (s *Store) keepFreelist() (err error) {
	if !s.db.NoFreelistSync {
		return nil
	}
	defer guard(debug.SetPanicOnFault(true), &err)
	s.db.NoFreelistSync = false
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	return s.commit(tx)
}

package embedded

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

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
	// maxLull is how long a batch stays open at most for callers that have not
	// come yet.
	maxLull = time.Millisecond
)

// freelistPages is the number of free pages up to which each commit also
// writes the list of them (8 bytes a page). With the list on disk a start after
// a crash reads nothing else; beyond this size the writing would cost more than
// the one walk over the file that its absence costs.
const freelistPages = 8192

// expiryFill is how full a page of the expiry index may get before it is split.
// Its keys begin with a time, so most are added at the end, where pages that are
// split in halves would stay half empty for ever.
const expiryFill = 0.95

type batch struct {
	tx      *bolt.Tx
	values  *bolt.Bucket
	expiry  *bolt.Bucket
	callers int
	bytes   int
	writes  int
	lull    time.Duration // how long its first caller waits for the others
	waited  bool          // it has waited, and now ends as soon as it can
	changed [][]byte      // only while somebody watches
	done    chan struct{}
	err     error // set before done is closed
}

// turn waits for the write lock, runs fn and, when nobody else is to join,
// commits for everybody. It returns the batch to wait for, or nil when there
// is nothing to wait for, and whether the caller is the batch's first.
func (s *Store) turn(ctx context.Context, fn func(storage.Tx) error) (b *batch, first bool, err error) {
	s.waiting.Add(1)
	s.mu.Lock()
	s.waiting.Add(-1)
	patient := false
	// Deferred so that a panic in fn leaves the neighbours' batch intact.
	defer func() {
		s.commitIfLast(patient)
		s.mu.Unlock()
	}()
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if f := s.failure.Load(); f != nil {
		return nil, false, *f
	}
	if s.batch == nil {
		if s.batch, err = s.begin(); err != nil {
			return nil, false, err
		}
		first = true
	}
	b = s.batch
	b.callers++
	t := newTx(b.values, s.now())
	t.writable = true
	defer t.end()
	if err = fn(t); err == nil {
		err = s.merge(b, t)
	}
	patient = true
	return b, first, err
}

// settle waits for the end of the batch. Its first caller sees to it that it
// ends when those who are expected do not come.
func (s *Store) settle(b *batch, first bool) error {
	if !first {
		<-b.done
		return b.err
	}
	lull := time.NewTimer(b.lull)
	defer lull.Stop()
	select {
	case <-b.done:
		return b.err
	case <-lull.C:
	}
	s.mu.Lock()
	if s.batch == b {
		b.waited = true
		s.commitIfLast(false)
	}
	s.mu.Unlock()
	<-b.done
	return b.err
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
	expiry.FillPercent = expiryFill
	return &batch{tx: tx, values: values, expiry: expiry, lull: s.lull, done: make(chan struct{})}, nil
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

// commitIfLast ends the batch when it is full, or when nobody is waiting to join
// it and, if the caller is patient, as many have joined as are expected.
func (s *Store) commitIfLast(patient bool) {
	b := s.batch
	if b == nil {
		return
	}
	if b.err == nil && b.callers < maxBatchCallers && b.bytes < maxBatchBytes {
		if s.waiting.Load() > 0 || patient && !b.waited && b.writes > 0 && b.callers < s.expected {
			return
		}
		// Who is ready to run may be about to join: a sync that is shared by one
		// caller more is worth one turn of the scheduler.
		if runtime.Gosched(); s.waiting.Load() > 0 {
			return
		}
	}
	s.end(b)
}

// end commits the batch and tells its callers. The next batch expects as many
// as shared this one or came while it was written: callers in a hurry are back
// before long, and a sync costs more than the little wait for them, which is
// never longer than the sync just took. After one that came short it expects nobody.
func (s *Store) end(b *batch) {
	s.batch = nil
	began := time.Now()
	s.finish(b)
	s.lull = min(time.Since(began), maxLull)
	if b.callers < s.expected {
		s.expected = 0
	} else {
		s.expected = b.callers + int(s.waiting.Load())
	}
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

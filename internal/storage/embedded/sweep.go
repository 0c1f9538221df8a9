package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime/debug"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/driver"
)

const (
	// sweepBatch is how many expired keys one turn removes: few enough that
	// the callers that share its commit do not wait for it.
	sweepBatch = 256
	// sweepPause lets others in between two full turns.
	sweepPause = 5 * time.Millisecond
)

// Sweep removes up to 256 keys that have expired and returns how many. The
// store calls it by itself; tests that own the clock call it at will.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	due, err := s.due(ctx)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	removed := 0
	err = s.Update(ctx, func(t storage.Tx) error {
		removed = 0
		for _, key := range due {
			// It may have been written again since: what reads as absent goes.
			switch _, err := t.Get(key); {
			case errors.Is(err, storage.ErrNotFound):
				removed++
				if err := t.Delete(key); err != nil {
					return err
				}
			case err != nil:
				return err
			}
		}
		return nil
	})
	return removed, err
}

// due returns the first keys of the expiry index that have expired.
func (s *Store) due(ctx context.Context) (keys [][]byte, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.Leave()
	defer guard(debug.SetPanicOnFault(true), &err)
	tx, err := s.db.Begin(false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	now := driver.Expiry(s.now())
	expiry, err := bucket(tx, bucketExpiry)
	if err != nil {
		return nil, err
	}
	c := expiry.Cursor()
	for k, _ := c.First(); k != nil && len(keys) < sweepBatch; k, _ = c.Next() {
		if len(k) < expirySize || int64(binary.BigEndian.Uint64(k)) > now { // never negative
			break
		}
		keys = append(keys, append([]byte(nil), k[expirySize:]...))
	}
	return keys, nil
}

func (s *Store) startSweeper(every time.Duration) {
	if every < 0 {
		return
	}
	if every == 0 {
		every = time.Second
	}
	s.stopSweep, s.sweepDone = make(chan struct{}), make(chan struct{})
	go s.sweepLoop(every)
}

func (s *Store) sweepLoop(every time.Duration) {
	defer close(s.sweepDone)
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-s.stopSweep:
			return
		case <-timer.C:
		}
		n, err := s.Sweep(context.Background())
		if err != nil {
			s.log.Warn("removing expired keys failed", "error", err)
		}
		if n == sweepBatch {
			timer.Reset(sweepPause)
		} else {
			timer.Reset(every)
		}
	}
}

func (s *Store) stopSweeper() {
	s.mu.Lock()
	select {
	case <-s.stopSweep:
	default:
		close(s.stopSweep)
	}
	s.mu.Unlock()
	<-s.sweepDone
}
